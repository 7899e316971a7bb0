"""A command as somebody types it: on a terminal of its own, which is read as he would."""

import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

_COLOURS = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


@contextmanager
def on_a_terminal(*words: str, told: Mapping[str, str]) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A `wugan` command with these variables; the process, and our end of its terminal."""
    ours, theirs = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WUGAN_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "deploy.cli", *words], stdin=theirs, stdout=theirs, stderr=theirs,
        env=environment | {"TERM": "xterm-256color", "COLUMNS": "160", "LINES": "60", **told}, start_new_session=True,
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
