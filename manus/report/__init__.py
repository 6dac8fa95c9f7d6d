"""report.html, the summary in the terminal, and the model card."""
