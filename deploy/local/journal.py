"""One log file a process, and listeners that hear every line."""

import contextlib
import json
import re
from collections import deque
from collections.abc import Callable
from itertools import dropwhile
from pathlib import Path
from typing import TextIO

Listener = Callable[[str, str], None]
"""Called with the name of the process and one line without its end."""

STACK = "wugan"
"""The name under which the stack itself speaks."""

_KEEP_BYTES = 16 * 2**20
_LAST_LINES = 20
_FRAME = '  File "'
_OUR_CLASS = re.compile(r"^(?:services|shared)(?:\.\w+)+: ")


class Journal:
    """Keeps what every process says in `folder/<name>.log`, which starts over once it has grown large."""

    def __init__(self, folder: Path, listener: Listener | None = None) -> None:
        self._folder = folder
        self._listener = listener
        self._files: dict[str, TextIO] = {}
        self._last: dict[str, deque[str]] = {}
        self._unwritten: set[str] = set()

    def path(self, name: str) -> Path:
        """The file of one process."""
        return self._folder / f"{name}.log"

    def line(self, name: str, text: str) -> None:
        """A process said a line; a disk that takes no more loses lines, not the processes that say them."""
        self._last.setdefault(name, deque(maxlen=_LAST_LINES)).append(text)
        try:
            file = self._files.get(name) or self._open(name)
            file.write(text + "\n")
            file.flush()
            self._unwritten.discard(name)
        except OSError as error:
            self._give_up(name, error)
        if self._listener:
            self._listener(name, text)

    def say(self, text: str) -> None:
        """The stack itself says something."""
        self.line(STACK, text)

    def last(self, name: str) -> str:
        """The last error a process told, or whatever it said last: its farewell does not say why it goes."""
        said = [line.strip() for line in self._last.get(name, ()) if line.strip()]
        errors = [line for line in said if '"level":"error"' in line and "Exiting." not in line]
        return _sentence((errors or said or [""])[-1])

    def close(self) -> None:
        """Close the files; a later line opens its file again."""
        for file in self._files.values():
            with contextlib.suppress(OSError):
                file.close()
        self._files.clear()

    def _give_up(self, name: str, error: OSError) -> None:
        # The next line opens it anew: there may be room again.
        if file := self._files.pop(name, None):
            with contextlib.suppress(OSError):
                file.close()
        if self._listener and not self._unwritten:
            self._listener(STACK, f"{self.path(name)} takes no more lines ({error.strerror}): make room on the disk")
        self._unwritten.add(name)

    def _open(self, name: str) -> TextIO:
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and path.stat().st_size > _KEEP_BYTES:
            path.replace(path.with_suffix(".log.1"))
        file = self._files[name] = path.open("a", encoding="utf-8")
        return file


def _sentence(line: str) -> str:
    """What a line says: of a traceback how it ends, and of an error of ours, which names file and key, its words."""
    said = {}
    if line.startswith('{"'):
        with contextlib.suppress(ValueError):
            said = json.loads(line)
    trace = next((text for key in ("exception", "event") if _FRAME in (text := str(said.get(key, "")))), "")
    _, _, after = trace.rpartition(_FRAME)
    # The rest of the frame's own line, then its source, which is indented further than any message begins.
    told = dropwhile(lambda each: each.startswith("    "), after.splitlines()[1:])
    return _OUR_CLASS.sub("", " ".join(each.strip() for each in told) or line)
