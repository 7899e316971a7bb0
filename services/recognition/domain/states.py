"""States of what is decided, proposed and run."""

from enum import StrEnum


class ProposalState(StrEnum):
    """Life of a proposal: open, decided by one, then confirmed by another, rejected, or withdrawn by new facts."""

    OPEN = "open"
    DECIDED = "decided"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


class DecisionState(StrEnum):
    """Life of a decision: announced, in effect, lifted again or never carried out."""

    NOTICE = "notice"
    EFFECTIVE = "effective"
    LIFTED = "lifted"
    WITHDRAWN = "withdrawn"


class RunState(StrEnum):
    """Life of a run or job."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
