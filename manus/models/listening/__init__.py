"""Listening and looking as it comes: text, pieces of sound and frames are read one by one, before anything is asked."""
