"""Files sealed at rest, written and read from end to end in little memory, with keys by name.

The STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár: "Online Authenticated-Encryption and its Nonce-Reuse
Misuse-Resistance", CRYPTO 2015) with AES-256-GCM, as age and Tink lay it out. A sealed file is

* a header: magic and version (6 bytes), length of key id (1 byte), key id, salt (32 bytes);
* frames of 1 MiB and a tag each, the last one shorter. The nonce of a frame is its number (11 bytes) and whether it is
  the last (1 byte): frames that were moved, left out, added or cut off do not open.

Every file has a key of its own, made by HKDF-SHA256 of the named key, the salt and what the files are for, so that
nonces may begin at 0. Header and owner of the file are bound to each frame: none opens in another file.
"""

import os
from collections.abc import Mapping
from typing import Protocol, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

from shared.kit.crypto import SealBrokenError, named_keys

FRAME = 1 << 20
"""Bytes of a frame before it is sealed."""

_MAGIC = b"SEALD\x01"
_SALT, _TAG, _KEY, _COUNTER = 32, 16, 32, 11


class Source(Protocol):
    """Something to read from."""

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes; none at the end."""


class Target(Protocol):
    """Something to write to."""

    def write(self, piece: bytes, /) -> object:
        """Take a piece."""


class FileSeal:
    """Seals files for one purpose: the first key seals, all open."""

    def __init__(self, keys: Mapping[str, bytes], *, purpose: bytes) -> None:
        self._keys = dict(keys)
        self._purpose = purpose
        self.current = next(iter(self._keys))

    @classmethod
    def from_settings(cls, keys: SecretStr, *, purpose: bytes) -> Self:
        """From the keys of the vault; `purpose` keeps what is made of them apart from the vault and other files."""
        return cls(named_keys(keys), purpose=purpose)

    def writer(self, target: Target, bound_to: bytes) -> "SealedWriter":
        """What is written to it goes to `target` sealed, for the owner named by `bound_to`."""
        name = self.current.encode()
        header = _MAGIC + bytes([len(name)]) + name + os.urandom(_SALT)
        target.write(header)
        return SealedWriter(target, self._cipher(self._keys[self.current], header), header + bound_to)

    def reader(self, source: Source, bound_to: bytes) -> "SealedReader":
        """What was written, as it is read from `source`.

        Raises:
            SealBrokenError: no sealed file, or an unknown key; on reading: changed, cut off, or another owner's.
        """
        start = _exactly(source, len(_MAGIC) + 1)
        if start[:-1] != _MAGIC:
            msg = "it is no sealed file"
            raise SealBrokenError(msg)
        name = _exactly(source, start[-1])
        key = self._keys.get(name.decode(errors="replace"))
        if key is None:
            msg = "it is sealed with a key that is not among WUGAN_VAULT_KEYS"
            raise SealBrokenError(msg)
        header = start + name + _exactly(source, _SALT)
        return SealedReader(source, self._cipher(key, header), header + bound_to)

    def _cipher(self, key: bytes, header: bytes) -> AESGCM:
        return AESGCM(HKDF(SHA256(), length=_KEY, salt=header[-_SALT:], info=self._purpose).derive(key))


class SealedWriter:
    """Writes a sealed file; without `finish` it does not open."""

    def __init__(self, target: Target, cipher: AESGCM, bound: bytes) -> None:
        self._target, self._cipher, self._bound = target, cipher, bound
        self._waiting, self._number = bytearray(), 0

    def write(self, piece: bytes) -> int:
        """Take a piece; a full frame waits until it is known not to be the last."""
        self._waiting += piece
        while len(self._waiting) > FRAME:
            self._put(bytes(self._waiting[:FRAME]), last=False)
            del self._waiting[:FRAME]
        return len(piece)

    def finish(self) -> None:
        """Write the last frame."""
        self._put(bytes(self._waiting), last=True)

    def _put(self, frame: bytes, *, last: bool) -> None:
        self._target.write(self._cipher.encrypt(_nonce(self._number, last=last), frame, self._bound))
        self._number += 1


class SealedReader:
    """Reads a sealed file; nothing it gives is sure before it has come to the end without an error."""

    def __init__(self, source: Source, cipher: AESGCM, bound: bytes) -> None:
        self._source, self._cipher, self._bound = source, cipher, bound
        self._ahead = _up_to(source, FRAME + _TAG)
        self._opened, self._number, self._ended = memoryview(b""), 0, False

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes, and no more than a frame; none at the end.

        Raises:
            SealBrokenError: changed, cut off, or another owner's.
        """
        if not self._opened and not self._ended:
            self._opened = memoryview(self._next())
        given = self._opened if size < 0 else self._opened[:size]
        self._opened = self._opened[len(given) :]
        return bytes(given)

    def _next(self) -> bytes:
        sealed, self._ahead = self._ahead, _up_to(self._source, FRAME + _TAG)
        self._ended = not self._ahead
        try:
            frame = self._cipher.decrypt(_nonce(self._number, last=self._ended), sealed, self._bound)
        except InvalidTag as error:
            msg = "it was changed or cut off, or belongs elsewhere"
            raise SealBrokenError(msg) from error
        self._number += 1
        return frame


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(_COUNTER) + bytes([last])


def _up_to(source: Source, size: int) -> bytes:
    """As many bytes as there are, whatever a single read gives."""
    found = source.read(size)
    while len(found) < size and (more := source.read(size - len(found))):
        found += more
    return found


def _exactly(source: Source, size: int) -> bytes:
    found = _up_to(source, size)
    if len(found) < size:
        msg = "it is cut off in its header"
        raise SealBrokenError(msg)
    return found
