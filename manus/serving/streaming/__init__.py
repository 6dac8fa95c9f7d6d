"""Tries on a finished model that what is streamed is what comes at once, and how soon and how evenly it comes."""
