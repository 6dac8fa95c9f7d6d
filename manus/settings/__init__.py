"""Bases and words that settings of several rooms share."""
