"""Certificate references: what one client may quote to see a certificate again, worthless to every other client."""

import base64
import binascii
from hashlib import blake2b
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

_LENGTH = 32


class References:
    """Deterministic authenticated encryption (AES-SIV) of subject and certificate, bound to the client."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESSIV(blake2b(key, digest_size=32, person=b"certificate-ref").digest())

    def seal(self, client_id: str, subject: UUID, certificate_id: UUID) -> str:
        """The reference one client gets; the same each time, so that it serves as an entity tag."""
        sealed = self._cipher.encrypt(subject.bytes + certificate_id.bytes, [client_id.encode()])
        return base64.urlsafe_b64encode(sealed).decode()

    def seal_many(self, client_id: str, pairs: bytes) -> list[str]:
        """References of many; `pairs` is subject and certificate, 32 bytes each."""
        encrypt, bound = self._cipher.encrypt, [client_id.encode()]
        sealed = (encrypt(pairs[at : at + _LENGTH], bound) for at in range(0, len(pairs), _LENGTH))
        return [base64.urlsafe_b64encode(each).decode() for each in sealed]

    def seal_cursor(self, client_id: str, place: int) -> str:
        """A place in the feed as one client carries it."""
        sealed = self._cipher.encrypt(place.to_bytes(8, "big"), [client_id.encode(), b"cursor"])
        return base64.urlsafe_b64encode(sealed).decode()

    def open_cursor(self, client_id: str, cursor: str) -> int | None:
        """The place of a cursor; None for what this client was never given."""
        try:
            plain = self._cipher.decrypt(base64.urlsafe_b64decode(cursor), [client_id.encode(), b"cursor"])
        except (InvalidTag, binascii.Error, ValueError):
            return None
        return int.from_bytes(plain, "big")

    def open(self, client_id: str, reference: str) -> tuple[UUID, UUID] | None:
        """Subject and certificate of a reference; None for what this client was never given."""
        try:
            plain = self._cipher.decrypt(base64.urlsafe_b64decode(reference), [client_id.encode()])
        except (InvalidTag, binascii.Error, ValueError):
            return None
        if len(plain) != _LENGTH:
            return None
        return UUID(bytes=plain[:16]), UUID(bytes=plain[16:])
