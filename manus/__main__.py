"""`python -m manus`: the command line."""

from manus.cli import main

main()
