"""Children are watched, started again, stopped within limits, and never outlive their parent."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.local import processes
from deploy.local.errors import DiedError, KeepsDyingError, NotReadyError
from deploy.local.journal import Journal
from deploy.local.processes import Child, ChildSpec, run_once

LIVES = "import signal; open('lives', 'a').write('x'); print('here', flush=True); signal.pause()"
STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); open('lives', 'a').write('x'); time.sleep(60)"

BROKEN = """Traceback (most recent call last):
  File "policies.py", line 7, in parse
    return read()
           ^^^^^^
ValueError: 1 fault

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "policies.py", line 9, in parse
    raise PolicyError(msg) from error
services.scoring.policies.PolicyError: v3.toml: from: missing;
  days: 1?
"""


def spec(folder: Path, code: str, **options: Any) -> ChildSpec:
    async def ready() -> bool:
        return (folder / "lives").exists()

    facts: dict[str, Any] = {"name": "child", "ready": ready, "env": dict(os.environ), "cwd": folder}
    return ChildSpec(**{**facts, "argv": (sys.executable, "-c", code), **options})


def gone(pid: int | None) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
    except FileNotFoundError:
        return True


async def until(condition: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never happened"
        await asyncio.sleep(0.02)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "logs")
    yield journal
    journal.close()


async def test_a_killed_child_is_said_and_started_again(tmp_path, journal):
    child = Child(spec(tmp_path, LIVES), journal)
    await child.start()
    first = child.pid
    child.kill()
    await child.wait_ready()
    await until(lambda: (tmp_path / "lives").read_text() == "xx")
    assert child.pid != first
    assert "was ended by SIGKILL; it is started again" in journal.path("wugan").read_text()
    await child.stop()
    assert child.pid is None


async def test_a_child_that_ends_before_it_is_ready_is_told_with_its_last_words(tmp_path, journal):
    child = Child(spec(tmp_path, "import sys; sys.exit('no such table')"), journal)
    with pytest.raises(DiedError, match=r"child ended with code 1 before it was ready, saying “no such table”"):
        await child.start()


async def test_a_child_that_never_becomes_ready_is_told_and_ended(tmp_path, journal):
    child = Child(spec(tmp_path, "import time; time.sleep(60)", ready_seconds=0.2), journal)
    with pytest.raises(NotReadyError):
        await child.start()
    assert child.pid is None


async def test_a_child_that_keeps_dying_is_given_up_with_one_sentence(tmp_path, journal, monkeypatch):
    monkeypatch.setattr(processes, "_LONGEST_PAUSE_SECONDS", 0.01)
    failures: list[BaseException] = []
    lives, seen = tmp_path / "lives", tmp_path / "seen"
    code = "import os, time; open('lives', 'a').write('x')\nwhile not os.path.exists('seen'): time.sleep(0.01)"

    async def ready() -> bool:
        if there := lives.exists():
            seen.touch()  # now it may die: before it was ready, that would be another failure
        return bool(there)

    child = Child(spec(tmp_path, code, ready=ready), journal, failures.append)
    await child.start()
    await until(lambda: failures)
    assert isinstance(failures[0], KeepsDyingError)
    assert "ended 6 times within" in str(failures[0])
    await child.stop()


async def test_a_child_that_ignores_the_polite_signal_is_killed_in_time(tmp_path, journal):
    child = Child(spec(tmp_path, STUBBORN, stop_seconds=0.3), journal)
    await child.start()
    pid, started = child.pid, time.monotonic()
    await child.stop()
    assert time.monotonic() - started < 30  # of the minute it would like
    assert gone(pid)


async def test_lines_of_any_length_reach_the_journal(tmp_path, journal):
    code = await run_once(spec(tmp_path, "print('a' * 3_000_000); print('b')"), journal)
    assert code == 0
    assert journal.last("child") == "b"
    assert journal.path("child").read_text().count("a") == 3_000_000


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (
            [
                '{"event":"up","level":"info"}',
                '{"event":"port in use","level":"error"}',
                '{"event":"bye","level":"info"}',
            ],
            1,
        ),
        (['{"event":"no key","level":"error"}', '{"event":"startup failed. Exiting.","level":"error"}'], 0),
        (["settings are not usable", ""], 0),
        ([json.dumps({"event": BROKEN, "level": "error"}, separators=(",", ":"))], "v3.toml: from: missing; days: 1?"),
        (["KeyError: 'x'"], 0),
    ],
)
def test_the_last_error_is_told_not_the_farewell(journal, lines, why):
    for line in lines:
        journal.line("child", line)
    assert journal.last("child") == (lines[why] if isinstance(why, int) else why)


async def test_children_do_not_outlive_a_parent_that_was_killed(tmp_path):
    code = f"""
import asyncio, os, sys, time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from deploy.local.journal import Journal
from deploy.local.processes import Child, ChildSpec
async def ready(): return True
async def main():
    folder = Path({str(tmp_path)!r})
    child = Child(ChildSpec(name="c", argv=(sys.executable, "-c", "import time; time.sleep(60)"), env=dict(os.environ),
                            cwd=folder, ready=ready), Journal(folder))
    await child.start()
    print(child.pid, flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout
    pid = int(await parent.stdout.readline())
    assert not gone(pid)
    parent.send_signal(signal.SIGKILL)
    await parent.wait()
    await until(lambda: gone(pid))
