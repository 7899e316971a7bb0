"""What recognition says."""

from datetime import date, datetime
from uuid import UUID

import pyarrow as pa

from shared.contracts.events.base import SUBJECT, WORD, Fact, FactEvent, TableEvent
from shared.contracts.vocabulary import NoticeKind, SubscriptionStatus

CERTIFICATES_ISSUED = TableEvent(
    name="recognition.certificates.issued.v1",
    doc="People were certified; valid from the event date for every program they are enrolled in.",
    columns={
        "subject": SUBJECT,
        "certificate_id": pa.binary(16),
        "claim": WORD,  # Claim
        "as_of": pa.date32(),
        "channel": WORD,  # Channel
        "strength": WORD,
        "valid_until": pa.date32(),  # earliest over the programs of the person
        "programs": pa.int16(),  # how many programs that reuse it ask nothing else of the person
        "previous_until": pa.date32(),  # until when the person was certified before; null if never
    },
    attributes={"issued_on": "business date"},
)

CERTIFICATIONS_DUE = TableEvent(
    name="recognition.certifications.due.v1",
    doc="No source has seen these people and their certification runs out: somebody must knock. Again at each step.",
    columns={
        "subject": SUBJECT,
        "due_on": pa.date32(),
        "division": pa.string(),
        "group_no": pa.int16(),
        "programs": pa.int16(),
        "born_on": pa.date32(),
    },
    attributes={"run": "certification run that first looked for these people", "run_on": "business date"},
)


class CertificateRevoked(Fact):
    """A certificate no longer holds."""

    certificate_id: UUID
    subject: UUID
    claim: str
    reason: str
    successor_id: UUID | None
    revoked_at: datetime
    channel: str | None = None  # Channel it was made through; left out by earlier versions
    # What one of a door or from afar was made of, a visit where grid knows it; left out where grid had withdrawn it or
    # it fell with a benefit's end, and by earlier versions
    visit_id: UUID | None = None


CERTIFICATE_REVOKED = FactEvent(
    name="recognition.certificate.revoked.v1", model=CertificateRevoked, doc="A certificate no longer holds."
)


class EnrolmentStateChanged(Fact):
    """A named officer's decision took effect on a person's entry in a program."""

    subject: UUID
    program: str
    decision_id: UUID
    case_id: UUID | None
    reason: str
    effective_on: date  # first day of the first month it holds for
    decided_at: datetime


ENROLMENT_SUSPENDED = FactEvent(
    name="recognition.enrolment.suspended.v1", model=EnrolmentStateChanged, doc="Payments rest, by a person's decision."
)
ENROLMENT_RESUMED = FactEvent(
    name="recognition.enrolment.resumed.v1", model=EnrolmentStateChanged, doc="Payments go on, or begin anew."
)
ENROLMENT_TERMINATED = FactEvent(
    name="recognition.enrolment.terminated.v1", model=EnrolmentStateChanged, doc="Payments end, by a person's decision."
)


class DeathRetracted(Fact):
    """Officers have found that a person lives whom they or others held for dead."""

    subject: UUID
    event_on: date | None  # of the death that was none
    alive_on: date  # day on which he was known to live; whoever died on it or later did so all the same
    found_at: datetime
    about_at: datetime | None = None  # when a death without a day was found that was none; what is told later stands


DEATH_RETRACTED = FactEvent(
    name="recognition.death.retracted.v1",
    model=DeathRetracted,
    doc="A death that people had found, and that stopped benefits or was about to, was none.",
)


class NoticeGiven(Fact):
    """Somebody must be told something that touches his money; legal, so never merged away and never opted out of."""

    notice_id: UUID
    subject: UUID
    kind: NoticeKind
    programs: list[str]
    reason: str
    amount_fen: int | None
    deadline_on: date | None  # until when he can answer, or must pay
    decision_id: UUID | None
    given_at: datetime


NOTICE_GIVEN = FactEvent(
    name="recognition.notice.given.v1", model=NoticeGiven, doc="A notice that must reach the person or his family."
)

PARTNER_EVENTS_RECORDED = TableEvent(
    name="recognition.partner_events.recorded.v1",
    doc="What a partner department is told of its own programs, by feed and by webhook. Thin.",
    columns={
        "subject": SUBJECT,  # never leaves to the partner; the shard
        "event_id": pa.binary(16),
        "kind": WORD,  # certificate.issued, certificate.revoked, enrolment.suspended, ...
        "version": pa.int64(),  # grows with each event of the person in the program
        "occurred_at": pa.timestamp("us", "UTC"),
    },
    attributes={"program": "code of the program", "client_id": "the partner who owns it"},
)


class SubscriptionChanged(Fact):
    """A partner asked for webhooks, changed or ended them."""

    subscription_id: UUID
    client_id: str
    url: str
    kinds: list[str]  # empty: all
    programs: list[str]
    sealed_secret: str  # base64 of the vault's sealing, bound to the subscription id
    status: SubscriptionStatus
    version: int
    changed_at: datetime


SUBSCRIPTION_CHANGED = FactEvent(
    name="recognition.subscription.changed.v1", model=SubscriptionChanged, doc="A webhook endpoint of a partner."
)


class StopRequested(Fact):
    """A person or his family asks to stop a benefit."""

    request_id: UUID
    subject: UUID
    programs: list[str]
    relation: str  # self, spouse, child, ...
    reason: str  # a code: what ends the benefit, or in_own_words; never what somebody wrote
    event_on: date | None
    requested_at: datetime
    sealed_reason: str | None = None  # base64 of the vault's sealing of his own words, bound to the request id


STOP_REQUESTED = FactEvent(
    name="recognition.stop.requested.v1",
    model=StopRequested,
    doc="Somebody asks to stop his own or a relative's benefit.",
)


class StopRequestWithdrawn(Fact):
    """A person took back that he asked to stop a benefit of his own."""

    request_id: UUID
    subject: UUID
    withdrawn_at: datetime


STOP_REQUEST_WITHDRAWN = FactEvent(
    name="recognition.stop_request.withdrawn.v1",
    model=StopRequestWithdrawn,
    doc="Somebody asks no more to stop his benefit: nobody need look into it.",
)


class VisitRequested(Fact):
    """A person asks to be certified at home."""

    request_id: UUID
    subject: UUID
    reason: str  # in_own_words: why he asks stays with recognition, nobody who hears of it needs to know
    requested_at: datetime


VISIT_REQUESTED = FactEvent(
    name="recognition.visit.requested.v1", model=VisitRequested, doc="A person asks for a visit at home."
)


class CorrectionRequested(Fact):
    """A partner, a citizen or a case says that a department's record is wrong."""

    correction_id: UUID
    subject: UUID
    evidence_ids: list[int]
    reason: str  # CorrectionReason: events hold no text that may name somebody
    asked_by: str
    requested_at: datetime
    sealed_reason: str | None = None  # base64 of the vault's sealing of his own words, bound to the correction id


CORRECTION_REQUESTED = FactEvent(
    name="recognition.correction.requested.v1",
    model=CorrectionRequested,
    doc="A department's record is said to be wrong.",
)


class OverpaymentChanged(Fact):
    """What was paid too much, and how much of it has come back."""

    overpayment_id: UUID
    subject: UUID
    program: str
    case_id: UUID | None
    due_fen: int
    recovered_fen: int
    closed: bool
    changed_at: datetime


OVERPAYMENT_CHANGED = FactEvent(
    name="recognition.overpayment.changed.v1",
    model=OverpaymentChanged,
    doc="An overpayment was opened, paid back, closed.",
)


class WorkWaiting(Fact):
    """What waits for the officers of a program on a morning: how much of each step, nobody by name."""

    program: str
    day: date
    counts: dict[str, int]  # decide, confirm, not_told, answer_objection, ...; as the officer's list has them
    earliest_on: date | None  # the nearest deadline among them


WORK_WAITING = FactEvent(
    name="recognition.work.waiting.v1",
    model=WorkWaiting,
    doc="On a working morning: how much waits for a program's officers.",
)
