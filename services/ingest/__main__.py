"""`python -m services.ingest serve | migrate`."""

import sys

from services.ingest.app import SERVICE
from shared.kit.service import main

if __name__ == "__main__":
    sys.exit(main(SERVICE))
