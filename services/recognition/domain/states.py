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


class JobKind(StrEnum):
    """What a job goes through: everybody of a program, people of a list, or a list about to be paid."""

    PROGRAM = "program"
    LIST = "list"
    PAYRUN = "payrun"


class ResultFormat(StrEnum):
    """How a result file is written."""

    NDJSON = "ndjson"
    PARQUET = "parquet"


class PayrunState(StrEnum):
    """Life of a pay list: being looked at, advised, its payments being kept, kept."""

    CHECKING = "checking"
    ADVISED = "advised"
    RECORDING = "recording"
    CONFIRMED = "confirmed"
    LAPSED = "lapsed"
