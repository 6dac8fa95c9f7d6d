"""`python -m manus`: the command line."""

from manus.cli.main import main

main()
