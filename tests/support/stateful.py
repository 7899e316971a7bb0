"""`make fuzz`: Schemathesis with all its checks and its state machine against the running service, for some minutes.

A stack of its own with two people in a roster; a token lives fifteen minutes, so the time is spent in rounds.
"""

import argparse
import asyncio
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path

from deploy.local.programs import beside_python
from deploy.local.stack import LocalStack, StackOptions
from shared.kit.http import load_key
from tests.flows.partner_client import WHY, Partner

PROGRAM = "resident_pension"
SHE = "11010519491231002X"
ROSTER = ("身份证号,姓名,村居代码,待遇金额\n"
          f"{SHE},甲女士,341602001001,200.01\n340102194001010011,乙先生,341602001001,182.50\n")  # fmt: skip
ROUND_SECONDS = 200
CITIZEN = "demo-mobile"
CALLERS = ("demo-partner", "demo-officer", CITIZEN, "demo-operator")
CONFIG = Path(__file__).with_name("schemathesis.toml")
LEFT_OUT = r"^/(oauth|\.well-known)|^/v1/(flow|dead-letters|me)"
"""Without a token, of a citizen alone, or of the plumbing: the last is asked by other tests."""
EXCLUDED = "positive_data_acceptance"
"""No schema can say the check digit of an id, or that a day must not lie ahead: such requests are refused rightly."""


def main() -> int:
    """Zero when nothing broke."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    return asyncio.run(_fuzz(parser.parse_args().minutes * 60))


async def _fuzz(seconds: float) -> int:
    with tempfile.TemporaryDirectory(prefix="wugan-fuzz-") as folder:
        options = StackOptions(
            data=Path(folder), port_base=0, services=("ingest", "recognition"), durable=False, min_free_bytes=2**28,
            clock_at=datetime(2023, 11, 1, 1, tzinfo=UTC), database_url=None, nats_url=None,
            environment={
                "WUGAN_RECOGNITION_TOKEN_SECONDS": "900", "WUGAN_RECOGNITION_PEOPLE_PER_DAY": "1000000000",
                "WUGAN_RECOGNITION_PERSON_REQUESTS_PER_SECOND": "1000", "WUGAN_RECOGNITION_PERSON_BURST": "10000",
            },
        )  # fmt: skip
        async with LocalStack(options) as stack:
            base, broken = f"{stack.urls['gateway']}/api/recognition", 0
            await asyncio.to_thread(_fill, stack, base)
            for caller in cycle(CALLERS):
                broken |= await asyncio.to_thread(_round, stack, base, caller, min(seconds, ROUND_SECONDS))
                seconds -= ROUND_SECONDS
                if seconds <= 0:
                    return broken
    return 1


def _caller(stack: LocalStack, base: str, name: str) -> Partner:
    # Officers act under their own names, and behind the mobile back end stands one of the people of the roster.
    user = {"demo-officer": "officer-1", CITIZEN: SHE}.get(name)
    return Partner(base, name, load_key(Path(stack.folder.secrets) / "clients" / f"{name}.pem"), user)


def _fill(stack: LocalStack, base: str) -> None:
    caller = _caller(stack, base, "demo-operator")
    roster = f"{stack.urls['gateway']}/api/ingest/v1/programs/{PROGRAM}/roster?mode=full"
    caller.call("POST", roster, content=ROSTER.encode(), headers={"Content-Type": "text/csv"})
    caller.close()


def _paths(name: str) -> tuple[str, str]:
    return ("--include-path-regex", r"^/v1/me") if name == CITIZEN else ("--exclude-path-regex", LEFT_OUT)


def _round(stack: LocalStack, base: str, name: str, seconds: float) -> int:
    caller = _caller(stack, base, name)
    headers = {"Authorization": f"Bearer {caller.token()}", **WHY}
    caller.close()
    told = [part for name, value in headers.items() for part in ("--header", f"{name}: {value}")]
    command = [
        beside_python("schemathesis"), "--config-file", str(CONFIG), "run", f"{base}/openapi.json", "--url", base,
        "--checks", "all", "--exclude-checks", EXCLUDED, *_paths(name), "--max-time", str(int(seconds)),
        "--continue-on-failure", "--no-color", *told,
    ]  # fmt: skip
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
