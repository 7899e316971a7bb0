"""Shapes of ingest's requests and answers."""

from datetime import date
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class BatchOut(BaseModel):
    """A batch: rows = accepted + duplicate + out_of_window + quarantined."""

    batch_id: UUID
    batch_no: int
    source: str
    department: str
    status: str = Field(description="taking, completed, held or withdrawn; counts stay as they were judged")
    repeated: bool = Field(description="this very file had been taken before; nothing changed")
    rows: int
    accepted: int
    duplicate: int
    out_of_window: int
    quarantined: int
    quarantine_reasons: dict[str, int]
    sha256: str
    received_at: AwareDatetime
    completed_at: AwareDatetime | None


class RosterOut(BaseModel):
    """A roster: what it changed."""

    batch_id: UUID
    batch_no: int
    program: str
    status: str = Field(description="completed; or held: it would end too many enrolments or is too faulty, confirm it")
    repeated: bool
    accepted: int
    new: int
    changed: int
    ended: int
    reasons: dict[str, int]


class QuarantineRowOut(BaseModel):
    """A row that was not taken: its number counts data rows from 0."""

    row_no: int
    reason: str


class QuarantineOut(BaseModel):
    """A page of rows that were not taken."""

    items: list[QuarantineRowOut]
    next_after: int | None


class SourceOut(BaseModel):
    """A source of the catalogue."""

    code: str
    label: str
    department: str
    polarity: str
    strength: str
    kind: str
    frequency: str
    latency_days: int
    reference: str
    why: str
    columns: dict[str, list[str]]


class QualityOut(BaseModel):
    """How well a source delivered over some days."""

    source: str
    department: str
    days: int
    state: str = Field(description="delivering, silent (longer than its frequency allows) or never")
    rows: int
    accepted_share: float | None
    match_rate: float | None = Field(description="rows of people in the vault, of all that could be looked up")
    latency_days: float | None = Field(description="mean, from event to receipt, over accepted rows")
    silent_days: int | None = Field(description="since the last delivery; null: there never was one")
    allowed_days: int


class SourcesOut(BaseModel):
    """The catalogue."""

    items: list[SourceOut]


class FileQuery(_In):
    """How a file of a source is to be taken."""

    filename: Annotated[str, Field(min_length=1, max_length=200)] = "upload"
    confirm: bool = Field(default=False, description="take it although it was held for its faulty rows")


class RosterQuery(FileQuery):
    """How a roster is to be taken."""

    mode: Literal["full", "delta"] = Field(default="full", description="full: whoever is not in it has ended")


class EventIn(_In):
    """One event, now: canonical columns of the source beside the id and the day."""

    citizen_id: Annotated[str, Field(min_length=1, max_length=40)] | None = Field(
        default=None, description="without it the event is a hint at most, and only of a source that may leave it out"
    )
    name: Annotated[str, Field(max_length=100)] | None = None
    occurred_on: date
    values: Annotated[dict[str, Annotated[str, Field(max_length=100)]], Field(max_length=10)] = {}


class EventOut(BaseModel):
    """What became of one event."""

    batch_id: UUID
    verdict: str
    reason: str | None


Reason = Annotated[str, Field(min_length=3, max_length=300, description="a sentence that names no person")]


class CorrectionIn(_In):
    """One of your own records that is wrong, by its evidence id or by its place in your file."""

    evidence_id: Annotated[int, Field(ge=0, lt=1 << 63)] | None = None
    batch_id: UUID | None = None
    row_no: Annotated[int, Field(ge=0, lt=1 << 32)] | None = Field(
        default=None, description="data rows count from 0, people of one row one by one"
    )
    reason: Reason
    replacement: EventIn | None = Field(default=None, description="what is right; without it the record just goes")

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        by_place = self.batch_id is not None and self.row_no is not None
        if (self.evidence_id is not None) == by_place:
            msg = "name the record by evidence_id, or by batch_id and row_no"
            raise ValueError(msg)
        return self


class AcceptanceIn(_In):
    """A department agrees that its records are wrong."""

    note: Annotated[str, Field(max_length=300)] | None = None
    replacements: Annotated[list[EventIn], Field(max_length=10)] = Field(default=[], description="what is right")


class RefusalIn(_In):
    """A department says that its records are right."""

    reason: Reason


class RecordOut(BaseModel):
    """A record in the file that brought it."""

    evidence_id: int
    batch_id: UUID
    filename: str
    row_no: int


class CorrectionOut(BaseModel):
    """Records of one source that are said to be wrong, and what its department answered."""

    correction_id: UUID
    request_id: UUID = Field(description="of whoever asked; the same over all sources he named")
    source: str
    department: str
    status: str = Field(description="open, accepted or refused")
    reason: str
    asked_by: str
    records: list[RecordOut]
    requested_at: AwareDatetime
    due_on: date
    overdue: bool
    answered_at: AwareDatetime | None
    answered_by: str | None
    answer: str | None


class CorrectionsOut(BaseModel):
    """A page of corrections."""

    items: list[CorrectionOut]
    next_after: UUID | None


class CorrectionsQuery(_In):
    """Which corrections."""

    status: Literal["open", "accepted", "refused"] | None = None
    after: UUID | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class RevealIn(_In):
    """Whose names and contacts are needed, and what for."""

    subjects: Annotated[list[UUID], Field(min_length=1, max_length=200)]
    purpose: Annotated[str, Field(min_length=3, max_length=200, pattern=r"^[\w .:/-]+$")]


class PersonOut(BaseModel):
    """What those who must find a person are told."""

    subject: UUID
    name: str
    phone: str | None
    family_phone: str | None
    division: str


class PeopleOut(BaseModel):
    """People found; those the vault does not know are absent."""

    items: list[PersonOut]


class EvidenceOut(BaseModel):
    """Where a piece of evidence came from."""

    evidence_id: int
    source: str
    department: str
    batch_id: UUID
    filename: str
    sha256: str
    row_no: int = Field(description="of the rows as they were judged, from 0; people of one row one by one")
    file_row: int | None = Field(description="data row of the file, from 0; null where its file is no longer kept")
    received_at: AwareDatetime
    standing: Literal["counts", "taken_back", "hint"] = Field(
        description="taken_back: corrected, or its batch was withdrawn; hint: a record without an id, never evidence"
    )


class FiguresOut(BaseModel):
    """The counts an operator asks first."""

    people: int
    enrolments: int
    batches: int
    rows: dict[str, int] = Field(description="rows of all batches by verdict or reason")
