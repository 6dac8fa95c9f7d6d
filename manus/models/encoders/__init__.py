"""Which encoder a recipe's sense gets, and that encoder as a folder of its own. Planning half: no torch."""
