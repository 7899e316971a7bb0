"""What ingest says."""

from datetime import date, datetime
from uuid import UUID

import pyarrow as pa

from shared.contracts.events.base import SMALL_TABLE, SUBJECT, WORD, Fact, FactEvent, TableEvent
from shared.contracts.vocabulary import CorrectionStatus

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
    undivided=SMALL_TABLE,
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
    undivided=SMALL_TABLE,
)

SECOND_PLACES_CHANGED = TableEvent(
    name="ingest.second_places.changed.v1",
    doc="A program lists a person at a second place beside the enrolment, or not any more. One program a message.",
    columns={
        "subject": SUBJECT,
        "change": WORD,  # EnrolmentChange; ended: it is not listed there any more, or it is the enrolment now
        "division": pa.string(),  # village of the second listing, 12 digits
        "amount_fen": pa.int64(),  # a month, as the second listing says
        "started_on": pa.date32(),  # null where it does not say
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
    undivided=SMALL_TABLE,
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

EVIDENCE_CORRECTED = TableEvent(
    name="ingest.evidence.corrected.v1",
    doc="A department took back what it had said: these rows never count again; what is right comes as evidence.",
    columns={
        "subject": SUBJECT,
        "occurred_on": pa.date32(),
        "kind": WORD,  # EvidenceKind, as it was accepted
        "polarity": WORD,
        "evidence_id": pa.int64(),  # as it was accepted
    },
    attributes={
        "source": "code of the source",
        "department": "slug of the department that delivered",
        "reason": "why it was taken back, a CorrectionReason",
        "corrected_at": "when it was taken back, ISO 8601 UTC",
    },
    undivided=SMALL_TABLE,
)

HINTS_RECORDED = TableEvent(
    name="ingest.hints.recorded.v1",
    doc="A record without an id number and the people it may mean. Never evidence; one row a candidate.",
    columns={
        "subject": SUBJECT,  # a candidate
        "hint_id": pa.binary(16),  # the record; the same over its candidates
        "occurred_on": pa.date32(),
        "kind": WORD,  # EvidenceKind
        "candidates": pa.int16(),  # how many people the record may mean
        "evidence_id": pa.int64(),  # the way back to the file
    },
    attributes={
        "source": "code of the source",
        "department": "slug of the department that delivered",
        "received_at": "when the batch was received, ISO 8601 UTC",
    },
    undivided=SMALL_TABLE,
)


class CorrectionChanged(Fact):
    """Somebody says that a department's record is wrong; the department answers."""

    correction_id: UUID  # that of the request, where all its records are of one source
    request_id: UUID  # of whoever asked: recognition's correction, grid's case; a department's own is the same again
    source: str
    department: str
    status: CorrectionStatus
    reason: str  # CorrectionReason: why it was asked; once refused, in_own_words
    asked_by: str  # client, case or department it came from
    evidence_ids: list[int]
    subject: UUID
    due_on: date  # by when the department is to answer
    changed_at: datetime
    sealed_reason: str | None = None  # why it was refused: base64 of the vault's sealing, bound to the correction id


CORRECTION_CHANGED = FactEvent(
    name="ingest.correction.changed.v1",
    model=CorrectionChanged,
    doc="A correction was asked of a department, accepted or refused by it.",
)


class DeliveryMissed(Fact):
    """A source that should have delivered has not."""

    source: str
    department: str
    last_received_at: datetime | None
    expected_by: datetime


DELIVERY_MISSED = FactEvent(
    name="ingest.delivery.missed.v1", model=DeliveryMissed, doc="A source fell silent; said once a silence."
)
