"""One check of a completion per file."""
