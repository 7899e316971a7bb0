"""`python -m services.notify serve | migrate`."""

import sys

from shared.kit.service import main

if __name__ == "__main__":
    sys.exit(main("notify"))
