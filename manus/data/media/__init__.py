"""Pictures, video and sound in samples: read from rows, checked, kept in one file, decoded when needed."""
