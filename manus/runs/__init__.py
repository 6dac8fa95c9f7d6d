"""Runs seen from outside: orders to them, their progress, the live view."""
