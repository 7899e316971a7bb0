"""W3C trace context that travels from a request through outbox rows and messages to whatever follows.

Every log line carries the trace id of what it is about, so one search over the logs of all services shows the way of a
row. Work that is done for many askers at once goes on with the trace of the first and links the others (`Joint`).
Pieces of work are spans; they are kept only where a recorder is at work (`shared.kit.spans`).
"""

import re
import secrets
from collections import deque
from collections.abc import Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal, Protocol

HEADER = "traceparent"
_FORM = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_current: ContextVar[str | None] = ContextVar("traceparent", default=None)

Kind = Literal["server", "client", "producer", "consumer", "internal"]
Attributes = Mapping[str, str | int]


class Recorder(Protocol):
    """Keeps spans."""

    def begin(self, name: str, kind: Kind, parent: str | None, links: Iterable[str], attributes: Attributes) -> "Begun":
        """Begin a span under `parent`, or a trace."""
        ...


class Begun(Protocol):
    """A span that has begun.

    Attributes:
        context: of the span, for what follows from it.
    """

    context: str

    def end(self, error: BaseException | None, name: str | None, attributes: Attributes) -> None:
        """End it, perhaps under a better name than it began with."""
        ...


class Piece:
    """A piece of work under way; what is learnt on the way may be noted.

    Attributes:
        name: a better name than it began with.
        attributes: what is known of it; never a person's data.
    """

    __slots__ = ("attributes", "name")

    def __init__(self) -> None:
        self.name: str | None = None
        self.attributes: dict[str, str | int] = {}


_recorders: list[Recorder] = []


def record_with(recorder: Recorder | None) -> None:
    """Keep spans from now on, or no longer."""
    _recorders[:] = [recorder] if recorder else []


def recorded() -> bool:
    """Whether spans are kept."""
    return bool(_recorders)


def well_formed(incoming: str | None) -> str | None:
    """A trace context that can be gone on with; None for anything else."""
    return incoming if incoming and _FORM.fullmatch(incoming) else None


def start(incoming: str | None = None) -> str:
    """Go on with the caller's trace when it is well formed, else begin one; a new span id either way."""
    known, drawn = well_formed(incoming), secrets.token_hex(24)
    value = f"00-{known[3:35] if known else drawn[16:]}-{drawn[:16]}-01"
    _current.set(value)
    return value


def resume(context: str | None) -> None:
    """Let the running task go on in a span that was left."""
    _current.set(context)


@contextmanager
def span(
    name: str,
    *,
    parent: str | None,
    kind: Kind = "internal",
    links: Iterable[str] = (),
    attributes: Attributes | None = None,
) -> Iterator[Piece]:
    """A piece of work under `parent`, a trace of its own without one; what is said inside carries its context."""
    before, piece = _current.get(), Piece()
    if not _recorders:
        start(parent)
        try:
            yield piece
        finally:
            _current.set(before)
        return
    begun = _recorders[0].begin(name, kind, well_formed(parent), links, attributes or {})
    _current.set(begun.context)
    failure: BaseException | None = None
    try:
        yield piece
    except BaseException as error:
        failure = error
        raise
    finally:
        _current.set(before)
        begun.end(failure, piece.name, piece.attributes)


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

    def pick_up(self, place: Hashable) -> tuple[str | None, list[str]]:
        """The oldest trace left at `place`, to go on with, and the others that are joined to it."""
        left = list(self._left.pop(place, ()))
        if not left:
            return None, []
        others = {value[3:35]: value for value in left[1:] if value[3:35] != left[0][3:35]}
        return left[0], list(others.values())
