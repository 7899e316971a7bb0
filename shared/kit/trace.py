"""W3C trace context that travels from a request through outbox rows and messages to whatever follows.

Every log line carries the trace id of what it is about, so one search over the logs of all services shows the way of a
row. Work that is done for many askers at once goes on with the trace of the first and links the others (`Joint`).
"""

import re
import secrets
from collections import deque
from collections.abc import Hashable
from contextvars import ContextVar

HEADER = "traceparent"
_FORM = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_current: ContextVar[str | None] = ContextVar("traceparent", default=None)


def start(incoming: str | None = None) -> str:
    """Go on with the caller's trace when it is well formed, else begin one; a new span id either way."""
    drawn = secrets.token_hex(24)
    trace_id = incoming[3:35] if incoming and _FORM.fullmatch(incoming) else drawn[16:]
    value = f"00-{trace_id}-{drawn[:16]}-01"
    _current.set(value)
    return value


def current() -> str | None:
    """The trace context of the running task, if any."""
    return _current.get()


def trace_id() -> str | None:
    """The id all spans of the running task's trace share, if it has one."""
    value = _current.get()
    return value[3:35] if value else None


class Joint:
    """Where work that was asked for one by one is done together.

    Each asker leaves his trace at a place (a shard, a queue); whoever does the work there picks them up. Kept in
    memory: after a restart, or in another process, the work begins a trace of its own.
    """

    def __init__(self, most: int = 16) -> None:
        self._most = most
        self._left: dict[Hashable, deque[str]] = {}

    def leave(self, place: Hashable) -> None:
        """Leave the trace of the running task at `place`; the newest `most` are kept."""
        value = _current.get()
        if value:
            self._left.setdefault(place, deque(maxlen=self._most)).append(value)

    def pick_up(self, place: Hashable) -> list[str]:
        """Go on with the oldest trace left at `place` in the running task; ids of the others that are joined to it."""
        left = list(self._left.pop(place, ()))
        start(left[0] if left else None)
        mine = trace_id()
        return [other for other in dict.fromkeys(value[3:35] for value in left) if other != mine]
