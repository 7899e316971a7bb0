"""Dues: what the months of a paying period make. What is paid back after a stop and what is claimed go by it alike."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from services.recognition.domain.months import month_number, month_start, next_month


@dataclass(frozen=True, slots=True, kw_only=True)
class Amount:
    """A monthly amount from a month on, in fen."""

    from_on: date
    fen: int


def amount_on(amounts: Sequence[Amount], month: date) -> int:
    """The monthly amount that held in a month; the first one before that."""
    ordered = sorted(amounts, key=lambda each: each.from_on)
    chosen = ordered[0]
    for each in ordered[1:]:
        if each.from_on <= month:
            chosen = each
    return chosen.fen


def most_between(amounts: Sequence[Amount], first: date, last: date) -> int:
    """The greatest monthly amount that held at a time from `first` to `last`: a list may have been advised by it."""
    return max(amount_on(amounts, first), *(each.fen for each in amounts if first < each.from_on <= last), 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Months from one on.

    Attributes:
        end: first month that is none of them any more; None without one.
        gaps: months in between that are none of them.
    """

    first: date
    end: date | None = None
    gaps: tuple["Span", ...] = ()

    def has(self, month: date) -> bool:
        """Whether a month, named by its first day, is one of them."""
        within = self.first <= month and (self.end is None or month < self.end)
        return within and not any(gap.has(month) for gap in self.gaps)

    def months_of(self, period_on: date, months: int) -> list[date]:
        """Which months of a paying period are of them."""
        start = month_number(period_on)
        return [month for month in map(month_start, range(start, start + months)) if self.has(month)]


def alone(months: Iterable[date]) -> tuple[Span, ...]:
    """Months, each named by its first day, as gaps."""
    return tuple(Span(first=month, end=next_month(month)) for month in months)


def not_due(paid: Sequence[int], monthly_fen: int, months: int, stopped: int) -> list[int]:
    """What of payments for one period its other months do not make, where some of its months were not due.

    Whoever was paid for the other months alone, as is advised, was paid nothing too much. A month is worth what the
    roster says, or its part of what was paid at once where that is more; a part of a fen is the person's.

    Args:
        paid: the payments for the period, oldest first: the newest were too much.
        monthly_fen: amount of a month.
        months: length of the period.
        stopped: how many of its months were not due; where all were, nothing of a payment was.
    """
    due = months - stopped
    left = max(monthly_fen * due, -(-max(paid, default=0) * due // months)) if stopped else sum(paid)
    parts = []
    for fen in paid:
        parts.append(max(0, fen - left))
        left = max(0, left - fen)
    return parts
