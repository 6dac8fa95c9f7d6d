"""A text becomes an episode: a script of turns that rest on its sentences, their sound, one file to hear."""
