"""Requests to stop a benefit and tips about a wrong one, as state machines; what a reporter is owed."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from shared.contracts.vocabulary import IN_OWN_WORDS, CaseConclusion, CaseParty, SuspicionKind

_DEATHS = (SuspicionKind.DEATH, SuspicionKind.CONFLICT)
SAID_BY: dict[str, tuple[SuspicionKind, ...]] = {
    "death": _DEATHS,
    "declared_dead": _DEATHS,
    "household_extinct": _DEATHS,
    "imprisonment": (SuspicionKind.INCARCERATION,),
    "detention": (SuspicionKind.INCARCERATION,),
    "criminal_punishment": (SuspicionKind.INCARCERATION,),
    "sentenced_community": (SuspicionKind.INCARCERATION,),
    "missing": (SuspicionKind.MISSING,),
    "duplicate_receipt": (SuspicionKind.DUPLICATE_RECEIPT,),
    IN_OWN_WORDS: tuple(SuspicionKind),
}
"""What a register has to suspect to say the same as the reason of a request; of any other reason none tells."""

REPORTED_AS = {
    "death": SuspicionKind.DEATH,
    "imprisonment": SuspicionKind.INCARCERATION,
    "missing": SuspicionKind.MISSING,
}
"""As what a village's list tells of a request; other reasons are no suspicion, or a wider one than what was found."""


class Told(StrEnum):
    """What a request may tell of the person that ends or suspends more than one benefit; it has to name a day."""

    DEATH = "death"
    DECLARED_DEAD = "declared_dead"
    HOUSEHOLD_EXTINCT = "household_extinct"
    MISSING = "missing"
    IMPRISONMENT = "imprisonment"
    DETENTION = "detention"


class StopState(StrEnum):
    """Where a request to stop stands: two people look at it, one after the other."""

    RECEIVED = "received"
    VERIFIED = "verified"
    CONCLUDED = "concluded"


class StopAction(StrEnum):
    """A step of a request to stop."""

    VERIFY = "verification"
    CONCLUDE = "conclusion"


class TipState(StrEnum):
    """Where a tip stands."""

    RECEIVED = "received"
    DISMISSED = "dismissed"
    KNOWN = "known_before"
    ACCEPTED = "accepted"
    PROVED = "proved"
    NOT_PROVED = "not_proved"
    CALCULATED = "reward_calculated"
    APPROVED = "reward_approved"
    CLAIMED = "reward_claimed"
    EXPIRED = "reward_expired"
    PAID = "reward_paid"


class TipAction(StrEnum):
    """A step of a tip."""

    DISMISS = "dismiss"
    ACCEPT = "accept"
    KNOW = "know"
    PROVE = "prove"
    DISPROVE = "disprove"
    CALCULATE = "calculate"
    APPROVE = "approve"
    CLAIM = "claim"
    EXPIRE = "expire"
    PAY = "pay"


_STOP = {
    (StopState.RECEIVED, StopAction.VERIFY): StopState.VERIFIED,
    (StopState.VERIFIED, StopAction.CONCLUDE): StopState.CONCLUDED,
}

_TIP = {
    (TipState.RECEIVED, TipAction.DISMISS): TipState.DISMISSED,
    (TipState.RECEIVED, TipAction.ACCEPT): TipState.ACCEPTED,
    (TipState.RECEIVED, TipAction.KNOW): TipState.KNOWN,
    (TipState.ACCEPTED, TipAction.PROVE): TipState.PROVED,
    (TipState.ACCEPTED, TipAction.DISPROVE): TipState.NOT_PROVED,
    (TipState.PROVED, TipAction.CALCULATE): TipState.CALCULATED,
    # Another overpayment may be found until somebody has approved the sum.
    (TipState.CALCULATED, TipAction.CALCULATE): TipState.CALCULATED,
    (TipState.CALCULATED, TipAction.APPROVE): TipState.APPROVED,
    (TipState.APPROVED, TipAction.CLAIM): TipState.CLAIMED,
    (TipState.APPROVED, TipAction.EXPIRE): TipState.EXPIRED,
    (TipState.CLAIMED, TipAction.PAY): TipState.PAID,
}


STOP_TURNS: dict[StopState, CaseParty] = {
    StopState.RECEIVED: CaseParty.VILLAGE,
    StopState.VERIFIED: CaseParty.AGENCY,
}
"""Whose turn it is."""


def follow_stop(state: StopState, action: StopAction) -> StopState | None:
    """The state after a step, or None where it may not be taken."""
    return _STOP.get((state, action))


def follow_tip(state: TipState, action: TipAction) -> TipState | None:
    """The state after a step, or None where it may not be taken."""
    return _TIP.get((state, action))


def what_the_case_says(conclusion: CaseConclusion) -> TipAction:
    """What the end of the case means for the tip that opened it."""
    confirmed = {CaseConclusion.CONFIRMED, CaseConclusion.CONFIRMED_NO_OVERPAYMENT}
    return TipAction.PROVE if conclusion in confirmed else TipAction.DISPROVE


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """What was overpaid in a case.

    Attributes:
        found: how many overpayments.
        unsettled: how many of them still await money.
        recovered_fen: what came back of all.
        none_expected: people said that there is none, or the benefit was ended or suspended and nothing paid after.
        pending: the person still draws something of which nobody has decided, in the time in which that is due.
    """

    found: int
    unsettled: int
    recovered_fen: int
    none_expected: bool
    pending: bool

    @property
    def settled(self) -> bool:
        """Whether the sum will not change any more; until then nobody can say what a share of it is."""
        return not self.pending and (self.unsettled == 0 if self.found else self.none_expected)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reward:
    """A dated rule of rewards; money in fen.

    Attributes:
        since: first day it holds.
        without_loss: for a proved tip where nothing was lost.
        share_percent: of what came back.
        least: where something was lost, however little came back.
        most: never more.
        claim_days: after the approval the reporter has so long.
    """

    since: date
    without_loss: int
    share_percent: float
    least: int
    most: int
    claim_days: int

    def of(self, recovered_fen: int, *, lost: bool) -> int:
        """What the first reporter is owed once it is known whether something was lost and what came back of it.

        In fen, rounded down.
        """
        if not lost:
            return self.without_loss
        share = recovered_fen * round(self.share_percent * 100) // 10_000
        return max(self.least, min(self.most, share))
