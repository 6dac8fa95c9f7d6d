"""What the model says while it learns."""
