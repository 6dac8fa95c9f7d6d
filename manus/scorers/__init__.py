"""Compare an answer with what was wanted: one sort of answer a file. `score.py` is what they return."""
