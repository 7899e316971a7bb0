"""Opinions in columns: what scoring holds of many people at once, and lists of unequal length beside them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from services.scoring.domain.negatives import Suspicion
from services.scoring.domain.signals import Array
from shared.contracts.vocabulary import Decision, Level, Strength

LEVELS = (Level.LOW, Level.MEDIUM, Level.STRONG, Level.CONFLICT)
DECISIONS = (Decision.INSUFFICIENT, Decision.CERTIFIABLE, Decision.SUSPECTED)
STRENGTHS = (None, Strength.WEAK, Strength.STRONG)
LOW, MEDIUM, STRONG, CONFLICT = range(4)
INSUFFICIENT, CERTIFIABLE, SUSPECTED = range(3)
NO_STRENGTH, WEAK_EVIDENCE, STRONG_EVIDENCE = range(3)

T = TypeVar("T")

_PRIMES = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], dtype=np.uint64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lists:
    """A list of values for each person: those of person i are values[starts[i] : starts[i + 1]]."""

    starts: Array
    values: Array

    def of(self, person: int) -> Array:
        """The values of one person."""
        return self.values[self.starts[person] : self.starts[person + 1]]

    def take(self, people: Array) -> "Lists":
        """The lists of the people at these positions."""
        counts = np.diff(self.starts)[people]
        starts = np.concatenate(([0], np.cumsum(counts)))
        rows = np.arange(starts[-1]) + np.repeat(self.starts[people] - starts[:-1], counts)
        return Lists(starts=starts, values=self.values[rows])


def lists(people: int, person: Array, values: Array) -> Lists:
    """Lists from pairs of person and value, each list in the order of the pairs."""
    order = np.argsort(person, kind="stable")
    counts = np.bincount(person, minlength=people) if len(person) else np.zeros(people, dtype=np.int64)
    return Lists(starts=np.concatenate(([0], np.cumsum(counts))), values=values[order])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Opinions:
    """Scoring's opinion of each person, a pure function of signals, rule set and day.

    Attributes:
        subjects: n sorted byte strings of 16.
        level: position in `LEVELS`.
        decision: position in `DECISIONS`.
        strength: position in `STRENGTHS`.
        as_of: day number of the newest evidence it rests on, 0 for none.
        points: whole points of the weak evidence; 0 where they were not needed.
        valid_months: cap on the certificate, 0 for none.
        marked: whether more than positive evidence is known of the person.
        classes: bit set of evidence classes.
        evidence: evidence ids it rests on.
        reasons: positions in `words`.
        words: reason codes.
        suspicions: for the positions of people who have some.
        unfounded: by position, evidence on which an earlier suspicion may have rested but this one need not.
    """

    subjects: Array
    level: Array
    decision: Array
    strength: Array
    as_of: Array
    points: Array
    valid_months: Array
    marked: Array
    classes: Array
    evidence: Lists
    reasons: Lists
    words: Sequence[str]
    suspicions: dict[int, tuple[Suspicion, ...]]
    unfounded: dict[int, frozenset[int]]

    def __len__(self) -> int:
        return len(self.subjects)

    def reasons_of(self, person: int) -> list[str]:
        """Reason codes of one person."""
        return [self.words[code] for code in self.reasons.of(person)]

    def take(self, people: Array) -> "Opinions":
        """Opinions of the people at these ascending positions."""
        return Opinions(
            subjects=self.subjects[people],
            level=self.level[people],
            decision=self.decision[people],
            strength=self.strength[people],
            as_of=self.as_of[people],
            points=self.points[people],
            valid_months=self.valid_months[people],
            marked=self.marked[people],
            classes=self.classes[people],
            evidence=self.evidence.take(people),
            reasons=self.reasons.take(people),
            words=self.words,
            suspicions=_at(self.suspicions, people),
            unfounded=_at(self.unfounded, people),
        )

    def digests(self) -> Array:
        """A 64-bit fingerprint of everything but the subject: equal opinions, equal fingerprints, in any process."""
        columns = (self.level, self.decision, self.strength, self.as_of, self.points, self.valid_months, self.marked)
        digest = self.classes.astype(np.uint64)
        for column in columns:
            digest = _mix(digest + column.astype(np.uint64))
        words = np.asarray([_word_hash(word) for word in self.words], dtype=np.uint64)
        digest = _mix(digest ^ _sums(self.evidence, _mix(self.evidence.values.astype(np.uint64))))
        reasons = words[self.reasons.values] if len(words) else np.empty(0, dtype=np.uint64)
        return _mix(digest ^ _sums(self.reasons, reasons)).view(np.int64)


def _at(found: dict[int, T], people: Array) -> dict[int, T]:
    if not found:
        return {}
    return {place: found[person] for place, person in enumerate(people.tolist()) if person in found}


def _mix(value: Array) -> Array:
    value = (value ^ (value >> np.uint64(30))) * _PRIMES[0]
    value = (value ^ (value >> np.uint64(27))) * _PRIMES[1]
    mixed: Array = value ^ (value >> np.uint64(31))
    return mixed


def _word_hash(word: str) -> int:
    value = 0xCBF29CE484222325
    for byte in word.encode():
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return value


def _sums(groups: Lists, values: Array) -> Array:
    total = np.concatenate((np.zeros(1, dtype=np.uint64), np.cumsum(values, dtype=np.uint64)))
    sums: Array = total[groups.starts[1:]] - total[groups.starts[:-1]]
    return sums


def concatenated(parts: Sequence[Opinions]) -> Opinions:
    """Opinions of different people, the parts one after the other."""
    if len(parts) == 1:
        return parts[0]
    words: dict[str, int] = {}
    codes, before = [], 0
    suspicions: dict[int, tuple[Suspicion, ...]] = {}
    unfounded: dict[int, frozenset[int]] = {}
    for part in parts:
        known = np.asarray([words.setdefault(word, len(words)) for word in part.words], dtype=np.int64)
        codes.append(known[part.reasons.values] if len(known) else part.reasons.values)
        suspicions.update({before + person: found for person, found in part.suspicions.items()})
        unfounded.update({before + person: ids for person, ids in part.unfounded.items()})
        before += len(part)
    return Opinions(
        subjects=np.concatenate([part.subjects for part in parts]),
        level=np.concatenate([part.level for part in parts]),
        decision=np.concatenate([part.decision for part in parts]),
        strength=np.concatenate([part.strength for part in parts]),
        as_of=np.concatenate([part.as_of for part in parts]),
        points=np.concatenate([part.points for part in parts]),
        valid_months=np.concatenate([part.valid_months for part in parts]),
        marked=np.concatenate([part.marked for part in parts]),
        classes=np.concatenate([part.classes for part in parts]),
        evidence=Lists(starts=_starts([part.evidence for part in parts]), values=_values([p.evidence for p in parts])),
        reasons=Lists(starts=_starts([part.reasons for part in parts]), values=np.concatenate(codes)),
        words=list(words),
        suspicions=suspicions,
        unfounded=unfounded,
    )


def _starts(parts: Sequence[Lists]) -> Array:
    counts = np.concatenate([np.diff(part.starts) for part in parts])
    return np.concatenate(([0], np.cumsum(counts)))


def _values(parts: Sequence[Lists]) -> Array:
    return np.concatenate([part.values for part in parts])
