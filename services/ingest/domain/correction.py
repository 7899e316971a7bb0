"""A correction: somebody says that a department's records are wrong, and the department answers."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID, uuid5

from shared.contracts.vocabulary import CorrectionReason

OPEN, ACCEPTED, REFUSED = "open", "accepted", "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Because:
    """Why something is taken back.

    Attributes:
        reason: a code.
        correction_id: the correction, or the batch that is withdrawn.
    """

    reason: CorrectionReason
    correction_id: UUID
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """Records of one source about one person that are said to be wrong.

    Attributes:
        request_id: of whoever asked; of one request each source gets a correction of its own.
        asked_by: client, case or department it came from.
        due_on: by when the department is to answer.
        reason: a code; words themselves only where an older version kept the correction.
        sealed_reason: the words, bound to the request; None where there are none.
        answer: why it was refused, or what was done: a code, as for the reason.
        sealed_answer: the words, bound to the correction.
    """

    correction_id: UUID
    request_id: UUID
    source: str
    department: str
    subject: UUID
    evidence_ids: tuple[int, ...]
    reason: str
    asked_by: str
    status: str
    requested_at: datetime
    due_on: date
    answered_at: datetime | None = None
    answered_by: str | None = None
    answer: str | None = None
    sealed_reason: bytes | None = None
    sealed_answer: bytes | None = None


def ids_for(request_id: UUID, sources: list[str]) -> dict[str, UUID]:
    """Ids of the corrections that a request becomes: its own for the only source, else one made of both."""
    if len(sources) == 1:
        return {sources[0]: request_id}
    return {source: uuid5(request_id, source) for source in sources}
