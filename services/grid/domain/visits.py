"""What a member did and saw at a door: which reports can be taken, and what they mean for tasks and cases."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from services.grid.domain.tasks import FINAL_RESULTS, SIGHTINGS
from shared.contracts.vocabulary import SuspicionKind, VisitResult

SKEW = timedelta(minutes=10)
"""How far a phone's clock may be wrong."""
OLDEST = timedelta(days=60)
"""A phone that was offline for longer has lost the occasion: the member must go again."""
EARLIEST_EVENT = date(1950, 1, 1)
"""A death or admission before this is a slip of the pen: nobody has been paid for since then."""


class Informant(StrEnum):
    """Who spoke for an absent person."""

    RELATIVE = "relative"
    NEIGHBOUR = "neighbour"
    CADRE = "cadre"
    OTHER = "other"


class VisitStatus(StrEnum):
    """Where a report stands: its photo on the way, taken as it is, waiting for the leader, or sent back by him."""

    AWAITING_PHOTO = "awaiting_photo"
    CONCLUDED = "concluded"
    IN_REVIEW = "in_review"
    RETURNED = "returned"


OPENS_CASE: dict[VisitResult, SuspicionKind] = {
    VisitResult.DEAD: SuspicionKind.DEATH,
    VisitResult.IN_CUSTODY: SuspicionKind.INCARCERATION,
    VisitResult.MOVED: SuspicionKind.MISSING,
    VisitResult.NO_SUCH_PERSON: SuspicionKind.MISSING,
}
"""The suspicion a result raises; a person who moved away or is unknown at the door is to be looked for."""
DATED = frozenset({VisitResult.DEAD, VisitResult.IN_CUSTODY, VisitResult.MOVED})
"""Results that tell of an event with a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """The short form of five."""

    seen: bool
    talked: bool
    explained: bool
    registered: bool
    problems: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One report from one door.

    Attributes:
        visit_id: made by the phone, so that sending twice is seen.
        worker_id: who was at the door.
        event_on: day of the death, the admission or the move, where the result tells of one.
        informant: who spoke for an absent person.
        proofs: kinds of paper seen, e.g. death_certificate.
        prompt_id: the random prompt shown for this visit, with whether the person answered it.
        place: coarse longitude and latitude.
        photo: whether a photo follows; until it has come the visit does not count.
        helper: keyed hash of who helped at the door, e.g. held the phone.
        family: the member says that he is family of the person; kept as a flag.
        note: sealed free text.
    """

    visit_id: UUID
    task_id: UUID
    worker_id: str
    result: VisitResult
    visited_at: datetime
    form: Form
    id_card_read: bool
    event_on: date | None = None
    informant: Informant | None = None
    proofs: tuple[str, ...] = ()
    prompt_id: int | None = None
    prompt_answered: bool = False
    place: tuple[float, float] | None = None
    photo: bool = False
    helper: bytes | None = None
    family: bool = False
    note: bytes | None = None

    @property
    def final(self) -> bool:
        """Whether nobody need knock again for the same reason."""
        return self.result in FINAL_RESULTS

    @property
    def order(self) -> tuple[datetime, UUID]:
        """Visits are weighed in the order they happened, whatever the order they arrive in."""
        return self.visited_at, self.visit_id


def shortcomings(visit: Visit, now: datetime, visited_on: date) -> list[str]:
    """Why a report cannot be taken; empty when it can.

    Args:
        visit: the report.
        now: instant of receipt.
        visited_on: day of the visit in Asia/Shanghai.
    """
    found: list[str] = []
    if visit.visited_at > now + SKEW:
        found.append("visited_at_in_the_future")
    if visit.visited_at < now - OLDEST:
        found.append("visited_at_too_long_ago")
    if visit.result in SIGHTINGS and not visit.form.seen:
        found.append("sighting_without_seen")
    if visit.result not in SIGHTINGS and visit.form.seen:
        found.append("seen_contradicts_result")
    if visit.result is VisitResult.ABSENT_INFORMED_BY and visit.informant is None:
        found.append("informant_missing")
    if visit.result is VisitResult.DEAD and visit.event_on is None:
        found.append("event_on_missing")
    if visit.event_on is not None and visit.result not in DATED:
        found.append("event_on_contradicts_result")
    return found if visit.event_on is None else [*found, *_impossible(visit.event_on, visited_on)]


def _impossible(event_on: date, visited_on: date) -> list[str]:
    if event_on > visited_on:
        return ["event_on_after_visit"]
    return ["event_on_too_long_ago"] if event_on < EARLIEST_EVENT else []


def closing_visit(visits: Iterable[Visit]) -> Visit | None:
    """The visit that ends the task among all that were taken: the first final one that happened.

    A function of the set, so that phones may deliver in any order, twice, or in parts.
    """
    return min((visit for visit in visits if visit.final), key=lambda visit: visit.order, default=None)
