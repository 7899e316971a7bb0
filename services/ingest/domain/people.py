"""The people of the vault as sorted columns: which subject is which person, and whether a name is his."""

from dataclasses import dataclass
from typing import Self

import numpy as np

UNKNOWN = -1


def halves(subjects: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and second eight bytes of subjects of shape (n, 16) as uint64."""
    words = np.ascontiguousarray(subjects).view(">u8").astype(np.uint64)
    return words[:, 0], words[:, 1]


@dataclass(frozen=True, slots=True)
class PeopleIndex:
    """Everybody in the vault, sorted by subject.

    Attributes:
        high, low: halves of the subjects, uint64.
        person_no: int64, dense numbers of the vault.
        name_hash: uint64, keyed hash of the normalised name.
        version: of the vault when this was read.
    """

    high: np.ndarray
    low: np.ndarray
    person_no: np.ndarray
    name_hash: np.ndarray
    version: int

    @classmethod
    def build(cls, subjects: np.ndarray, person_no: np.ndarray, name_hash: np.ndarray, version: int) -> Self:
        """From unsorted columns: subjects (n, 16) uint8."""
        high, low = halves(subjects)
        order = np.lexsort((low, high))
        return cls(high[order], low[order], person_no[order], name_hash[order], version)

    def find(self, subjects: np.ndarray) -> np.ndarray:
        """Position in this index of each subject, or UNKNOWN."""
        if not len(self.high):
            return np.full(len(subjects), UNKNOWN, dtype=np.int64)
        high, low = halves(subjects)
        at = np.searchsorted(self.high, high)
        found = np.full(len(subjects), UNKNOWN, dtype=np.int64)
        # Two people sharing eight keyed bytes is all but impossible; two steps make it exact all the same.
        for _ in range(2):
            inside = np.minimum(at, len(self.high) - 1)
            same = (self.high[inside] == high) & (self.low[inside] == low)
            found = np.where((found == UNKNOWN) & same, inside, found)
            at = at + 1
        return found
