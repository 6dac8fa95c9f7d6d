"""The command line: a file for each sort of question a user asks."""
