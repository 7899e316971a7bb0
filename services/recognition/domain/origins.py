"""Where proposals come from, and what citizens may ask for."""

from enum import StrEnum


class ProposalOrigin(StrEnum):
    """What made somebody look: a concluded case, a village's signed list, two rosters, lateness, or a request."""

    CASE = "case"
    REPORT = "report"
    DOUBLE_RECEIPT = "double_receipt"
    OVERDUE = "overdue"
    STOP_REQUEST = "stop_request"


class RequestKind(StrEnum):
    """What a person may ask for."""

    VISIT = "visit"
    STOP = "stop"
