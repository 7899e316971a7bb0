"""Back-tests: what a rule set would have decided on past days, beside what is known to have happened.

Signals count by the day of their event, as far as it had come by then; how late a source delivers is not replayed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import date, timedelta

import numpy as np

from services.scoring.domain.assessment import assess
from services.scoring.domain.opinions import CERTIFIABLE, INSUFFICIENT, SUSPECTED
from services.scoring.domain.signals import Array, Origins, Signals, day_of
from services.scoring.domain.weighing import Scale


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestRow:
    """One past day.

    Attributes:
        on: the day.
        people: of whom anything was known by then.
        certified: visits saved.
        insufficient: visits needed.
        suspected: cases opened.
        lost: had lost eligibility by then.
        lost_suspected: of them, suspected.
        lost_certified: of them, certified by evidence dated after the loss: wrong.
        missed: of them, not suspected.
        living_suspected: suspected without a known loss.
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


def backtest_row(signals: Signals, origins: Origins, scale: Scale, lost_on: Array) -> BacktestRow:
    """What the rules of `scale` decide on its day; `lost_on` holds the day number of each person's loss, or 0."""
    opinions = assess(signals, origins, scale)
    first = np.minimum.reduceat(signals.day, signals.starts[:-1]) if signals.people else np.zeros(0)
    known = first <= scale.until
    lost = (lost_on > 0) & (lost_on <= scale.until) & known
    decided = {code: (opinions.decision == code) & known for code in (CERTIFIABLE, INSUFFICIENT, SUSPECTED)}
    suspected, certified = decided[SUSPECTED], decided[CERTIFIABLE]
    return BacktestRow(
        on=day_of(scale.until),
        people=int(known.sum()),
        certified=int(certified.sum()),
        insufficient=int(decided[INSUFFICIENT].sum()),
        suspected=int(suspected.sum()),
        lost=int(lost.sum()),
        lost_suspected=int((lost & suspected).sum()),
        lost_certified=int((lost & certified & (opinions.as_of > lost_on)).sum()),
        missed=int((lost & ~suspected).sum()),
        living_suspected=int((suspected & ~lost).sum()),
    )


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
        points = " ".join(f"{_across(number, len(rows)):.1f},{_up(share):.1f}" for number, share in enumerate(shares))
        lines.append(f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{points}"/>')
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
