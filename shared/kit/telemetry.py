"""Logs as JSON lines without a person in them, and the metrics every service has."""

import logging
import re
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from functools import lru_cache
from typing import Any, TextIO

import orjson
import structlog
from prometheus_client import Counter, Gauge, Histogram

from shared.kit import trace

HTTP_SECONDS = Histogram("http_request_seconds", "Time to answer", ["method", "route", "status"])
MESSAGES_HANDLED = Counter("bus_messages_handled_total", "Messages handled and committed", ["consumer"])
MESSAGES_RETRIED = Counter("bus_messages_retried_total", "Messages given back for another try", ["consumer"])
MESSAGE_SECONDS = Histogram("bus_message_seconds", "Time to handle one message", ["consumer"])
INBOX_DUPLICATES = Counter("inbox_duplicates_total", "Messages that had been handled before", ["consumer"])
CONSUMER_PENDING = Gauge("bus_consumer_pending", "Messages not yet delivered to a consumer", ["consumer"])
CONSUMER_UNACKNOWLEDGED = Gauge(
    "bus_consumer_unacknowledged", "Messages delivered to a consumer and not yet acknowledged", ["consumer"]
)
DEAD_LETTERS_WAITING = Gauge("dead_letters_waiting", "Parked messages nobody has redriven")
DEAD_LETTERS = Counter("dead_letters_total", "Messages parked in the dead-letter table", ["consumer"])
OUTBOX_PENDING = Gauge("outbox_pending", "Outbox rows not yet published")
OUTBOX_OLDEST = Gauge("outbox_oldest_age_seconds", "Age of the oldest outbox row not yet published")
OUTBOX_PUBLISHED = Counter("outbox_published_total", "Outbox rows published and acknowledged")

MASK = "‹masked›"
# Full-width characters and what looks like a space or a hyphen, one for one: what is found in the folded text stands at
# the same place in the original.
_FOLD = {
    **{wide: wide - 0xFEE0 for wide in (*range(0xFF10, 0xFF1A), *map(ord, "Ｘｘ＋－．／＿"))},
    **dict.fromkeys(map(ord, "\u00a0\u00ad\u2002\u2003\u2009\u200b\u200c\u200d\u202f\u2060\u3000\ufeff"), ord(" ")),
    **dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u00b7\u30fb"), ord("-")),
}
_FOLDABLE = re.compile(f"[{''.join(map(chr, _FOLD))}]")
_APART = r"[ \t/._-]{0,3}"
# Everything to be masked has eleven digits in a row, with no more than that between them; few lines have.
_LONG = re.compile(rf"[0-9](?:{_APART}[0-9]){{10}}")
_PROVINCE = "(?:1~[1-5]|2~[1-3]|3~[1-7]|4~[1-6]|5~[0-4]|6~[1-5]|7~1|8~[1-3])"
_MONTH_DAY = "(?:0~[1-9]|1~[0-2])~(?:0~[1-9]|[12]~[0-9]|3~[01])"
# Written in one, 18 or 15 digits could be a citizen id whatever they say; written apart they are one only with a
# province (GB/T 2260) and a day of birth in their places (GB 11643), for ordinary numbers stand side by side too.
_IDS = (
    r"[1-9][0-9]{5}[ -]?[0-9]{8}[ -]?[0-9]{3}[0-9Xx]|[1-9][0-9]{14}"
    rf"|{_PROVINCE}(?:~[0-9]){{4}}~(?:1~[89]|2~0)(?:~[0-9]){{2}}~{_MONTH_DAY}(?:~[0-9]){{3}}~[0-9Xx]"
    rf"|{_PROVINCE}[0-9]{{4}}[ /._-]~[0-9]{{2}}{_MONTH_DAY}[ /._-]~[0-9]{{3}}"
).replace("~", _APART)
_PHONES = (
    r"(?:(?:\+|00)?86[ -]{0,2})?1[3-9](?:[0-9]{9}|[0-9][ /._-]{1,3}[0-9]{4}[ /._-]{1,3}[0-9]{4}"
    r"|[0-9]{2}[ -][0-9]{3}[ -][0-9]{4}|[0-9]{5}-[0-9]{4}"
    r"|[0-9][ -](?!(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])(?![0-9]))[0-9]{8})"
)
# Ids of rows, traces and hashes are nobody's; first, so that no part of one is taken for something else.
_KEPT = r"(?<![0-9A-Za-z])(?:[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|(?:[0-9a-f]{32}){1,2})(?![0-9A-Za-z])"
_SECRET = re.compile(rf"(?P<kept>{_KEPT})|(?<![0-9])(?:{_IDS}|{_PHONES})(?![0-9])")
_ELEVEN, _ELEVEN_DIGITS = 11, 10**10
_PERSONAL_KEYS = frozenset({"name", "citizen_id", "phone", "family_phone", "address", "id_no", "card_no"})

EventDict = MutableMapping[str, Any]


@lru_cache(maxsize=1024)
def http_seconds(method: str, route: str, status: int) -> Histogram:
    """Where the time of such an answer is counted; looked up once, for the library's own look-up costs a lock."""
    return HTTP_SECONDS.labels(method, route, str(status))


def mask_text(text: str) -> str:
    """`text` with everything that looks like a citizen id or a phone number masked."""
    if len(text) < _ELEVEN:
        return text
    folded = text if text.isascii() or not _FOLDABLE.search(text) else text.translate(_FOLD)
    if not _LONG.search(folded):
        return text
    kept, end = [], 0
    for found in _SECRET.finditer(folded):
        if found.lastgroup is None:
            kept += [text[end : found.start()], MASK]
            end = found.end()
    return "".join([*kept, text[end:]]) if kept else text


def mask_value(value: object) -> object:
    """`value` masked through lists and mappings; keys that name a person's data lose their value whole."""
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return MASK if value >= _ELEVEN_DIGITS and mask_text(str(value)) != str(value) else value
    if isinstance(value, dict):
        return {mask_text(str(key)): MASK if key in _PERSONAL_KEYS else mask_value(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [mask_value(each) for each in value]
    # Whatever else there is (bytes, exceptions, objects) leaves as text, so it is masked as text.
    return value if value is None or isinstance(value, bool | float) else mask_text(str(value))


def mask_processor(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Structlog processor: no id number, phone or name leaves in a log line."""
    for key, value in event.items():
        if key in _PERSONAL_KEYS:
            event[key] = MASK
        elif not isinstance(value, str) or len(value) >= _ELEVEN:
            event[key] = mask_value(value)
    return event


def _render(_logger: object, _method: str, event: EventDict) -> str:
    return orjson.dumps(event, default=str).decode()


class _Lines:
    """Where our own finished lines go: the sink of every library's, without the library's record in between.

    Each answer writes a line, and two thirds of what one costs are the record.
    """

    def __init__(self, sink: "logging.StreamHandler[TextIO]", name: str) -> None:
        self._sink = sink
        self.name = name

    def info(self, line: str) -> None:
        """Write a line; one that cannot be written stops nobody's work."""
        sink = self._sink
        with suppress(OSError, ValueError):
            sink.acquire()
            try:
                sink.stream.write(line + sink.terminator)
                sink.stream.flush()
            finally:
                sink.release()

    debug = warning = error = critical = info


def configure_logging(service: str, level: str) -> None:
    """JSON lines on standard output for our own loggers and for every library's."""
    handler = logging.StreamHandler(sys.stdout)
    chain: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _named(service),
        _traced,
        mask_processor,
    ]
    structlog.configure(
        processors=[*chain, _render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda name: _Lines(handler, name),
        cache_logger_on_first_use=True,
    )
    # Masking stands last, after %-formatting and tracebacks, so that no library's line escapes it.
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=chain[:-1],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, mask_processor, _render],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for noisy in ("uvicorn.access", "httpx", "httpcore", "nats", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    for own in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(own).handlers[:] = []
        logging.getLogger(own).propagate = True


def _traced(_logger: object, _method: str, event: EventDict) -> EventDict:
    if found := trace.trace_id():
        event["trace_id"] = found
    return event


def _named(service: str) -> Any:  # noqa: ANN401  (a structlog processor)
    def add(_logger: object, _method: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    return add
