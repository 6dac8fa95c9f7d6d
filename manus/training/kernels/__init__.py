"""Cheaper ways to compute the same, each proven on the model that trains."""
