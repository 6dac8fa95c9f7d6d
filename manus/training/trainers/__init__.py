"""One file a way of learning."""
