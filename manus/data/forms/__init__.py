"""A row of anybody's becomes a sample: one shape a file. A new data shape opens here."""
