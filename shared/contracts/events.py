"""Every message between services: its subject, who says it, and the exact shape of its body."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field

from shared.contracts.vocabulary import CaseConclusion, SuspicionKind, VisitResult

SUBJECT = pa.binary(16)
WORD = pa.dictionary(pa.int8(), pa.string())
WORDS = pa.list_(pa.string())
EVIDENCE_IDS = pa.list_(pa.int64())


class Fact(BaseModel):
    """Body of a JSON event: one fact, immutable, no person but as a subject."""

    model_config = ConfigDict(frozen=True, extra="ignore")


@dataclass(frozen=True, slots=True, kw_only=True)
class FactEvent:
    """A JSON event; `name` is its NATS subject."""

    name: str
    model: type[Fact]
    doc: str

    @property
    def stream(self) -> str:
        """Name of the stream that keeps it."""
        return self.name.split(".", 1)[0].upper()


@dataclass(frozen=True, slots=True, kw_only=True)
class TableEvent:
    """A bulk event; `name` plus `.0` to `.f` are its NATS subjects, its body an Arrow table of one shard.

    Attributes:
        columns: names and Arrow types of the body, `subject` first.
        attributes: text values that hold for the whole table, carried as Arrow schema metadata.
    """

    name: str
    columns: Mapping[str, pa.DataType]
    attributes: Mapping[str, str]
    doc: str

    @property
    def stream(self) -> str:
        """Name of the stream that keeps it."""
        return self.name.split(".", 1)[0].upper()

    @property
    def schema(self) -> pa.Schema:
        """Arrow schema without metadata."""
        return pa.schema(list(self.columns.items()))


Event = FactEvent | TableEvent

# ---- ingest ----------------------------------------------------------------------------------------------------------

EVIDENCE_ACCEPTED = TableEvent(
    name="ingest.evidence.accepted.v1",
    doc="A source saw these people on these days. One source and one batch a message.",
    columns={
        "subject": SUBJECT,
        "occurred_on": pa.date32(),
        "kind": WORD,  # EvidenceKind
        "polarity": WORD,  # of the row: a hospital stay that ended in death is negative in a positive source
        "identity": WORD,  # Identity
        "evidence_id": pa.int64(),  # batch number << 32 | row number: the way back to the file
    },
    attributes={
        "source": "code of the source",
        "department": "slug of the department that delivered",
        "strength": "strong or weak",
        "received_at": "when the batch was received, ISO 8601 UTC",
    },
)

ENROLMENTS_CHANGED = TableEvent(
    name="ingest.enrolments.changed.v1",
    doc="What a roster said that differs from before. One program a message.",
    columns={
        "subject": SUBJECT,
        "change": WORD,  # EnrolmentChange
        "amount_fen": pa.int64(),  # a month
        "division": pa.string(),  # village, 12 digits
        "group_no": pa.int16(),  # villagers' group within the village
        "household": pa.binary(16),  # pseudonym of the household, null where the person stands alone
        "sex": WORD,  # male | female
        "born_on": pa.date32(),
        "started_on": pa.date32(),
        "ended_on": pa.date32(),
        "due_on": pa.date32(),  # date by which the owner wants the next certification, null if unknown
    },
    attributes={
        "program": "code of the program",
        "department": "slug of the owner department",
        "received_at": "when the roster was received, ISO 8601 UTC",
    },
)

CONTACTS_CHANGED = TableEvent(
    name="ingest.contacts.changed.v1",
    doc="How people can be reached; sealed with the vault key, opened only by notify.",
    columns={
        "subject": SUBJECT,
        "sealed": pa.binary(),  # AES-GCM of JSON {name, phone, family_phone}, bound to the subject
        "reachable": WORD,  # phone | family | none: what the sealed part holds
        "division": pa.string(),
    },
    attributes={"received_at": "when the roster was received, ISO 8601 UTC"},
)


class BatchCompleted(Fact):
    """A batch has been taken in whole."""

    batch_id: UUID
    batch_no: int
    source: str
    department: str
    sha256: str
    rows: int
    accepted: int
    duplicate: int
    out_of_window: int
    quarantined: int
    quarantine_reasons: dict[str, int]
    received_at: datetime


BATCH_COMPLETED = FactEvent(
    name="ingest.batch.completed.v1", model=BatchCompleted, doc="A file was taken in; its counts by verdict."
)

# ---- scoring ---------------------------------------------------------------------------------------------------------

ASSESSMENTS_CHANGED = TableEvent(
    name="scoring.assessments.changed.v1",
    doc="Scoring's opinion changed in level, decision or the month of as_of.",
    columns={
        "subject": SUBJECT,
        "level": WORD,  # Level
        "decision": WORD,  # Decision
        "as_of": pa.date32(),  # day of the newest evidence the decision rests on; null if insufficient
        "strength": WORD,  # strong | weak, of what it rests on; null if insufficient
        "valid_months": pa.int16(),  # cap of the rule set (weak-only passes), null = the program's cycle
        "points": pa.int16(),
        "reasons": WORDS,  # reason codes, e.g. strong_evidence, weak_combination, missing:departments:1
        "evidence_ids": EVIDENCE_IDS,
        "evidence_class": WORDS,  # departments' classes a citizen may read: medical, travel, in_person, ...
    },
    attributes={"rule_set": "code@version", "assessed_on": "business date"},
)

SUSPICION_RAISED = TableEvent(
    name="scoring.suspicion.raised.v1",
    doc="Someone may have lost eligibility: to be looked into by people. Repeated when evidence is added.",
    columns={
        "subject": SUBJECT,
        "suspicion_id": pa.binary(16),
        "kind": WORD,  # SuspicionKind
        "confidence": WORD,  # Confidence
        "event_on": pa.date32(),  # death, admission, ...; earliest when registers disagree
        "revision": pa.int32(),  # grows with evidence
        "evidence_ids": EVIDENCE_IDS,
        "sources": WORDS,
        "reasons": WORDS,
    },
    attributes={"rule_set": "code@version", "assessed_on": "business date"},
)

# ---- recognition -----------------------------------------------------------------------------------------------------

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
        "programs": pa.int16(),  # how many programs reuse it
        "previous_until": pa.date32(),  # until when the person was certified before; null if never
    },
    attributes={"issued_on": "business date"},
)

CERTIFICATIONS_DUE = TableEvent(
    name="recognition.certifications.due.v1",
    doc="No source has seen these people and their certification runs out: somebody must knock.",
    columns={
        "subject": SUBJECT,
        "due_on": pa.date32(),
        "division": pa.string(),
        "group_no": pa.int16(),
        "programs": pa.int16(),
        "born_on": pa.date32(),
    },
    attributes={"run": "id of the certification run", "run_on": "business date"},
)


class CertificateRevoked(Fact):
    """A certificate no longer holds."""

    certificate_id: UUID
    subject: UUID
    claim: str
    reason: str
    successor_id: UUID | None
    revoked_at: datetime


CERTIFICATE_REVOKED = FactEvent(
    name="recognition.certificate.revoked.v1", model=CertificateRevoked, doc="A certificate no longer holds."
)

# ---- grid ------------------------------------------------------------------------------------------------------------


class VisitConcluded(Fact):
    """What a grid member found at the door, after review where the rule asks for one."""

    visit_id: UUID
    task_id: UUID
    subject: UUID
    result: VisitResult
    visited_on: date
    visited_at: datetime
    division: Annotated[str, Field(pattern=r"^\d{12}$")]
    worker_id: str
    id_card_read: bool


VISIT_CONCLUDED = FactEvent(
    name="grid.visit.concluded.v1", model=VisitConcluded, doc="A visit is over; what was found."
)


class CaseConcluded(Fact):
    """What people concluded about a suspicion."""

    case_id: UUID
    subject: UUID
    kind: SuspicionKind
    conclusion: CaseConclusion
    event_on: date | None
    concluded_at: datetime
    verified_by: str
    concluded_by: str


CASE_CONCLUDED = FactEvent(
    name="grid.case.concluded.v1", model=CaseConcluded, doc="People concluded a case; four eyes."
)

# ---- notify ----------------------------------------------------------------------------------------------------------

MESSAGE_DELIVERED = TableEvent(
    name="notify.message.delivered.v1",
    doc="Messages that reached their channel's end: the proof that someone was told.",
    columns={
        "subject": SUBJECT,
        "message_id": pa.binary(16),
        "template": WORD,
        "channel": WORD,
        "delivered_at": pa.timestamp("us", "UTC"),
    },
    attributes={},
)

EVENTS: tuple[Event, ...] = (
    EVIDENCE_ACCEPTED,
    ENROLMENTS_CHANGED,
    CONTACTS_CHANGED,
    BATCH_COMPLETED,
    ASSESSMENTS_CHANGED,
    SUSPICION_RAISED,
    CERTIFICATES_ISSUED,
    CERTIFICATIONS_DUE,
    CERTIFICATE_REVOKED,
    VISIT_CONCLUDED,
    CASE_CONCLUDED,
    MESSAGE_DELIVERED,
)
