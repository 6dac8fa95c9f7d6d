"""A recipe resolved: artifacts with keys, and what the next run does with them."""
