"""A model in use: a conversation, and the terminal that it is held in."""
