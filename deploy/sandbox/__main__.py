"""`python -m deploy.sandbox --port 8090 --data FOLDER`: run the sandbox until it is told to stop."""

import argparse
import os
from pathlib import Path

import uvicorn

from deploy.sandbox.app import SandboxOptions, create_app


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m deploy.sandbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--data", type=Path, default=None, help="folder that keeps what was sent; none: in memory")
    parser.add_argument("--callback", default="", help="where receipts go, e.g. http://127.0.0.1:8005/v1/receipts/sms")
    told = parser.parse_args()
    options = SandboxOptions(
        data=told.data,
        callback=told.callback,
        # By environment: a command line can be read by every user of the machine.
        secret=os.environ.get("WUGAN_SANDBOX_RECEIPT_SECRET", ""),
        token=os.environ.get("WUGAN_SANDBOX_TOKEN", ""),
    )
    uvicorn.run(create_app(options), host=told.host, port=told.port, access_log=False, log_level="warning")


if __name__ == "__main__":
    main()
