"""The usage log chained: each seal covers some rows and the seal before it, so that nothing can be changed unseen."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
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
        first: lowest id of the rows its transactions are counted among. A server restored from a dump counts them anew:
            what is logged there begins a higher one, and stands behind everything from before.
    """

    number: int
    last: tuple[int, int]
    ids: np.ndarray
    marks: bytes
    previous: bytes
    chain: bytes
    first: int = 0


ROW = np.dtype([("tx", ">i8"), ("usage_id", ">i8"), ("digest", "u1", 32)])
"""A row of the log as it is sealed: where it stands, and the SHA-256 of all it says."""


def marks(key: bytes, rows: np.ndarray) -> bytes:
    """The keyed mark of each row."""
    plain, size = rows.tobytes(), ROW.itemsize
    hashed = (blake2b(plain[at : at + size], digest_size=MARK_BYTES, key=key, person=b"usage-mark")
              for at in range(0, len(plain), size))  # fmt: skip
    return b"".join([each.digest() for each in hashed])


def seal(key: bytes, rows: np.ndarray, number: int, previous: bytes, first: int = 0) -> Seal:
    """The next seal over these rows, at least one."""
    ids = rows["usage_id"].astype(np.int64)
    marked = marks(key, rows)
    last = (int(rows["tx"][-1]), int(ids[-1]))
    made = Seal(number, last, ids, marked, previous, b"", first)
    return replace(made, chain=chain(key, made))


def chain(key: bytes, one: Seal) -> bytes:
    """What ties a seal to the one before it."""
    begun = (one.first,) if one.first else ()
    head = b"".join(each.to_bytes(8, "big") for each in (one.number, *one.last, len(one.ids), *begun))
    text = head + one.ids.astype(">i8").tobytes() + one.marks + one.previous
    return blake2b(text, digest_size=CHAIN_BYTES, key=key, person=b"usage-chain").digest()


def check(key: bytes, one: Seal, previous: bytes, rows: np.ndarray) -> list[tuple[int | None, Fault]]:
    """What is wrong with a seal and the rows now in its range: id of the row (None: the seal itself) and fault."""
    faults: list[tuple[int | None, Fault]] = []
    if one.previous != previous or one.chain != chain(key, one):
        faults.append((None, Fault.BROKEN))
    sealed = dict(_marked(one.ids, one.marks))
    for usage_id, marked in _marked(rows["usage_id"], marks(key, rows)):
        known = sealed.pop(usage_id, None)
        if known is None:
            faults.append((usage_id, Fault.ADDED))
        elif known != marked:
            faults.append((usage_id, Fault.CHANGED))
    return faults + [(usage_id, Fault.MISSING) for usage_id in sealed]


def _marked(ids: np.ndarray, marked: bytes) -> Iterator[tuple[int, bytes]]:
    return zip(ids.tolist(), (marked[at : at + MARK_BYTES] for at in range(0, len(marked), MARK_BYTES)), strict=False)
