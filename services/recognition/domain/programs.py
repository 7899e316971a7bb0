"""Programs: what each of the benefits asks of a person, and what ends, suspends or pays back, dated by version."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from services.recognition.domain.months import first_of_month, month_number, month_start, next_month
from services.recognition.domain.sandbox import SyntheticPerson
from shared.contracts.vocabulary import Claim

PLATFORM_CLAIMS = frozenset({Claim.ALIVE})
"""Claims certificates of this platform fill; the others stay with the owner department."""
_PROVED_BY_PERSON = frozenset({Claim.STILL_DISABLED, Claim.INCOME_OK})
"""Claims no register answers alone: the owner asks the person himself, once a year in most places."""


class Family(StrEnum):
    """Benefits of human resources and social security, or subsidies of other departments."""

    HR = "hr"
    SUBSIDY = "subsidy"


class Unit(StrEnum):
    """Whom an enrolment pays: one person, or a household through its head."""

    PERSON = "person"
    HOUSEHOLD = "household"


class Rhythm(StrEnum):
    """How often money leaves."""

    MONTHLY = "monthly"
    QUARTERLY = "quarterly"
    HALF_YEARLY = "half_yearly"
    YEARLY = "yearly"


class StopTiming(StrEnum):
    """From when a stop counts after the event that causes it."""

    NEXT_MONTH = "next_month"
    NEXT_YEAR = "next_year"
    SAME_MONTH = "same_month"
    SEVENTH_MONTH = "seventh_month"


class EndingEvent(StrEnum):
    """What may end, suspend or change a benefit."""

    DEATH = "death"
    DECLARED_DEAD = "declared_dead"
    MISSING = "missing"
    IMPRISONMENT = "imprisonment"
    SENTENCED_COMMUNITY = "sentenced_community"
    DETENTION = "detention"
    CRIMINAL_PUNISHMENT = "criminal_punishment"
    NATIONALITY_LOST = "nationality_lost"
    DUPLICATE_RECEIPT = "duplicate_receipt"
    OTHER_PENSION = "other_pension"
    EMPLOYMENT = "employment"
    MILITARY_SERVICE = "military_service"
    WORK_REFUSED = "work_refused"
    MOVED_AWAY = "moved_away"
    MOVED_ABROAD = "moved_abroad"
    REMARRIAGE = "remarriage"
    ADULTHOOD = "adulthood"
    ADOPTION = "adoption"
    BIRTH_OR_ADOPTION = "birth_or_adoption"
    PARENT_FOUND = "parent_found"
    SUPPORTER_FOUND = "supporter_found"
    ABILITY_REGAINED = "ability_regained"
    DISABILITY_CHANGED = "disability_changed"
    INCOME_CHANGED = "income_changed"
    HOUSEHOLD_EXTINCT = "household_extinct"
    OVERDUE = "overdue"
    OWN_REQUEST = "own_request"


ENDS_LIFE = frozenset({EndingEvent.DEATH, EndingEvent.DECLARED_DEAD, EndingEvent.HOUSEHOLD_EXTINCT})
"""Events after which no certificate of life holds."""


class Effect(StrEnum):
    """What an ending event does to an enrolment, once a person has decided it."""

    TERMINATE = "terminate"
    SUSPEND = "suspend"
    REDUCE = "reduce"
    CHANGE_PAYEE = "change_payee"
    CONTINUE = "continue"


class SuspensionReason(StrEnum):
    """Why an enrolment stands still; it alone decides what is paid back."""

    OVERDUE = "overdue"
    IMPRISONMENT = "imprisonment"
    DETAINED_ACQUITTED = "detained_acquitted"
    DETAINED_CONVICTED = "detained_convicted"
    MISSING_RETURNED = "missing_returned"
    MISSING_DECLARED_DEAD = "missing_declared_dead"
    FALSE_DEATH = "false_death"
    NOT_CONFIRMED = "not_confirmed"
    EMPLOYED = "employed"
    OWN_REQUEST = "own_request"


class ArrearsRule(StrEnum):
    """What is paid back when an enrolment resumes."""

    ALL = "all"
    ALL_WITH_INCREASES = "all_with_increases"
    NONE = "none"
    FROM_REQUEST = "from_request"
    REFUND = "refund"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramVersion:
    """The rule of a program from a day on.

    Attributes:
        from_on: first day it holds.
        reference: the rule it rests on.
        cycle_months: months a certification lasts, counted from the month of the event.
        warning_days: days before the end from which people are looked for.
        claims: what must hold for the person.
        stop: from when a stop counts.
        stops: from when it counts for events that have a timing of their own.
        events: what each ending event does; an event not listed is none of this program's business.
        arrears: what is paid back, by reason of the suspension.
        refund_days: days a family has for giving back what was paid too much.
    """

    from_on: date
    reference: str
    cycle_months: int
    warning_days: int
    claims: tuple[Claim, ...]
    stop: StopTiming
    stops: Mapping[EndingEvent, StopTiming]
    events: Mapping[EndingEvent, Effect]
    arrears: Mapping[SuspensionReason, ArrearsRule]
    refund_days: int

    def outstanding(self) -> tuple[Claim, ...]:
        """Claims the owner department has to look at itself."""
        return tuple(claim for claim in self.claims if claim not in PLATFORM_CLAIMS)

    def asks_more(self) -> bool:
        """Whether the person has to do something for it although he is certified as living."""
        return not _PROVED_BY_PERSON.isdisjoint(self.claims)

    def effect_of(self, event: EndingEvent) -> Effect:
        """What an event does; what the rule does not name changes nothing."""
        return self.events.get(event, Effect.CONTINUE)

    def stops_from(self, event: EndingEvent, event_on: date) -> date:
        """First day not paid any more after an event."""
        return _stops_from(event_on, self.stops.get(event, self.stop))


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One benefit, as its declaration file states it; a sandbox's `people` are invented, others have none."""

    code: str
    label: str
    owner: str
    family: Family
    unit: Unit
    paid: Rhythm
    told: tuple[str, ...]
    excludes: tuple[str, ...]
    reference: str
    sandbox: bool
    people: tuple[SyntheticPerson, ...]
    versions: tuple[ProgramVersion, ...]

    def in_force(self, on: date) -> ProgramVersion:
        """The version that holds on a day; before the first one, the first."""
        chosen = self.versions[0]
        for version in self.versions[1:]:
            if version.from_on <= on:
                chosen = version
        return chosen


_STILL_PAID_MONTHS = 6


def _stops_from(event_on: date, timing: StopTiming) -> date:
    """First day not paid any more: the month of the event is still paid, except where the rule says otherwise."""
    if timing is StopTiming.SEVENTH_MONTH:
        return month_start(month_number(event_on) + _STILL_PAID_MONTHS + 1)
    if timing is StopTiming.SAME_MONTH:
        return first_of_month(event_on)
    if timing is StopTiming.NEXT_YEAR:
        return date(event_on.year + 1, 1, 1)
    return next_month(event_on)


_RHYTHM_MONTHS = {Rhythm.MONTHLY: 1, Rhythm.QUARTERLY: 3, Rhythm.HALF_YEARLY: 6, Rhythm.YEARLY: 12}


def period_start(day: date, paid: Rhythm) -> date:
    """First day of the paying period a day lies in."""
    length = _RHYTHM_MONTHS[paid]
    number = month_number(day)
    return month_start(number - number % length)


def period_months(paid: Rhythm) -> int:
    """Months one payment covers."""
    return _RHYTHM_MONTHS[paid]
