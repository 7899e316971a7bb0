"""One view of everybody's log lines: short and coloured on a terminal, raw JSON lines elsewhere."""

import json
import os
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, TextIO

from deploy.local import caddy, nats, postgres
from deploy.local.journal import STACK
from shared.kit.clock import SystemClock

_COLOURS = {
    STACK: "1",
    "ingest": "36",
    "scoring": "35",
    "grid": "32",
    "recognition": "34",
    "notify": "33",
    caddy.NAME: "90",
    nats.NAME: "90",
    postgres.NAME: "90",
}
_LEVELS = {"warning": "33", "error": "31", "critical": "31;1", "warn": "33", "fatal": "31;1", "panic": "31;1"}
_HIDDEN = frozenset({"event", "level", "logger", "timestamp", "service", "exception", "ts", "msg"})
# Servers talk about themselves all day; on a terminal only their trouble is worth a line. The files have it all.
_TROUBLE = {
    postgres.NAME: re.compile(r" (?:ERROR|FATAL|PANIC):"),
    nats.NAME: re.compile(r"\[(?:ERR|FTL)\]"),
    caddy.NAME: re.compile(r'"level":"(?:error|fatal|panic)"'),
}
_LONGEST_VALUE = 120


class LogView:
    """A listener that prints.

    Args:
        out: where to.
        terminal: short and coloured lines; by default as `out` is a terminal.
    """

    def __init__(self, out: TextIO, *, terminal: bool | None = None) -> None:
        self._out = out
        self._terminal = out.isatty() if terminal is None else terminal
        self._coloured = self._terminal and "NO_COLOR" not in os.environ

    def line(self, name: str, text: str) -> None:
        """One line of one process."""
        shown = self._short(name, text) if self._terminal else raw(name, text)
        if shown:
            self._out.write(shown + "\n")
            self._out.flush()

    def _short(self, name: str, text: str) -> str | None:
        trouble = _TROUBLE.get(name)
        if trouble and not trouble.search(text):
            return None
        entry = _entry(text)
        at = _local_time(entry.get("timestamp"))
        level = str(entry.get("level", "")).lower()
        if not entry:
            return f"{at} {self._paint(name.ljust(12), _colour(name))} {text}"
        details = " ".join(f"{key}={_value(value)}" for key, value in entry.items() if key not in _HIDDEN)
        said = self._paint(str(entry.get("event") or entry.get("msg") or ""), _LEVELS.get(level))
        lines = [f"{at} {self._paint(name.ljust(12), _colour(name))} {said} {self._paint(details, '2')}".rstrip()]
        if entry.get("exception"):
            lines.append(str(entry["exception"]))
        return "\n".join(lines)

    def _paint(self, text: str, colour: str | None) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if colour and text and self._coloured else text


def raw(name: str, text: str) -> str:
    """The line as it came if it is JSON with its service, else made into such a line."""
    entry = _entry(text)
    if entry.get("service"):
        return text
    return json.dumps({"service": name, **(entry or {"event": text})}, ensure_ascii=False)


def _entry(text: str) -> Mapping[str, Any]:
    if not text.startswith("{"):
        return {}
    try:
        said = json.loads(text)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _local_time(stamp: object) -> str:
    try:
        at = datetime.fromisoformat(str(stamp))
    except ValueError:
        at = SystemClock().now()
    return at.astimezone().strftime("%H:%M:%S")


def _value(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


def _colour(name: str) -> str | None:
    return _COLOURS.get(name) or _COLOURS.get(name.rsplit("-", 1)[0])
