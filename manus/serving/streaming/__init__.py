"""Tries on a finished model that streams are what comes at once, and how soon and evenly they come."""
