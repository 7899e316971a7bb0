"""The usage log chained: each seal covers some rows and the seal before it, so that nothing can be changed unseen."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b

import numpy as np

MARK_BYTES, CHAIN_BYTES = 16, 32
FIRST = bytes(CHAIN_BYTES)
"""What the first seal follows."""


class Fault(StrEnum):
    """What is wrong with a row or a seal."""

    CHANGED = "changed"
    MISSING = "missing"
    ADDED = "added"
    BROKEN = "chain_broken"


@dataclass(frozen=True, slots=True)
class Seal:
    """A seal over rows.

    Attributes:
        number: counted from 1.
        last: transaction and id of the last row it covers.
        ids: of its rows in their order, int64.
        marks: 16 bytes for each row, keyed: what a row says cannot be guessed from its mark.
        previous: chain of the seal before.
        chain: over all of this.
    """

    number: int
    last: tuple[int, int]
    ids: np.ndarray
    marks: bytes
    previous: bytes
    chain: bytes


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the log as it is sealed: where it stands, and the SHA-256 of all it says."""

    tx: int
    usage_id: int
    digest: bytes


def mark(key: bytes, row: Row) -> bytes:
    """The keyed mark of a row."""
    place = row.tx.to_bytes(8, "big") + row.usage_id.to_bytes(8, "big")
    return blake2b(place + row.digest, digest_size=MARK_BYTES, key=key, person=b"usage-mark").digest()


def seal(key: bytes, rows: Sequence[Row], number: int, previous: bytes) -> Seal:
    """The next seal over these rows, at least one."""
    ids = np.array([row.usage_id for row in rows], dtype=np.int64)
    marks = b"".join([mark(key, row) for row in rows])
    last = (rows[-1].tx, rows[-1].usage_id)
    return Seal(number, last, ids, marks, previous, chain(key, number, last, ids, marks, previous))


def chain(key: bytes, number: int, last: tuple[int, int], ids: np.ndarray, marks: bytes, previous: bytes) -> bytes:
    """What ties a seal to the one before it."""
    head = b"".join(each.to_bytes(8, "big") for each in (number, *last, len(ids)))
    text = head + ids.astype(">i8").tobytes() + marks + previous
    return blake2b(text, digest_size=CHAIN_BYTES, key=key, person=b"usage-chain").digest()


def check(key: bytes, one: Seal, previous: bytes, rows: Sequence[Row]) -> list[tuple[int | None, Fault]]:
    """What is wrong with a seal and the rows now in its range: id of the row (None: the seal itself) and fault."""
    faults: list[tuple[int | None, Fault]] = []
    right = chain(key, one.number, one.last, one.ids, one.marks, one.previous)
    if one.previous != previous or one.chain != right:
        faults.append((None, Fault.BROKEN))
    sealed = {int(row): one.marks[at * MARK_BYTES : (at + 1) * MARK_BYTES] for at, row in enumerate(one.ids)}
    for row in rows:
        known = sealed.pop(row.usage_id, None)
        if known is None:
            faults.append((row.usage_id, Fault.ADDED))
        elif known != mark(key, row):
            faults.append((row.usage_id, Fault.CHANGED))
    return faults + [(usage_id, Fault.MISSING) for usage_id in sealed]
