"""`wugan demo` as a newcomer types it: on a terminal, all programs and a source of each kind, until he presses Ctrl-C."""

import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

pytestmark = [pytest.mark.flow, pytest.mark.timeout(480)]
SOURCES = ("medins_pharmacy", "health_home_visit", "police_hukou_cancel", "prison_custody")
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


@contextmanager
def on_a_terminal(*words: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A command with a terminal of its own; its end of the terminal and ours."""
    ours, theirs = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WUGAN_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "deploy.cli", *words], stdin=theirs, stdout=theirs, stderr=theirs,
        env=environment | {"TERM": "xterm-256color", "COLUMNS": "160", "LINES": "60"}, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    try:
        yield process, ours
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def read_until(terminal: int, word: str) -> str:
    """What is said until this word, without colours."""
    said = ""
    while word not in said:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # Linux's way to say that the other end was closed
            break
        said += _COLOURS.sub("", piece.decode(errors="replace"))
    return said


def test_the_demo_draws_its_bars_shows_its_screen_stays_up_and_ends_by_ctrl_c(tmp_path: Path) -> None:
    chosen = [word for source in SOURCES for word in ("--source", source)]
    words = ("demo", "--data", str(tmp_path), "--scale", "0.001", "--port-base", "0", *chosen)
    with on_a_terminal(*words) as (process, terminal):
        said = read_until(terminal, "Ctrl-C stops it")
        assert "Ctrl-C stops it" in said, said[-2000:]
        for stage in ("31 rosters", "files of 26 departments", "people certified", "asking as a partner would"):
            assert stage in said
        assert "rows/s" in said
        assert "payments stopped: 0" in said
        found = re.search(r"gateway\s+(http://127\.0\.0\.1:\d+)", said)
        assert found
        assert httpx.get(f"{found[1]}/api/recognition/livez", timeout=10).status_code == 200
        os.killpg(process.pid, signal.SIGINT)
        read_until(terminal, "\0")
        assert process.wait(60) == 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{found[1]}/api/recognition/livez", timeout=10)
