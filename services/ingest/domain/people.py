"""The people of the vault as sorted columns: which subject is which person, and whether a name is his."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from services.ingest.domain.columns import Array

UNKNOWN = -1


def halves(subjects: Array) -> tuple[Array, Array]:
    """First and second eight bytes of subjects of shape (n, 16) as uint64, so that their order is that of the bytes."""
    words = np.ascontiguousarray(subjects).view(">u8").astype(np.uint64)
    return words[:, 0], words[:, 1]


@dataclass(frozen=True, slots=True)
class PeopleIndex:
    """Everybody in the vault, sorted by subject.

    Attributes:
        subjects: uint8 of shape (n, 16).
        high, low: halves of the subjects, uint64.
        person_no: int64, dense numbers of the vault.
        name_hash: uint64, keyed hash of the normalised name.
        version: of the vault when this was read.
    """

    subjects: Array
    high: Array
    low: Array
    person_no: Array
    name_hash: Array
    version: int

    @classmethod
    def build(cls, subjects: Array, person_no: Array, name_hash: Array, version: int) -> Self:
        """From unsorted columns: subjects (n, 16) uint8."""
        high, low = halves(subjects)
        order = np.lexsort((low, high))
        return cls(subjects[order], high[order], low[order], person_no[order], name_hash[order], version)

    def find(self, subjects: Array) -> Array:
        """Position in this index of each subject, int32, or UNKNOWN."""
        found = np.full(len(subjects), UNKNOWN, dtype=np.int32)
        if not len(self.high) or not len(subjects):
            return found
        high, low = halves(subjects)
        # Asked in sorted order, a search stays in the processor's cache.
        order = np.argsort(high)
        place = np.empty(len(high), dtype=np.int64)
        place[order] = np.searchsorted(self.high, high[order])
        # Two people sharing eight keyed bytes is all but impossible; two steps make it exact all the same.
        for step in (0, 1):
            at = np.minimum(place + step, len(self.high) - 1)
            same = (self.high[at] == high) & (self.low[at] == low)
            found[same] = at[same]
        return found
