"""Recognition: what a program hears about a person. "No record" never reads as "dead"."""

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from services.recognition.domain.certificates import IN_PERSON
from services.recognition.domain.enrolments import STOPPED, Status
from shared.contracts.vocabulary import Answer, Channel, Claim


class EvidenceClass(StrEnum):
    """All a partner learns about the way: never a source, a place, an illness."""

    IN_PERSON = "in_person"
    DATA = "data"


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What is known of one enrolment on one day.

    Attributes:
        enrolled: the owner's roster lists the person and nobody has terminated it.
        valid_until: of the best certificate for this program; None without one.
        as_of: day that certificate rests on.
    """

    enrolled: bool
    status: Status
    under_review: bool
    valid_until: date | None
    as_of: date | None


def answer(view: View, today: date, max_age_days: int | None = None) -> Answer:
    """The answer for one person and one program on a day."""
    if not view.enrolled or view.status is Status.TERMINATED:
        return Answer.UNKNOWN
    if view.under_review:
        return Answer.UNDER_REVIEW
    if view.status in STOPPED or view.valid_until is None or view.as_of is None or view.valid_until < today:
        return Answer.NOT_YET
    if max_age_days is not None and view.as_of < today - timedelta(days=max_age_days):
        return Answer.NOT_YET
    return Answer.RECOGNISED


def evidence_class(channel: Channel) -> EvidenceClass:
    """Class of evidence of a channel."""
    return EvidenceClass.IN_PERSON if channel in IN_PERSON else EvidenceClass.DATA


def hints(channel: Channel | None) -> frozenset[Claim]:
    """Claims that whoever saw the person makes likely, without certifying them."""
    return frozenset({Claim.NOT_IN_CUSTODY}) if channel in IN_PERSON else frozenset()
