"""Where proposals come from, and what citizens may ask for."""

from enum import StrEnum


class ProposalOrigin(StrEnum):
    """What made somebody look: a concluded case, a village's list, two rosters, lateness, a request, or an officer."""

    CASE = "case"
    REPORT = "report"
    DOUBLE_RECEIPT = "double_receipt"
    OVERDUE = "overdue"
    STOP_REQUEST = "stop_request"
    OFFICER = "officer"


class RequestKind(StrEnum):
    """What a person may ask for."""

    VISIT = "visit"
    STOP = "stop"
