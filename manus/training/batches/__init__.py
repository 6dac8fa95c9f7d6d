"""Rows to batches, whatever they hold. No trainer among them."""
