"""Overpayments: what was paid for months in which nothing was due, and how it comes back, to the fen."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from services.recognition.domain.months import month_number, month_start


class OverpaymentState(StrEnum):
    """Life of an overpayment. What is closed has nothing left to come back."""

    CALCULATED = "calculated"
    NOTIFIED = "notified"
    REFERRED = "referred"
    CLOSED = "closed"
    CANCELLED = "cancelled"


class RecoveryKind(StrEnum):
    """How a part of it is settled: paid back, set off against something due to the person, or given up."""

    PAID = "paid"
    OFFSET = "offset"
    WRITTEN_OFF = "written_off"


class OffsetAgainst(StrEnum):
    """What a part may be set off against (人社厅发〔2021〕77号)."""

    FUNERAL_GRANT = "funeral_grant"
    ACCOUNT_BALANCE = "account_balance"
    OTHER_BENEFIT = "other_benefit"


class ReferredTo(StrEnum):
    """Who goes on where a notice was not enough."""

    ADMINISTRATIVE_ORDER = "administrative_order"
    COURT = "court"
    POLICE = "police"


class RecoveryState(StrEnum):
    """A recovery counts once it is booked; what gives money up or withholds it waits for another officer."""

    PROPOSED = "proposed"
    BOOKED = "booked"
    REFUSED = "refused"


NEEDS_ANOTHER = frozenset({RecoveryKind.OFFSET, RecoveryKind.WRITTEN_OFF})
"""Kinds one officer proposes and another approves."""


class AmountError(ValueError):
    """An amount that does not fit what is owed; its message is safe to answer with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """Where an overpayment stands, in fen."""

    due: int
    paid: int = 0
    offset: int = 0
    written_off: int = 0

    @property
    def recovered(self) -> int:
        """What came back; what was given up did not."""
        return self.paid + self.offset

    @property
    def gone(self) -> int:
        """What is not owed any more: it came back or was given up."""
        return self.recovered + self.written_off

    @property
    def left(self) -> int:
        """What is still owed."""
        return self.due - self.gone

    @property
    def asked(self) -> int:
        """What was to come back, whether or not it has: all but what was given up."""
        return self.due - self.written_off

    @property
    def settled(self) -> bool:
        """Whether nothing is owed any more; a partly recovered case stays open."""
        return self.left == 0


def book(balance: Balance, kind: RecoveryKind, fen: int) -> Balance:
    """The balance after a recovery.

    Raises:
        AmountError: nothing, or more than is owed.
    """
    if fen <= 0:
        msg = "An amount is at least one fen."
        raise AmountError(msg)
    if fen > balance.left:
        msg = f"Only {balance.left} fen are still owed; book that much at most and hand the rest back."
        raise AmountError(msg)
    grown = {str(kind): getattr(balance, kind) + fen}
    kept = {name: getattr(balance, name) for name in ("due", "paid", "offset", "written_off")}
    return Balance(**{**kept, **grown})


def cut(balance: Balance, due: int) -> Balance:
    """The balance where less was due from the beginning: what was given up stays given up, what came back counts next.

    What had come back beyond that is to be handed out.
    """
    written_off = min(balance.written_off, due)
    paid = min(balance.paid, due - written_off)
    offset = min(balance.offset, due - written_off - paid)
    return Balance(due=due, paid=paid, offset=offset, written_off=written_off)


def still_due(balance: Balance, let_go: int, let_go_at_most: int) -> int:
    """What of an overpayment is still due by a lift.

    Args:
        balance: where it stands.
        let_go: what of it is paid back now.
        let_go_at_most: the same with the months that wait: of these what has come back is handed out to nobody yet.
    """
    return min(balance.due - let_go, max(balance.due - let_go_at_most, balance.gone))


@dataclass(frozen=True, slots=True, kw_only=True)
class Instalment:
    """One payment of a plan."""

    number: int
    due_on: date
    amount_fen: int


def instalments(fen: int, count: int, first_on: date) -> list[Instalment]:
    """`fen` in `count` monthly parts that add up exactly; the odd fen come first. At least one fen each.

    Raises:
        AmountError: more parts than fen.
    """
    if not 1 <= count <= fen:
        msg = "A plan has at least one part, and no part of less than one fen."
        raise AmountError(msg)
    each, odd = divmod(fen, count)
    first = month_number(first_on)
    return [
        Instalment(number=at + 1, due_on=_same_day(first + at, first_on.day), amount_fen=each + (at < odd))
        for at in range(count)
    ]


def _same_day(month: int, day: int) -> date:
    start, following = month_start(month), month_start(month + 1)
    return start.replace(day=min(day, (following - start).days))


def late_fen(plan: Sequence[Instalment], come: int, today: date) -> int:
    """How much of a plan should have come by now and has not, where `come` has since it was agreed."""
    expected = sum(each.amount_fen for each in plan if each.due_on < today)
    return max(0, expected - max(0, come))
