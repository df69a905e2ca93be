"""``python -m aiga``: the command line."""

from aiga.cli import main

main()
