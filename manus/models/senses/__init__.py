"""What is said of senses, whoever made them: ours (omni) or the base's (native)."""
