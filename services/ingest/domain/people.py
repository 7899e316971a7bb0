"""The people of the vault as sorted columns: which subject is which person, and whether a name is his."""

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Self

import numpy as np

from services.ingest.domain.columns import Array

UNKNOWN = -1
_PLACE_BITS = 21
_SPREAD = np.uint64(0x9E3779B97F4A7C15)


def halves(subjects: Array) -> tuple[Array, Array]:
    """First and second eight bytes of subjects of shape (n, 16) as uint64, so that their order is that of the bytes."""
    words = np.ascontiguousarray(subjects).view(">u8").astype(np.uint64)
    return words[:, 0], words[:, 1]


class Memo:
    """Where people were found before, by the code of their id: a newer one takes the place of an older one.

    Args:
        bits: two to this power places of 12 bytes; memory is taken as they fill.
    """

    def __init__(self, *, bits: int = _PLACE_BITS) -> None:
        self._shift = np.uint64(64 - bits)
        self._codes = np.zeros(1 << bits, dtype=np.uint64)
        self._found = np.zeros(1 << bits, dtype=np.int32)
        self._lock = Lock()

    def find(self, codes: Array, ask: Callable[[Array], Array]) -> Array:
        """What belongs to each code, int32.

        Args:
            codes: uint64, never 0.
            ask: what belongs to the codes at some positions, where it is not known yet.
        """
        places = ((codes * _SPREAD) >> self._shift).astype(np.int64)
        with self._lock:
            found, unknown = self._found[places], np.flatnonzero(self._codes[places] != codes)
        if len(unknown):
            distinct, first, which = np.unique(codes[unknown], return_index=True, return_inverse=True)
            answers = ask(unknown[first])
            found[unknown] = answers[which]
            free, chosen = np.unique(places[unknown[first]], return_index=True)
            with self._lock:
                self._codes[free], self._found[free] = distinct[chosen], answers[chosen]
        return found


class UnknownPersonError(LookupError):
    """A number that was given out after this index was read."""


@dataclass(frozen=True, slots=True)
class PeopleIndex:
    """Everybody in the vault, sorted by subject.

    Attributes:
        subjects: uint8 of shape (n, 16).
        high, low: halves of the subjects, uint64.
        person_no: int64, dense numbers of the vault.
        name_hash: uint64, keyed hash of the normalised name.
        version: of the vault when this was read.
        memo: positions of people asked for before.
        by_number: once it was asked for, the order of the numbers.
    """

    subjects: Array
    high: Array
    low: Array
    person_no: Array
    name_hash: Array
    version: int
    memo: Memo = field(default_factory=Memo, compare=False, repr=False)
    by_number: list[Array] = field(default_factory=list, compare=False, repr=False)

    @classmethod
    def build(cls, subjects: Array, person_no: Array, name_hash: Array, version: int) -> Self:
        """From unsorted columns: subjects (n, 16) uint8."""
        high, low = halves(subjects)
        order = np.lexsort((low, high))
        return cls(subjects[order], high[order], low[order], person_no[order], name_hash[order], version)

    def subjects_of(self, numbers: Array) -> Array:
        """Subjects of people by their numbers, shape (n, 16); the first time 0.2 s for a million people.

        Raises:
            UnknownPersonError: the vault has grown since.
        """
        if not len(numbers):
            return np.empty((0, 16), dtype=np.uint8)
        if not len(self.person_no):
            raise UnknownPersonError
        if not self.by_number:
            self.by_number.append(np.argsort(self.person_no))
        order = self.by_number[0]
        at = np.minimum(np.searchsorted(self.person_no, numbers, sorter=order), len(order) - 1)
        if not np.array_equal(self.person_no[order[at]], numbers):
            raise UnknownPersonError
        return np.asarray(self.subjects[order[at]])

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
