"""Pseudonyms and sealed personal data: keyed hashing of ids into subjects, authenticated encryption of the vault."""

import base64
import os
from collections.abc import Iterable
from hashlib import blake2b
from typing import Self
from uuid import UUID

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr

_NONCE = 12
SUBJECT_BYTES = 16


class Pseudonymiser:
    """Keyed BLAKE2b-128: computed anywhere the key is, looked up nowhere."""

    def __init__(self, key: bytes, *, purpose: bytes = b"subject") -> None:
        self._key = key
        self._purpose = purpose

    @classmethod
    def from_hex(cls, key: SecretStr, *, purpose: bytes = b"subject") -> Self:
        """From a settings value; `purpose` (at most 16 bytes) separates unrelated pseudonyms made with one key."""
        return cls(bytes.fromhex(key.get_secret_value()), purpose=purpose)

    def one(self, text: str) -> UUID:
        """Pseudonym of one normalised text."""
        digest = blake2b(text.encode(), digest_size=SUBJECT_BYTES, key=self._key, person=self._purpose).digest()
        return UUID(bytes=digest)

    def many(self, texts: Iterable[str]) -> np.ndarray:
        """Pseudonyms of normalised texts as an array of shape (n, 16), uint8."""
        key, person = self._key, self._purpose
        raw = b"".join(
            [blake2b(text.encode(), digest_size=SUBJECT_BYTES, key=key, person=person).digest() for text in texts]
        )
        return np.frombuffer(raw, dtype=np.uint8).reshape(-1, SUBJECT_BYTES)


class SealBrokenError(Exception):
    """Sealed data that no key opens, or that was moved to another person."""


def named_keys(keys: SecretStr) -> dict[str, bytes]:
    """Keys by name, the newest first, of `kid:hex[,kid:hex]`.

    Raises:
        ValueError: they are written otherwise, or two keys have one name, of which one would open nothing.
    """
    pairs = [part.split(":", 1) for part in keys.get_secret_value().split(",")]
    named = {key_id: bytes.fromhex(key) for key_id, key in pairs}
    if len(named) < len(pairs):
        msg = f"WUGAN_VAULT_KEYS gives one name to two keys: {', '.join(key_id for key_id, _ in pairs)}"
        raise ValueError(msg)
    return named


def sendable(sealed: bytes) -> str:
    """Something sealed as an event carries it."""
    return base64.b64encode(sealed).decode()


class Vault:
    """AES-256-GCM with named keys; what is sealed is bound to one subject and cannot be moved to another.

    A sealed value is: length of key id (1 byte), key id, nonce (12 bytes), ciphertext with tag.
    """

    def __init__(self, keys: dict[str, bytes]) -> None:
        self._keys = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self.current = next(iter(keys))
        self._head = bytes([len(self.current)]) + self.current.encode()

    @classmethod
    def from_settings(cls, keys: SecretStr) -> Self:
        """From `kid:hex[,kid:hex]`; the first seals, all open."""
        return cls(named_keys(keys))

    def seal(self, plain: bytes, bound_to: bytes) -> bytes:
        """Seal `plain` for the subject whose 16 bytes are `bound_to`."""
        nonce = os.urandom(_NONCE)
        return self._head + nonce + self._keys[self.current].encrypt(nonce, plain, bound_to)

    def open(self, sealed: bytes, bound_to: bytes) -> bytes:
        """What was sealed.

        Raises:
            SealBrokenError: unknown key, changed bytes, or another subject's data.
        """
        if not sealed:
            msg = "nothing was sealed"
            raise SealBrokenError(msg)
        length = sealed[0]
        key = self._keys.get(sealed[1 : 1 + length].decode(errors="replace"))
        if key is None:
            msg = "sealed with a key that is not among WUGAN_VAULT_KEYS"
            raise SealBrokenError(msg)
        nonce, rest = sealed[1 + length : 1 + length + _NONCE], sealed[1 + length + _NONCE :]
        try:
            return key.decrypt(nonce, rest, bound_to)
        except (InvalidTag, ValueError) as error:  # the latter where there is not even a nonce
            msg = "sealed data was changed or belongs to another subject"
            raise SealBrokenError(msg) from error

    def seal_text(self, text: str, about: UUID) -> bytes:
        """Seal what somebody wrote, bound to what it is about."""
        return self.seal(text.encode(), about.bytes)

    def open_text(self, sealed: bytes, about: UUID) -> str:
        """What somebody wrote.

        Raises:
            SealBrokenError: as for `open`.
        """
        return self.open(sealed, about.bytes).decode()

    def received(self, sent: str, about: UUID) -> bytes:
        """What an event brought sealed, once it has proved to be about this.

        Raises:
            SealBrokenError: it is no base64, or as for `open`.
        """
        try:
            sealed = base64.b64decode(sent, validate=True)
        except ValueError as error:
            msg = "what came sealed is no base64"
            raise SealBrokenError(msg) from error
        self.open(sealed, about.bytes)
        return sealed

    def key_id(self, sealed: bytes) -> str:
        """Name of the key that sealed it, for rotation."""
        return sealed[1 : 1 + sealed[0]].decode()
