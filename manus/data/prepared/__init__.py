"""What lies on disk when data are prepared, and how it is read."""
