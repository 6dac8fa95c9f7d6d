"""Samples to tokens, and what becomes of one that is too long."""
