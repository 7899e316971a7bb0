"""Signals in columns: which source saw which person on which day; sorted, without repeats, merged by union.

A signal is a fact, and facts only add up: `union` is commutative, associative and idempotent, so that messages may come
late, twice, in any order and on any worker. Everything that is sorted is sorted by one 64-bit word per row. What a
department takes back is one more fact; `domain.standing` says what counts in the end.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import IntEnum
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from shared.contracts.vocabulary import EvidenceKind

Array = npt.NDArray[Any]

EPOCH = date(1900, 1, 1)
FIRST_DAY, LAST_DAY = 1, 0xFFFF  # day 0 stands for no day in an opinion, so that no signal may have it
CONCLUSIONS = "case_conclusion"
"""Source of what people have found or refuted; no department's file."""
STOP_REQUESTS = "stop_request"
"""Source of what relatives have reported and people have verified."""
BY_PEOPLE = frozenset({CONCLUSIONS, STOP_REQUESTS})
BATCH_BITS = 32  # of an evidence id, below the number of its batch
MAX_ORIGINS = 512
MAX_SUBJECTS = 1 << 25  # in one table of signals, which is one shard

# The word of a row, from the top: person 25 bits, source 9, day 16, kind 4, not identified in full 1, origin 9.
_PERSON, _SOURCE, _DAY, _KIND, _UNSURE = (np.uint64(shift) for shift in (39, 30, 14, 10, 9))


class Kind(IntEnum):
    """Evidence kinds as they are stored, and what outweighs evidence; numbers never change.

    `REFUTED_…` are conclusions of people, `TAKEN_BACK` names evidence its department withdrew, and `HINT` is a death
    record without a number that may mean this person among others.
    """

    SEEN = 0
    DIED = 1
    HOSPITAL_DEATH = 2
    CUSTODY = 3
    RELEASED = 4
    DETAINED = 5
    SENTENCED_CUSTODY = 6
    SENTENCED_COMMUNITY = 7
    DECLARED_MISSING = 8
    DECLARED_DEAD = 9
    REFUTED_DEATH = 10
    REFUTED_INCARCERATION = 11
    REFUTED_MISSING = 12
    REFUTED_CONFLICT = 13
    TAKEN_BACK = 14
    HINT = 15


KIND_OF_WORD = {word.value: Kind[word.name] for word in EvidenceKind}


def day_number(day: date) -> int:
    """Days since `EPOCH`, bounded to what a row holds."""
    return min(max((day - EPOCH).days, FIRST_DAY), LAST_DAY)


def day_of(number: int) -> date:
    """The day of a day number."""
    return EPOCH + timedelta(days=int(number))


def subject_words(subjects: Array) -> Array:
    """Subjects of shape (n, 16), uint8, as n comparable byte strings."""
    return np.ascontiguousarray(subjects, dtype=np.uint8).view("S16").reshape(-1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a signal comes from, as its message said.

    Attributes:
        source: code of the source.
        department: slug of the department that delivered.
        strong: strength of its evidence.
        candidates: how many people one record may mean; 1 for all but hints.
    """

    source: str
    department: str
    strong: bool
    candidates: int = 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Origins:
    """All known origins; a signal names its own by position."""

    items: tuple[Origin, ...]
    source_numbers: Array

    def __len__(self) -> int:
        return len(self.items)


def origins_of(items: Sequence[Origin]) -> Origins:
    """Origins in the order of their numbers.

    Raises:
        OverflowError: more than the row word can hold.
    """
    if len(items) > MAX_ORIGINS:
        msg = f"at most {MAX_ORIGINS} origins fit a signal"
        raise OverflowError(msg)
    first: dict[str, int] = {}
    # A source keeps one number whatever its later deliveries say of department and strength.
    numbers = [first.setdefault(item.source, position) for position, item in enumerate(items)]
    return Origins(items=tuple(items), source_numbers=np.asarray(numbers, dtype=np.uint64))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Signals:
    """Signals of many people, sorted by person, source, day and kind, each record once.

    Attributes:
        subjects: n sorted, distinct byte strings of 16.
        starts: n + 1 row numbers; the rows of person i are starts[i] to starts[i + 1].
        origin: number of the row's origin.
        day: day number of the event.
        kind: a `Kind`.
        full: identified by number and name, or by a reader-checked card or face.
        evidence: evidence id, the way back to the file; of what people concluded the microseconds of when, below zero.
    """

    subjects: Array
    starts: Array
    origin: Array
    day: Array
    kind: Array
    full: Array
    evidence: Array

    def __len__(self) -> int:
        return len(self.day)

    @property
    def people(self) -> int:
        """Number of people."""
        return len(self.subjects)

    def person_rows(self) -> Array:
        """For each row the position of its person."""
        return np.repeat(np.arange(self.people, dtype=np.int32), np.diff(self.starts))

    def take(self, wanted: Array) -> "Signals":
        """Signals of those of the sorted subjects `wanted` that are here."""
        if self.people == 0 or len(wanted) == 0:
            return empty()
        places = np.searchsorted(self.subjects, wanted)
        places[places == self.people] = 0
        places = places[self.subjects[places] == wanted]
        return self if len(places) == self.people else self._gather(places)

    def where(self, keep: Array) -> "Signals":
        """The rows of a mask; people of whom none is left keep their place."""
        return Signals(
            subjects=self.subjects,
            starts=np.concatenate(([0], np.cumsum(keep)))[self.starts],
            origin=self.origin[keep],
            day=self.day[keep],
            kind=self.kind[keep],
            full=self.full[keep],
            evidence=self.evidence[keep],
        )

    def between(self, low: bytes, high: bytes | None) -> "Signals":
        """Signals of the people from `low` on and before `high`; views, no copies."""
        first = int(np.searchsorted(self.subjects, np.asarray(low, dtype="S16")))
        last = self.people if high is None else int(np.searchsorted(self.subjects, np.asarray(high, dtype="S16")))
        return self._part(first, last)

    def _part(self, first: int, last: int) -> "Signals":
        here = slice(int(self.starts[first]), int(self.starts[last]))
        return Signals(
            subjects=self.subjects[first:last],
            starts=self.starts[first : last + 1] - self.starts[first],
            origin=self.origin[here],
            day=self.day[here],
            kind=self.kind[here],
            full=self.full[here],
            evidence=self.evidence[here],
        )

    def _gather(self, places: Array) -> "Signals":
        counts = np.diff(self.starts)[places]
        starts = np.concatenate(([0], np.cumsum(counts)))
        rows = np.arange(starts[-1]) + np.repeat(self.starts[places] - starts[:-1], counts)
        return Signals(
            subjects=self.subjects[places],
            starts=starts,
            origin=self.origin[rows],
            day=self.day[rows],
            kind=self.kind[rows],
            full=self.full[rows],
            evidence=self.evidence[rows],
        )

    def pieces(self, rows: int) -> Iterator["Signals"]:
        """Consecutive pieces of about `rows` rows that never cut a person in two; views, no copies."""
        first = 0
        while first < self.people:
            last = int(np.searchsorted(self.starts, self.starts[first] + rows, side="right")) - 1
            last = min(max(last, first + 1), self.people)
            yield self._part(first, last)
            first = last


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """Signals as they arrive: unsorted, a person on every row.

    Attributes:
        subjects: shape (m,), byte strings of 16.
    """

    subjects: Array
    origin: Array
    day: Array
    kind: Array
    full: Array
    evidence: Array


def empty() -> Signals:
    """No signals."""
    return Signals(
        subjects=np.empty(0, dtype="S16"),
        starts=np.zeros(1, dtype=np.int64),
        origin=np.empty(0, dtype=np.uint16),
        day=np.empty(0, dtype=np.uint16),
        kind=np.empty(0, dtype=np.uint8),
        full=np.empty(0, dtype=bool),
        evidence=np.empty(0, dtype=np.int64),
    )


def from_rows(parts: Sequence[Rows], origins: Origins) -> Signals:
    """The signals in arriving rows."""
    if not sum(len(part.day) for part in parts):
        return empty()
    subjects, person = distinct(np.concatenate([part.subjects for part in parts]))
    return _sorted(
        subjects,
        person,
        Rows(
            subjects=subjects,
            origin=np.concatenate([part.origin for part in parts]),
            day=np.concatenate([part.day for part in parts]),
            kind=np.concatenate([part.kind for part in parts]),
            full=np.concatenate([part.full for part in parts]),
            evidence=np.concatenate([part.evidence for part in parts]),
        ),
        origins,
    )


def union(parts: Sequence[Signals], origins: Origins) -> Signals:
    """All facts of all parts, each once."""
    parts = [part for part in parts if len(part)]
    if len(parts) <= 1:
        return parts[0] if parts else empty()
    if all(left.subjects[-1] < right.subjects[0] for left, right in pairwise(parts)):
        return _chained(parts)
    subjects, places = distinct(np.concatenate([part.subjects for part in parts]))
    return _sorted(
        subjects,
        np.repeat(places, np.concatenate([np.diff(part.starts) for part in parts])),
        Rows(
            subjects=subjects,
            origin=np.concatenate([part.origin for part in parts]),
            day=np.concatenate([part.day for part in parts]),
            kind=np.concatenate([part.kind for part in parts]),
            full=np.concatenate([part.full for part in parts]),
            evidence=np.concatenate([part.evidence for part in parts]),
        ),
        origins,
    )


def _chained(parts: Sequence[Signals]) -> Signals:
    """Parts that follow one another, as the blocks of a run do: nothing to sort."""
    counts = np.concatenate([np.diff(part.starts) for part in parts])
    return Signals(
        subjects=np.concatenate([part.subjects for part in parts]),
        starts=np.concatenate(([0], np.cumsum(counts))),
        origin=np.concatenate([part.origin for part in parts]),
        day=np.concatenate([part.day for part in parts]),
        kind=np.concatenate([part.kind for part in parts]),
        full=np.concatenate([part.full for part in parts]),
        evidence=np.concatenate([part.evidence for part in parts]),
    )


def among(known: Signals, subjects: Array) -> Signals:
    """The signals of exactly these sorted subjects; whom nobody ever saw stands there with none."""
    here = known.take(subjects)
    counts = np.zeros(len(subjects), dtype=np.int64)
    counts[np.searchsorted(subjects, here.subjects)] = np.diff(here.starts)
    return replace(here, subjects=subjects, starts=np.concatenate(([0], np.cumsum(counts))))


def distinct(subjects: Array) -> tuple[Array, Array]:
    """Sorted distinct subjects and for each given one its position among them."""
    halves = subjects.view(">u8").reshape(-1, 2)
    high = halves[:, 0].astype(np.uint64)
    order = np.argsort(high)
    ordered = high[order]
    new = np.concatenate(([True], ordered[1:] != ordered[:-1]))
    low = halves[order, 1]
    if np.any(~new[1:] & (low[1:] != low[:-1])):
        # Two people share their first eight bytes: once in the life of a country, but then it must be right.
        order = np.lexsort((halves[:, 1], high))
        ordered, low = high[order], halves[order, 1]
        new = np.concatenate(([True], (ordered[1:] != ordered[:-1]) | (low[1:] != low[:-1])))
    places = np.empty(len(subjects), dtype=np.int64)
    places[order] = np.cumsum(new) - 1
    return subjects[order[new]], places


def _sorted(subjects: Array, person: Array, rows: Rows, origins: Origins) -> Signals:
    """Rows in order, each record once: the best identified ones first, and of those the smallest evidence id."""
    if len(subjects) > MAX_SUBJECTS:
        msg = "too many people for one table of signals"
        raise OverflowError(msg)
    word = person.astype(np.uint64) << _PERSON
    word |= origins.source_numbers[rows.origin] << _SOURCE
    word |= rows.day.astype(np.uint64) << _DAY
    word |= rows.kind.astype(np.uint64) << _KIND
    word |= (~rows.full).astype(np.uint64) << _UNSURE
    word |= rows.origin.astype(np.uint64)
    order = np.argsort(word)
    word, evidence = word[order], rows.evidence[order]
    again = np.concatenate(([False], word[1:] == word[:-1]))
    if again.any():
        word, evidence = _without_repeats(word, evidence, again)
    starts = np.searchsorted(word >> _PERSON, np.arange(len(subjects) + 1, dtype=np.uint64))
    return Signals(
        subjects=subjects,
        starts=starts.astype(np.int64),
        origin=(word & np.uint64(MAX_ORIGINS - 1)).astype(np.uint16),
        day=((word >> _DAY) & np.uint64(LAST_DAY)).astype(np.uint16),
        kind=((word >> _KIND) & np.uint64(15)).astype(np.uint8),
        full=((word >> _UNSURE) & np.uint64(1)) == 0,
        evidence=evidence,
    )


def _without_repeats(word: Array, evidence: Array, again: Array) -> tuple[Array, Array]:
    """Sorted words with what is the same record twice left out; different records of one fact stay, by evidence id.

    They must stay: when one of them is taken back, the other still counts.
    """
    rows = np.flatnonzero(again | np.append(again[1:], [False]))
    evidence[rows] = evidence[rows][np.lexsort((evidence[rows], word[rows]))]
    keep = ~(again & np.concatenate(([False], evidence[1:] == evidence[:-1])))
    return word[keep], evidence[keep]
