"""Folders to weights in memory."""
