"""Signatures of Standard Webhooks 1.0.0: over id, timestamp and the raw bytes of the body, several keys at a time."""

import base64
import binascii
import hmac
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Final

ID: Final = "webhook-id"
TIMESTAMP: Final = "webhook-timestamp"
SIGNATURE: Final = "webhook-signature"
PREFIX: Final = "whsec_"
TOLERANCE_SECONDS: Final = 300


class SignatureError(Exception):
    """Not signed by anyone we know, or too long ago."""


def secret_bytes(secret: str) -> bytes:
    """The key in a `whsec_…` secret.

    Raises:
        SignatureError: not base64.
    """
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        msg = "the secret is not base64 after whsec_"
        raise SignatureError(msg) from error


def new_secret(raw: bytes) -> str:
    """The written form of a key of 24 to 64 random bytes."""
    return PREFIX + base64.b64encode(raw).decode()


def sign(secrets: Iterable[str], *, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers; one signature for each secret, newest first, so that a key change is never a gap."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    marks = [base64.b64encode(hmac.digest(secret_bytes(secret), signed, sha256)).decode() for secret in secrets]
    return {ID: message_id, TIMESTAMP: str(timestamp), SIGNATURE: " ".join(f"v1,{mark}" for mark in marks)}


def verify(secrets: Iterable[str], *, headers: Mapping[str, str], body: bytes, now: int) -> str:
    """The id of a message whose signature holds under one of the secrets.

    Args:
        secrets: any of them may have signed.
        headers: with lower-case names.
        body: as it came.
        now: seconds since 1970; five minutes of difference are allowed.

    Raises:
        SignatureError: a header is missing, the time is off, or no signature fits.
    """
    message_id, stamp = headers.get(ID, ""), headers.get(TIMESTAMP, "")
    if not message_id or not stamp.isascii() or not stamp.isdigit():
        msg = "the webhook headers are missing"
        raise SignatureError(msg)
    if abs(now - int(stamp)) > TOLERANCE_SECONDS:
        msg = "the signature is too old or from the future"
        raise SignatureError(msg)
    signed = f"{message_id}.{stamp}.".encode() + body
    given = [part.removeprefix("v1,").encode() for part in headers.get(SIGNATURE, "").split() if part.startswith("v1,")]
    for secret in secrets:
        expected = base64.b64encode(hmac.digest(secret_bytes(secret), signed, sha256))
        if any(hmac.compare_digest(expected, mark) for mark in given):
            return message_id
    msg = "no signature fits"
    raise SignatureError(msg)
