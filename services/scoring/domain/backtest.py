"""Back-tests: what a rule set would have decided on past days, beside what is known to have happened.

A signal counts from the day it was delivered, where that is known, until the day it was taken back. What people
concluded does not count: it is what the rules are held against, not what they decide by.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, timedelta

import numpy as np

from services.scoring.domain.assessment import assess
from services.scoring.domain.opinions import CERTIFIABLE, INSUFFICIENT, SUSPECTED, Opinions
from services.scoring.domain.rules import RuleSet
from services.scoring.domain.signals import BATCH_BITS, BY_PEOPLE, Array, Kind, Origins, Signals, day_number, day_of
from services.scoring.domain.weighing import Scale, outside_of
from shared.contracts.vocabulary import SuspicionKind


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestRow:
    """One past day.

    Attributes:
        on: the day.
        people: of whom anything was known by then.
        certified: visits saved.
        insufficient: visits needed.
        suspected: cases opened.
        lost: have no eligibility on that day, whether a source had seen them or not.
        lost_suspected: of them, suspected.
        lost_certified: of them, certified by evidence dated after the loss: wrong.
        missed: of them, not suspected.
        living_suspected: suspected, though known to have lost nothing.
        unconcluded: suspected, and nobody has concluded yet whether rightly.
    """

    on: date
    people: int
    certified: int
    insufficient: int
    suspected: int
    lost: int
    lost_suspected: int
    lost_certified: int
    missed: int
    living_suspected: int
    unconcluded: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """What is known to have happened to somebody; `kind` is None where whoever says so does not tell."""

    subject: bytes
    lost_on: date
    kind: SuspicionKind | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Losses:
    """Losses beside the people of signals: position, day number of the loss, and of its end or the largest integer.

    `unseen_on` are the days on which people were lost of whom there is no signal at all: nobody could suspect them.
    `living_on` is for each person the day up to which he is known to have lost nothing but what is told here, or 0.
    """

    place: Array
    lost_on: Array
    back_on: Array
    unseen_on: Array
    living_on: Array

    def on(self, day: int, people: int) -> Array:
        """For each person the day number of the loss that lasts on this day, or 0."""
        lasting = (self.lost_on <= day) & (day < self.back_on)
        days = np.full(people, _NEVER)
        np.minimum.at(days, self.place[lasting], self.lost_on[lasting])
        return np.where(days == _NEVER, 0, days)


_NEVER = np.iinfo(np.int64).max
_ENDED_BY: dict[SuspicionKind | None, tuple[Kind, ...]] = {
    SuspicionKind.INCARCERATION: (Kind.RELEASED, Kind.SENTENCED_COMMUNITY),
    SuspicionKind.MISSING: (Kind.REFUTED_MISSING,),
}
_REFUTED = (Kind.REFUTED_DEATH, Kind.REFUTED_INCARCERATION, Kind.REFUTED_MISSING)


def losses_of(signals: Signals, losses: Iterable[Loss], origins: Origins, rules: RuleSet, *, whole: bool) -> Losses:
    """Losses beside the people of signals; a prison ends with the release, missing with being found.

    They are `whole` where whoever tells them knows of everybody; people have concluded of some only.

    What fits the number alone ends nothing here either; reporting to who watches over a sentence outside ends a prison.
    """
    reports = (signals.kind == Kind.SEEN) & outside_of(rules, origins)[signals.origin]
    found: list[tuple[int, int, int]] = []
    unseen: dict[bytes, int] = {}
    for each in losses:
        place = int(np.searchsorted(signals.subjects, np.asarray(each.subject, dtype="S16")))
        begun = day_number(each.lost_on)
        if place == signals.people or signals.subjects[place] != each.subject.rstrip(b"\0"):
            unseen[each.subject] = min(begun, unseen.get(each.subject, begun))
        else:
            rows = slice(*signals.starts[place : place + 2].tolist())
            ends = np.isin(signals.kind[rows], _ENDED_BY.get(each.kind, ()))
            if each.kind is SuspicionKind.INCARCERATION:
                ends |= reports[rows]
            ends &= signals.full[rows]
            later = signals.day[rows][ends & (signals.day[rows] > begun)]
            found.append((place, begun, int(later.min()) if len(later) else _NEVER))
    columns = np.asarray(found, dtype=np.int64).reshape(-1, 3).T
    unseen_on = np.asarray(list(unseen.values()), dtype=np.int64)
    return Losses(
        place=columns[0],
        lost_on=columns[1],
        back_on=columns[2],
        unseen_on=unseen_on,
        living_on=np.full(signals.people, _NEVER) if whole else _refuted_on(signals),
    )


def _refuted_on(signals: Signals) -> Array:
    """For each person the day of the newest refutation by people, or 0."""
    rows = np.flatnonzero(np.isin(signals.kind, _REFUTED))
    days = np.zeros(signals.people, dtype=np.int64)
    np.maximum.at(days, np.searchsorted(signals.starts, rows, side="right") - 1, signals.day[rows])
    return days


def delivered(signals: Signals, origins: Origins, received: Mapping[int, date]) -> tuple[Signals, Array]:
    """What sources told, and for each row the day number on which it came, 0 where nobody knows."""
    own = np.asarray([each.source not in BY_PEOPLE for each in origins.items], dtype=bool)
    told = signals.where(own[signals.origin])
    batches, places = np.unique(told.evidence >> BATCH_BITS, return_inverse=True)
    days = [day_number(received[batch]) if batch in received else 0 for batch in batches.tolist()]
    return told, np.asarray(days, dtype=np.int64)[places]


def backtest_row(signals: Signals, came_on: Array, origins: Origins, scale: Scale, losses: Losses) -> BacktestRow:
    """What the rules of `scale` decide on its day, from what had come by then."""
    signals = signals.where((came_on <= scale.until) & (signals.day <= scale.until))
    opinions = assess(signals, origins, scale)
    known = np.diff(signals.starts) > 0
    lost_on = losses.on(scale.until, signals.people)
    lost, unseen = lost_on > 0, int((losses.unseen_on <= scale.until).sum())
    decided = {code: (opinions.decision == code) & known for code in (CERTIFIABLE, INSUFFICIENT, SUSPECTED)}
    suspected, certified = decided[SUSPECTED], decided[CERTIFIABLE]
    unlost = suspected & ~lost
    living = unlost & (losses.living_on >= _begun_on(opinions))
    return BacktestRow(
        on=day_of(scale.until),
        people=int(known.sum()),
        certified=int(certified.sum()),
        insufficient=int(decided[INSUFFICIENT].sum()),
        suspected=int(suspected.sum()),
        lost=int(lost.sum()) + unseen,
        lost_suspected=int((lost & suspected).sum()),
        lost_certified=int((lost & certified & (opinions.as_of > lost_on)).sum()),
        missed=int((lost & ~suspected).sum()) + unseen,
        living_suspected=int(living.sum()),
        unconcluded=int((unlost & ~living).sum()),
    )


def _begun_on(opinions: Opinions) -> Array:
    """For each suspected person the day number of what people would have to conclude about; a conflict follows it."""
    days = np.zeros(len(opinions), dtype=np.int64)
    for place, found in opinions.suspicions.items():
        begun = [day_number(each.event_on) for each in found if each.kind is not SuspicionKind.CONFLICT]
        days[place] = max(begun, default=_NEVER)
    return days


def note_of(days: Sequence[date], first: date | None, undated: int) -> str | None:
    """What to know of the months that end before the first delivery, in the officer's words."""
    before = [each for each in days if first is None or each < first]
    if not before:
        return None
    left = f"只含 {undated} 条送达日期不明的记录" if undated else "因此没有任何数据"
    if first is None:
        return f"所选样本中没有一条记录载明送达日期:各月的数字{left},不代表当时能作出的判断。"
    until = before[-1].isoformat()
    begun = f"所选样本在 {first.isoformat()} 之前未收到任何送达日期明确的数据"
    return f"{begun}:截至 {until} 的各月{left},不代表规则本身的效果。"


def added(rows: Iterable[BacktestRow]) -> list[BacktestRow]:
    """Rows of several shards, added by day."""
    days: dict[date, list[BacktestRow]] = {}
    for row in rows:
        days.setdefault(row.on, []).append(row)
    names = [each.name for each in fields(BacktestRow) if each.name != "on"]
    return [
        BacktestRow(on=on, **{name: sum(getattr(row, name) for row in some) for name in names})
        for on, some in sorted(days.items())
    ]


def month_ends(begin: date, end: date) -> list[date]:
    """The last day of each month from `begin` on, up to and including `end`."""
    days: list[date] = []
    first = begin.replace(day=1)
    while True:
        following = (first + timedelta(days=32)).replace(day=1)
        last = following - timedelta(days=1)
        if last > end:
            return days
        days.append(last)
        first = following


_COLOURS = {"certified": "#2f7d4f", "insufficient": "#8a8a8a", "suspected": "#b3541e", "missed": "#7a1f5c"}
_WIDTH, _HEIGHT, _EDGE = 640, 280, 40


def plot(rows: Sequence[BacktestRow]) -> str:
    """The shares of people over time as an SVG picture."""
    lines, words = [], []
    for place, (name, colour) in enumerate(_COLOURS.items()):
        shares = [getattr(row, name) / max(row.people, 1) for row in rows]
        places = [(f"{_across(number, len(rows)):.1f}", f"{_up(share):.1f}") for number, share in enumerate(shares)]
        points = " ".join(f"{across},{up}" for across, up in places)
        lines.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{points}"/>')
        # A period of one month is a line of one point, which is not drawn.
        lines += [f'<circle cx="{across}" cy="{up}" r="3" fill="{colour}"/>' for across, up in places]
        words.append(f'<text x="{_EDGE + 130 * place}" y="16" fill="{colour}">{name}</text>')
    marks = [f'<text x="4" y="{_up(share) + 4:.1f}">{share:.0%}</text>' for share in (0, 0.5, 1)]
    marks += [
        f'<text x="{_across(number, len(rows)) - 14:.1f}" y="{_HEIGHT - 8}">{row.on:%y-%m}</text>'
        for number, row in enumerate(rows)
    ]
    inside = "".join((*lines, *words, *marks))
    box = f'xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}"'
    return f'<svg {box} font-family="sans-serif" font-size="12">{inside}</svg>'


def _across(number: int, count: int) -> float:
    return _EDGE + number * (_WIDTH - 2 * _EDGE) / max(count - 1, 1)


def _up(share: float) -> float:
    return _HEIGHT - _EDGE - share * (_HEIGHT - 2 * _EDGE)
