"""Weighing positive evidence: the newest strong act of each person, and what the weak records come to together.

Points are counted in thousandths as integers, so that no order of adding can change a sum.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np

from services.scoring.domain.rules import Per, RuleSet, window_start
from services.scoring.domain.signals import EPOCH, Array, Kind, Origins, Signals, day_number

MILLI = 1000
_NONE = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scale:
    """A rule set laid beside the origins: for each origin number what its records are worth.

    Attributes:
        rules: the rule set.
        today: day of the assessment.
        after: day number; evidence counts when its day is greater.
        until: day number of today; later evidence is not known yet.
        strong: whether the origin's evidence is strong.
        points: thousandths of a counted record, weak or unsure.
        cap: thousandths at most from the source.
        monthly: whether it counts once a month.
        department: number of the department.
        source: number of the source, as in the row order.
        name: rank of the source's code; unlike its number it is the same whatever came first.
        outside: whether its evidence tells that a sentence is served outside.
    """

    rules: RuleSet
    today: date
    after: int
    until: int
    strong: Array
    points: Array
    cap: Array
    monthly: Array
    department: Array
    source: Array
    name: Array
    outside: Array


def scale_of(rules: RuleSet, origins: Origins, today: date) -> Scale:
    """The scale of a day."""
    departments: dict[str, int] = {}
    worth = [rules.worth_of(item.source, strong=item.strong) for item in origins.items]
    numbers = [departments.setdefault(item.department, len(departments)) for item in origins.items]
    return Scale(
        rules=rules,
        today=today,
        after=day_number(window_start(today, rules.window_months)),
        until=day_number(today),
        strong=np.asarray([item.strong for item in origins.items], dtype=bool),
        points=np.asarray([each.points for each in worth], dtype=np.int64) * MILLI,
        cap=np.asarray([each.cap for each in worth], dtype=np.int64) * MILLI,
        monthly=np.asarray([each.per is Per.MONTH for each in worth], dtype=bool),
        department=np.asarray(numbers, dtype=np.int64),
        source=origins.source_numbers.astype(np.int64),
        name=np.unique([item.source for item in origins.items], return_inverse=True)[1].astype(np.int64),
        outside=outside_of(rules, origins),
    )


def outside_of(rules: RuleSet, origins: Origins) -> Array:
    """For each origin number whether it sees those who serve a sentence outside."""
    watching = rules.negatives.outside_sources
    return np.asarray([each.strong and each.source in watching for each in origins.items], dtype=bool)


def beyond_positive(signals: Signals, scale: Scale) -> Array:
    """Mask of the rows that tell more of a person than that somebody saw him: negatives, and sentences outside."""
    mask: Array = signals.kind != Kind.SEEN
    for number in np.flatnonzero(scale.outside).tolist():  # one or two: compared faster than looked up row by row
        mask |= signals.origin == number
    return mask


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Strongest:
    """For each person the newest strong act that is surely his; `row` is -1 where there is none."""

    day: Array
    row: Array
    evidence: Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Combination:
    """What the weak evidence of each person comes to.

    Attributes:
        points: thousandths, caps and decay applied.
        sources: different ones that gave points.
        departments: different ones that gave points.
        days: different ones on which counted records lie.
        newest: day number of the newest, 0 where there is none.
        person: of each group (person and source), ascending.
        origin: of each group.
        given: thousandths each group gave.
        counted: records of each group that count.
        row: rows that gave points, ascending.
    """

    points: Array
    sources: Array
    departments: Array
    days: Array
    newest: Array
    person: Array
    origin: Array
    given: Array
    counted: Array
    row: Array


def positive_rows(signals: Signals, scale: Scale) -> Array:
    """Mask of rows in which the person was seen within the window."""
    seen: Array = (signals.kind == Kind.SEEN) & (signals.day > scale.after) & (signals.day <= scale.until)
    return seen


def newest_strong(signals: Signals, scale: Scale, seen: Array) -> Strongest:
    """The newest strong act of each person; of several on one day that of the source first by its code.

    Evidence ids count files as they come, so that by them the class of a certificate would depend on what came first.
    """
    people = signals.people
    day, row = np.zeros(people, dtype=np.int64), np.full(people, -1, dtype=np.int64)
    evidence = np.full(people, _NONE, dtype=np.int64)
    rows = np.flatnonzero(seen & signals.full & scale.strong[signals.origin])
    if len(rows):
        person = _persons_of(signals, rows)
        first = np.flatnonzero(np.concatenate(([True], person[1:] != person[:-1])))
        day[person[first]] = np.maximum.reduceat(signals.day[rows], first)
        last = signals.day[rows] == day[person]
        rows, person = rows[last], person[last]
        order = np.lexsort((signals.evidence[rows], scale.name[signals.origin[rows]], person))
        rows, person = rows[order], person[order]
        first = np.flatnonzero(np.concatenate(([True], person[1:] != person[:-1])))
        row[person[first]] = rows[first]
        evidence[person[first]] = signals.evidence[rows[first]]
    return Strongest(day=day, row=row, evidence=evidence)


def weigh(signals: Signals, scale: Scale, seen: Array, people: Array) -> Combination:
    """What the weak and unsure records of the chosen people (a mask) come to together."""
    decides = scale.strong[signals.origin] & signals.full
    rows = np.flatnonzero(seen & ~decides & np.repeat(people, np.diff(signals.starts)))
    rows = rows[scale.points[signals.origin[rows]] > 0]
    person = _persons_of(signals, rows)
    source = scale.source[signals.origin[rows]]
    rows, person, source = _once_a_month(signals, scale, rows, person, source)
    if not len(rows):
        return _nothing(signals.people)
    worth = _worth(signals, scale, rows)
    start = np.flatnonzero(np.concatenate(([True], (person[1:] != person[:-1]) | (source[1:] != source[:-1]))))
    total, cap = np.add.reduceat(worth, start), scale.cap[signals.origin[rows[start]]]
    group = np.repeat(np.arange(len(start)), np.diff(np.append(start, len(rows))))
    # Within a group days ascend: a record counts while those newer than it have not filled the cap.
    newer = np.cumsum(total)[group] - np.cumsum(worth)
    counts = newer < cap[group]
    return _combined(signals, scale, rows[counts], group[counts], _Groups(person[start], rows[start], total, cap))


def _persons_of(signals: Signals, rows: Array) -> Array:
    return np.searchsorted(signals.starts, rows, side="right") - 1


def _once_a_month(
    signals: Signals, scale: Scale, rows: Array, person: Array, source: Array
) -> tuple[Array, Array, Array]:
    """Of sources that report by month only the newest record of each month."""
    monthly = scale.monthly[signals.origin[rows]]
    if not monthly.any():
        return rows, person, source
    month = _month_numbers(scale)[signals.day[rows]]
    same = (person[1:] == person[:-1]) & (source[1:] == source[:-1]) & (month[1:] == month[:-1])
    keep = ~(monthly & np.append(same, False))
    return rows[keep], person[keep], source[keep]


def _month_numbers(scale: Scale) -> Array:
    days = np.datetime64(EPOCH, "D") + np.arange(scale.until + 1)
    return days.astype("datetime64[M]").astype(np.int64)


def _worth(signals: Signals, scale: Scale, rows: Array) -> Array:
    span = scale.until - scale.after
    lost = 100 - scale.rules.floor_percent
    age = scale.until - signals.day[rows].astype(np.int64)
    points = scale.points[signals.origin[rows]]
    return points - points * lost * age // (100 * span)


@dataclass(frozen=True, slots=True)
class _Groups:
    person: Array
    row: Array
    total: Array
    cap: Array


def _combined(signals: Signals, scale: Scale, rows: Array, group: Array, groups: _Groups) -> Combination:
    people = signals.people
    given = np.minimum(groups.total, groups.cap)
    origin = signals.origin[groups.row]
    person = groups.person[group]
    newest = np.zeros(people, dtype=np.int64)
    np.maximum.at(newest, person, signals.day[rows])
    return Combination(
        points=_count(groups.person, given, people),
        sources=_count(groups.person, None, people),
        departments=_different(groups.person, scale.department[origin], people),
        days=_different(person, signals.day[rows], people),
        newest=newest,
        person=groups.person,
        origin=origin,
        given=given,
        counted=np.bincount(group, minlength=len(given)),
        row=rows,
    )


def _count(person: Array, weight: Array | None, people: int) -> Array:
    # Sums stay far below 2^53, so that floating point adds them exactly.
    return np.bincount(person, weights=weight, minlength=people).astype(np.int64)


def _different(person: Array, value: Array, people: int) -> Array:
    """For each person how many different values."""
    pairs = np.sort(person.astype(np.int64) << 17 | value.astype(np.int64))
    new = np.concatenate(([True], pairs[1:] != pairs[:-1])) if len(pairs) else np.zeros(0, dtype=bool)
    return _count(pairs[new] >> 17, None, people)


def _nothing(people: int) -> Combination:
    none, zero = np.empty(0, dtype=np.int64), np.zeros(people, dtype=np.int64)
    return Combination(
        points=zero,
        sources=zero,
        departments=zero,
        days=zero,
        newest=zero,
        person=none,
        origin=none,
        given=none,
        counted=none,
        row=none,
    )
