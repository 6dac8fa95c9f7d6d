"""Tries on a finished model whether streams are what comes at once, and how soon and evenly they come."""
