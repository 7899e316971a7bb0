"""`wugan up` as a person meets it: one command, one Ctrl-C, one sentence when it cannot."""

import asyncio
import json
import os
import secrets
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from deploy.local.clients import SERVICES
from deploy.local.folder import DataFolder
from deploy.local.ports import HOST, plan
from deploy.local.probes import is_free

pytestmark = [pytest.mark.db, pytest.mark.bus]
ROOT = Path(__file__).parents[3]
CODE = """
import sys
from pathlib import Path
from typing import Any
from deploy.local.stack import StackOptions
from deploy.local.up import run
fakes = dict.fromkeys(("ingest", "scoring", "grid", "recognition", "notify"), "tests.support.fake_service")
sys.exit(run(StackOptions(data=Path(sys.argv[1]), port_base=int(sys.argv[2]), modules=fakes, database_url=None, nats_url=None)))
"""


def base_port() -> int:
    for _ in range(50):
        # Below those the system gives to whoever connects, which other tests do meanwhile.
        base = 10_000 + secrets.randbelow(20_000)
        if all(is_free(HOST, port) for _, port in plan(base, SERVICES, {}).named()):
            return base
    pytest.skip("no nine free ports in a row")


@asynccontextmanager
async def started(folder: Path, base: int) -> AsyncIterator[Process]:
    up = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", CODE, str(folder), str(base)),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield up
    finally:
        if up.returncode is None:
            up.kill()
        await up.communicate()


async def until_ready(up: Process) -> list[dict[str, Any]]:
    assert up.stdout
    assert up.stderr
    lines: list[dict[str, Any]] = []
    while line := await up.stdout.readline():
        lines.append(json.loads(line))
        if "Ctrl-C" in lines[-1].get("event", ""):
            return lines
    raise AssertionError((lines, (await up.stderr.read()).decode()))


def listening(base: int) -> list[str]:
    return [name for name, port in plan(base, SERVICES, {}).named() if not is_free(HOST, port)]


async def stopped_by(up: Process, number: signal.Signals, base: int) -> bytes:
    """What it still says after one polite signal."""
    up.send_signal(number)
    out, err = await up.communicate()
    assert (up.returncode, err) == (0, b"")
    assert not listening(base)
    return out


async def test_kill_9_ctrl_c_and_a_full_disk_leave_nothing_running_and_the_next_start_goes_on(tmp_path):
    # One folder for all three: what costs the time is making it.
    base = base_port()
    async with started(tmp_path, base) as up:
        assert any(line.get("starts") == 1 for line in await until_ready(up))
        up.kill()
        await up.wait()
    async with started(tmp_path, base) as up:
        assert any(line.get("starts") == 2 for line in await until_ready(up))
        assert b"the data stay in" in await stopped_by(up, signal.SIGINT, base)
    # A disk that takes no more lines fails neither the platform nor its stop.
    for name in ("wugan", "nats", "postgres", *SERVICES):
        (DataFolder(tmp_path).logs / f"{name}.log").unlink()
        (DataFolder(tmp_path).logs / f"{name}.log").symlink_to("/dev/full")
    async with started(tmp_path, base) as up:
        lines = await until_ready(up)
        assert any(line.get("starts") == 3 for line in lines)
        (told,) = [line["event"] for line in lines if "takes no more lines" in line.get("event", "")]
        assert "No space left on device" in told
        await stopped_by(up, signal.SIGTERM, base)


async def test_a_stop_in_the_middle_of_the_start_is_clean(tmp_path):
    base = base_port()
    async with started(tmp_path, base) as up:
        assert up.stdout
        await up.stdout.readline()
        await stopped_by(up, signal.SIGINT, base)


async def test_trouble_is_one_sentence_and_exit_code_1(tmp_path):
    base = base_port()
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), HOST, base + 3)
    async with started(tmp_path, base) as up:
        _, err = await up.communicate()
    server.close()
    assert up.returncode == 1
    assert err.decode() == (
        f"wugan: Port {base + 3}, wanted by grid, is in use by another program: "
        "stop that program or choose other ports with --port-base.\n"
    )
