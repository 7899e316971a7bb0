"""Claims: what of the payments for a period the stops of a benefit leave undue, and which claims it, to the fen."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import chain, pairwise
from uuid import UUID

from services.recognition.domain.dues import Span, alone, not_due


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Months a decision has stopped.

    Attributes:
        until: first month due again; None where it is in effect.
        owed_from: first month that its lifting has paid back; as `until` where none was.
        lifted_at: when it was lifted; None where it was not, or where a roster listed the person anew.
        not_due: months since `owed_from` that it has not: due to nobody all the same.
        waits_from: first month whose paying back waits for something else that people have found.
    """

    decision_id: UUID
    stops_from: date
    until: date | None = None
    owed_from: date | None = None
    lifted_at: datetime | None = None
    not_due: Sequence[date] = ()
    waits_from: date | None = None

    def claimed(self, recorded_at: datetime) -> Span:
        """Months for which nothing confirmed then was due: what its lifting paid back was set off against that."""
        waits = () if self.waits_from is None else (Span(first=self.waits_from),)
        late = self.lifted_at is None or recorded_at > self.lifted_at
        return Span(first=self.stops_from, end=self.until, gaps=() if late else self.owed(waits))

    def owed(self, but: Sequence[Span] = ()) -> tuple[Span, ...]:
        """Months that its lifting pays back, waiting or not."""
        if self.owed_from is None:
            return ()
        return (Span(first=self.owed_from, end=self.until, gaps=(*alone(self.not_due), *but)),)


def as_owed(stops: Iterable[Stop], decision_id: UUID | None = None) -> list[Stop]:
    """Stops of a benefit as if no month waited: of one of them, or of any."""
    return [replace(each, waits_from=None) if decision_id in {None, each.decision_id} else each for each in stops]


def beside(stops: Sequence[Stop], decision_id: UUID, owed: Span) -> list[Span]:
    """What is stopped beside the months that one of the stops owes: what was paid is set off against those first.

    Whether a stop takes a month, or it would be owed, is for whoever asks, but where a roster listed the person anew.
    What a later lift owes is none of it: that sets off what this one has left.
    """
    at = next(each.lifted_at for each in stops if each.decision_id == decision_id)
    lifted = [each for each in stops if at and each.lifted_at]
    later = [each for each in lifted if (each.lifted_at, decision_id) > (at, each.decision_id)]
    gaps = owed, *chain(*(each.owed() for each in later))
    return [
        Span(first=each.stops_from, end=each.until, gaps=() if each.until and not each.lifted_at else gaps)
        for each in stops
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """A payment that was confirmed.

    Attributes:
        claimed_fen: what overpayments claim of it by now.
        own_fen: the part of that which belongs to the stop in question.
    """

    payrun_id: UUID
    amount_fen: int
    paid_on: date
    recorded_at: datetime
    claimed_fen: int = 0
    own_fen: int = 0


Lines = dict[tuple[date, UUID], int]
"""Parts of payments, in fen, by period and list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A paying period of a benefit, and what was paid for it, oldest first."""

    month: date
    months: int
    monthly_fen: int
    paid: tuple[Paid, ...]

    def unclaimed(self, stops: Sequence[Stop], decision_id: UUID) -> list[tuple[Paid, int]]:
        """What one of the stops has still to claim, and of which payments: all stops together what was not due, once.

        What waits is claimed from nobody anew.

        Args:
            stops: every stop of the benefit, oldest first.
            decision_id: the one in question.
        """
        left = min(self._missing(as_owed(stops), decision_id))
        lines = []
        for each in reversed(self.paid):
            fen = min(left, each.amount_fen - each.claimed_fen)
            if fen > 0:
                lines.append((each, fen))
                left -= fen
        return lines

    def until(self, at: datetime) -> "Period":
        """The same with what was confirmed by an instant."""
        return replace(self, paid=tuple(each for each in self.paid if each.recorded_at <= at))

    def let_go(self, stops: Sequence[Stop], decision_id: UUID) -> Lines:
        """What of its claims a stop has to let go, the oldest payments first: they have become due.

        It holds what is claimed by no other of what all together have to claim.

        Args:
            stops: every stop of the benefit, oldest first.
            decision_id: the one in question.
        """
        left = -max(self._missing(stops, decision_id))
        lines: Lines = {}
        for each in self.paid:
            fen = min(left, each.own_fen)
            if fen > 0:
                lines[self.month, each.payrun_id] = fen
                left -= fen
        return lines

    def _missing(self, stops: Sequence[Stop], decision_id: UUID) -> tuple[int, int]:
        """What is missing in the claims of one stop, and in those of all; below zero where it is too much."""
        shares = self._shares(stops)
        own = sum(fen for stop, fen in zip(stops, shares, strict=True) if stop.decision_id == decision_id)
        return (
            own - sum(each.own_fen for each in self.paid),
            sum(shares) - sum(each.claimed_fen for each in self.paid),
        )

    def set_off(self, owed: Span, stopped: Sequence[Span]) -> int:
        """What was paid already for months that are owed after all, beside those that stay stopped."""
        return sum(self._undue([*stopped, owed])) - sum(self._undue(stopped))

    def _shares(self, stops: Sequence[Stop]) -> list[int]:
        """What each stop makes undue that none before it does."""
        shares = [0] * len(stops)
        for at, each in enumerate(self.paid):
            spans = [stop.claimed(each.recorded_at) for stop in stops]
            undue = [self._undue(spans[:count])[at] for count in range(len(stops) + 1)]
            shares = [share + more - less for share, (less, more) in zip(shares, pairwise(undue), strict=True)]
        return shares

    def _undue(self, spans: Iterable[Span]) -> list[int]:
        """What of each payment the months outside of these do not make."""
        stopped = {month for span in spans for month in span.months_of(self.month, self.months)}
        return not_due([each.amount_fen for each in self.paid], self.monthly_fen, self.months, len(stopped))


def part_of(now: Lines, at_most: Lines, fen: int) -> Lines:
    """So much of what may be let go: what is not to wait first."""
    lines, left = dict(now), fen - sum(now.values())
    for line, most in at_most.items():
        more = min(left, most - now.get(line, 0))
        if more > 0:
            lines[line] = now.get(line, 0) + more
            left -= more
    return lines
