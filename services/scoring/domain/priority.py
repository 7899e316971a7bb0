"""The order of visits: whom to see first among those whom data cannot certify; in columns, for thousands at once.

A risk is the odds that somebody died and no register has told: the yearly risk of his age and sex over the days of his
silence, less what registers would have told by now, weighed by how unlike him the silence is (somebody seen every week
and not for two months is another case than somebody who was never seen) and by the add-ons of the rule set. It orders
visits and nothing else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from services.scoring.domain.rules import Risk
from services.scoring.domain.signals import Array, Kind, Origins, Signals
from services.scoring.domain.standing import standing
from services.scoring.domain.weighing import Scale, positive_rows

_YEAR = 365.25
_UNKNOWN_AGE = 70.0
_STEEPEST = 50.0
REASONS = (
    "unidentified_record",
    "silent_against_habit",
    "hospital_without_return",
    "unseen_half_year",
    "never_seen",
    "oldest",
    "weak_only",
)
"""Reason codes in the order of the bits of `VisitRisks.reasons`, the gravest first."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Candidates:
    """People who may be visited, in the order of the signals.

    Attributes:
        age: in years, NaN where unknown.
        male: 1, 0, or NaN where unknown.
    """

    age: Array
    male: Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VisitRisks:
    """Risks in the order of the candidates: weights between 0 and 1 of which only the order counts, and reason bits."""

    risk: Array
    reasons: Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Habits:
    """Of each person in the window: records, first and last day seen, whether last in hospital, seen in person, hinted.

    `weak_windows` reaches further back: how many windows have passed since he was last seen in person, or first at all.
    """

    records: Array
    first: Array
    last: Array
    hospital: Array
    strong: Array
    hinted: Array
    weak_windows: Array


def visit_risks(signals: Signals, origins: Origins, scale: Scale, candidates: Candidates) -> VisitRisks:
    """The risk of each person in `signals`, in their order; `candidates` fit them one by one."""
    habits = _habits(standing(signals, origins), origins, scale)
    rules, some = scale.rules.risk, habits.records > 0
    silent = np.where(some, scale.until - habits.last, scale.until - scale.after)
    silent = np.maximum(silent, rules.shortest_days).astype(np.float64)
    factors = _factors(rules, habits, silent, candidates)
    odds = _yearly(rules, candidates) * _untold(rules, silent) / _YEAR
    for factor in factors.values():
        odds = odds * factor
    reasons = np.zeros(signals.people, dtype=np.uint16)
    for bit, name in enumerate(REASONS):
        raised = ~some if name == "never_seen" else factors[name] > 1
        reasons |= raised.astype(np.uint16) << np.uint16(bit)
    return VisitRisks(risk=odds / (1 + odds), reasons=reasons)


def spoken(bits: int) -> Sequence[str]:
    """The reason codes in a bit set."""
    return _SPOKEN[bits]


_SPOKEN = [tuple(name for bit, name in enumerate(REASONS) if bits >> bit & 1) for bits in range(1 << len(REASONS))]


def _untold(rules: Risk, silent: Array) -> Array:
    """Days of silence, those that lie further back than registers need only by the share they never tell of."""
    recent = np.minimum(silent, rules.register_days)
    never = 1 - rules.register_percent / 100
    untold: Array = recent + (silent - recent) * never
    return untold


def _factors(rules: Risk, habits: _Habits, silent: Array, candidates: Candidates) -> Mapping[str, Array]:
    add, some = rules.add_ons, habits.records > 0
    gap = np.maximum((habits.last - habits.first) / np.maximum(habits.records - 1, 1), 1.0)
    # How unlikely so long a silence is for somebody seen every `gap` days; a habit needs two records.
    unlike = np.exp(np.clip(silent / gap - 1.0, 0.0, _STEEPEST))
    unlike = np.where(habits.records >= 2, np.minimum(unlike, rules.habit_limit), 1.0)  # noqa: PLR2004
    return {
        "silent_against_habit": unlike,
        "hospital_without_return": np.where(habits.hospital & (silent > rules.shortest_days), add.hospital, 1.0),
        "unseen_half_year": np.where(some & (silent >= add.unseen_days), add.unseen, 1.0),
        "weak_only": np.where(
            some & ~habits.strong, add.weak_only ** np.clip(habits.weak_windows, 1, add.weak_only_windows), 1.0
        ),
        "oldest": np.where(np.nan_to_num(candidates.age) >= add.oldest_from, add.oldest, 1.0),
        "unidentified_record": np.where(habits.hinted, add.unidentified, 1.0),
    }


def _habits(signals: Signals, origins: Origins, scale: Scale) -> _Habits:
    people = signals.people
    rows = np.flatnonzero(positive_rows(signals, scale))
    person = np.searchsorted(signals.starts, rows, side="right") - 1
    day = signals.day[rows].astype(np.int64)
    first, last = np.full(people, scale.until), np.zeros(people, dtype=np.int64)
    np.minimum.at(first, person, day)
    np.maximum.at(last, person, day)
    wards = np.asarray([item.source in scale.rules.risk.add_ons.hospital_sources for item in origins.items], dtype=bool)
    latest = day == last[person]
    strong, hospital, hinted = (np.zeros(people, dtype=bool) for _ in range(3))
    strong[person[scale.strong[signals.origin[rows]]]] = True
    hospital[person[latest & wards[signals.origin[rows]]]] = True
    hints = np.flatnonzero((signals.kind == Kind.HINT) & (signals.day <= scale.until))
    owner = np.searchsorted(signals.starts, hints, side="right") - 1
    hinted[owner[signals.day[hints] >= last[owner]]] = True
    return _Habits(
        records=np.bincount(person, minlength=people),
        first=first,
        last=last,
        hospital=hospital,
        strong=strong,
        hinted=hinted,
        weak_windows=(scale.until - _last_in_person(signals, scale)) // (scale.until - scale.after),
    )


def _last_in_person(signals: Signals, scale: Scale) -> Array:
    """The last day each person was seen by a strong source; of whom none ever saw, the first day he was seen at all."""
    rows = np.flatnonzero((signals.kind == Kind.SEEN) & (signals.day <= scale.until))
    person = np.searchsorted(signals.starts, rows, side="right") - 1
    day, strong = signals.day[rows].astype(np.int64), scale.strong[signals.origin[rows]]
    first, last = np.full(signals.people, scale.until), np.zeros(signals.people, dtype=np.int64)
    np.minimum.at(first, person, day)
    np.maximum.at(last, person[strong], day[strong])
    return np.where(last > 0, last, first)


def _yearly(rules: Risk, candidates: Candidates) -> Array:
    """Yearly risk of death; the mean of men and women, or that of seventy, where sex or age are unknown."""
    age = np.maximum(np.where(np.isnan(candidates.age), _UNKNOWN_AGE, candidates.age), 0.0)
    men, women = (_by_age(table, age) for table in (rules.male, rules.female))
    male = np.where(np.isnan(candidates.male), 0.5, candidates.male)
    yearly: Array = (male * men + (1 - male) * women) / 1000
    return yearly


def _by_age(table: Mapping[int, float], age: Array) -> Array:
    starts = np.asarray(sorted(table))
    deaths: Array = np.asarray([table[start] for start in starts.tolist()])
    return deaths[np.searchsorted(starts, age, side="right") - 1]
