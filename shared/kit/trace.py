"""W3C trace context that travels from a request through outbox rows and messages to whatever follows."""

import re
import secrets
from contextvars import ContextVar

HEADER = "traceparent"
_FORM = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_current: ContextVar[str | None] = ContextVar("traceparent", default=None)


def start(incoming: str | None = None) -> str:
    """Go on with the caller's trace when it is well formed, else begin one; a new span id either way."""
    trace_id = incoming[3:35] if incoming and _FORM.fullmatch(incoming) else secrets.token_hex(16)
    value = f"00-{trace_id}-{secrets.token_hex(8)}-01"
    _current.set(value)
    return value


def current() -> str | None:
    """The trace context of the running task, if any."""
    return _current.get()
