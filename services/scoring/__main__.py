"""`python -m services.scoring serve | migrate`."""

import sys

from shared.kit.service import main

if __name__ == "__main__":
    sys.exit(main("scoring"))
