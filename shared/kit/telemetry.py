"""Logs as JSON lines without a person in them, and the metrics every service has."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

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
# 18 or 15 digits that could be a citizen id, wherever they stand; phone numbers of the mainland.
_ID = re.compile(r"(?<!\d)(?:[1-9]\d{5}[ -]?\d{8}[ -]?\d{3}[\dXx]|[1-9]\d{14})(?!\d)")
_PHONE = re.compile(r"(?:(?<!\d)|(?<=\+86)|(?<=\b86))1[3-9]\d{9}(?!\d)")
_PERSONAL_KEYS = frozenset({"name", "citizen_id", "phone", "family_phone", "address", "id_no", "card_no"})

EventDict = MutableMapping[str, Any]


def mask_text(text: str) -> str:
    """`text` with everything that looks like a citizen id or a phone number masked."""
    return _PHONE.sub(MASK, _ID.sub(MASK, text))


def mask_value(value: object) -> object:
    """`value` masked through lists and mappings; keys that name a person's data lose their value whole."""
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return MASK if _ID.fullmatch(str(value)) or _PHONE.fullmatch(str(value)) else value
    if isinstance(value, dict):
        return {mask_text(str(key)): MASK if key in _PERSONAL_KEYS else mask_value(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [mask_value(each) for each in value]
    # Whatever else there is (bytes, exceptions, objects) leaves as text, so it is masked as text.
    return value if value is None or isinstance(value, bool | float) else mask_text(str(value))


def mask_processor(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Structlog processor: no id number, phone or name leaves in a log line."""
    for key, value in event.items():
        event[key] = MASK if key in _PERSONAL_KEYS else mask_value(value)
    return event


def _render(_logger: object, _method: str, event: EventDict) -> str:
    return orjson.dumps(event, default=str).decode()


def configure_logging(service: str, level: str) -> None:
    """JSON lines on standard output for our own loggers and for every library's."""
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
        processors=[
            structlog.stdlib.filter_by_level,
            *chain[:-1],
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
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
