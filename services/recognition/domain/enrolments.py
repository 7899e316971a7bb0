"""States of an enrolment, and the only ways between them."""

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """State of an enrolment as people have decided it."""

    ACTIVE = "active"
    NOTICE = "notice_of_intended_stop"
    SUSPENDED = "suspended"
    TERMINATED = "terminated"


class Step(StrEnum):
    """What may happen to an enrolment."""

    GIVE_NOTICE = "give_notice"
    ANNOUNCE_END = "announce_end"
    WITHDRAW = "withdraw"
    SUSPEND = "suspend"
    TERMINATE = "terminate"
    RESUME = "resume"
    REINSTATE = "reinstate"
    SUSPEND_AGAIN = "suspend_again"
    BEGIN_ANEW = "begin_anew"


TRANSITIONS: dict[tuple[Status, Step], Status] = {
    (Status.ACTIVE, Step.GIVE_NOTICE): Status.NOTICE,
    (Status.ACTIVE, Step.ANNOUNCE_END): Status.NOTICE,
    (Status.NOTICE, Step.WITHDRAW): Status.ACTIVE,
    (Status.NOTICE, Step.SUSPEND): Status.SUSPENDED,
    (Status.NOTICE, Step.TERMINATE): Status.TERMINATED,
    (Status.SUSPENDED, Step.RESUME): Status.ACTIVE,
    # Whoever is suspended stays so while the end of his benefit is announced: a notice pays nobody. He is not told that
    # he is to be suspended; that waits until the first suspension is lifted.
    (Status.SUSPENDED, Step.ANNOUNCE_END): Status.SUSPENDED,
    (Status.SUSPENDED, Step.TERMINATE): Status.TERMINATED,
    (Status.TERMINATED, Step.REINSTATE): Status.ACTIVE,
    # Whose end was false and who had been suspended before goes back to that: it was for another reason.
    (Status.TERMINATED, Step.SUSPEND_AGAIN): Status.SUSPENDED,
    # The roster lists a benefit that began after the end of the old one: the owner's grant, and no officer's step.
    (Status.TERMINATED, Step.BEGIN_ANEW): Status.ACTIVE,
}
"""Every step there is; what is not here does not exist."""

STOPPED = frozenset({Status.SUSPENDED, Status.TERMINATED})
"""States in which no money leaves: reached by a decision of two people only."""


def needs_decision(step: Step) -> bool:
    """Whether a step needs a decision one named person made and another confirmed."""
    return step in {Step.GIVE_NOTICE, Step.ANNOUNCE_END, Step.SUSPEND, Step.TERMINATE, Step.SUSPEND_AGAIN}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Who decided, and who stands behind it."""

    decided_by: str
    confirmed_by: str | None

    @property
    def confirmed(self) -> bool:
        """Whether somebody else than its author stands behind it."""
        return self.confirmed_by is not None and self.confirmed_by != self.decided_by


class TransitionError(ValueError):
    """A step that does not exist from this state, or that nobody decided."""


def after(status: Status, step: Step, decision: Decision | None = None) -> Status:
    """The state after a step.

    Raises:
        TransitionError: no such step from here, or a stop without a decision of two people.
    """
    target = TRANSITIONS.get((status, step))
    if target is None:
        msg = f"an enrolment that is {status} cannot {step}"
        raise TransitionError(msg)
    if needs_decision(step) and (decision is None or not decision.confirmed):
        msg = f"{step} needs a decision that another person confirmed"
        raise TransitionError(msg)
    return target
