"""Places in a list that a caller hands back: opaque, signed, and good for the same question by the same caller only."""

import base64
import binascii
import hmac
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final
from uuid import UUID

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MARK: Final = 12
_LENGTH: Final = 8 + 16 + _MARK
NEWEST: Final = (datetime(9999, 1, 1, tzinfo=UTC), UUID(int=2**128 - 1))
"""The place before the newest message."""


class CursorError(ValueError):
    """A cursor that was changed, or belongs to another question or caller."""


def encode(key: bytes, question: str, place: tuple[datetime, UUID]) -> str:
    """The cursor of a place; `question` is what the list was asked by, with the caller."""
    micros = (place[0] - _EPOCH) // timedelta(microseconds=1)
    body = micros.to_bytes(8, "big") + place[1].bytes
    return base64.urlsafe_b64encode(body + _mark(key, question, body)).decode().rstrip("=")


def decode(key: bytes, question: str, cursor: str) -> tuple[datetime, UUID]:
    """The place of a cursor.

    Raises:
        CursorError: it is not one of ours for this question.
    """
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except (binascii.Error, ValueError) as error:
        raise CursorError from error
    body, mark = raw[:-_MARK], raw[-_MARK:]
    if len(raw) != _LENGTH or not hmac.compare_digest(mark, _mark(key, question, body)):
        raise CursorError
    return _EPOCH + timedelta(microseconds=int.from_bytes(body[:8], "big")), UUID(bytes=body[8:])


def _mark(key: bytes, question: str, body: bytes) -> bytes:
    return hmac.digest(key, question.encode() + b"\0" + body, sha256)[:_MARK]
