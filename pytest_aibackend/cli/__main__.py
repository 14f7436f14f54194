"""`python -m pytest_aibackend.cli`: the same as `aibackend`."""

import sys

from pytest_aibackend.cli import main

if __name__ == "__main__":
    sys.exit(main())
