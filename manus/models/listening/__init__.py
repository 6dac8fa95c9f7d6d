"""Listening and looking as it comes: text, sound and frames are read piece by piece, before a question."""
