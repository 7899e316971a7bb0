"""Corrections: a partner or a case says that a record is wrong; its department is asked, and its answer comes back."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from hashlib import blake2b
from uuid import UUID

import uuid_utils.compat as uuids

from services.recognition.domain.feed import EventKind
from services.recognition.store import corrections as store
from services.recognition.store import words
from services.recognition.store.corrections import Correction
from services.recognition.usecases import feed
from services.recognition.usecases.deps import Deps
from services.recognition.usecases.feed import Happened
from shared.contracts.events.ingest import CorrectionChanged
from shared.contracts.events.recognition import CORRECTION_REQUESTED, CorrectionRequested
from shared.contracts.vocabulary import CorrectionReason, CorrectionStatus
from shared.kit.auth import Caller
from shared.kit.crypto import sendable
from shared.kit.db import ReadTx, WriteTx
from shared.kit.problems import ConflictError, NotFoundError
from shared.kit.telemetry import mask_text


async def request(deps: Deps, tx: WriteTx, caller: Caller, program: str, subject: UUID, reason: str) -> Correction:
    """Ask for a correction of what stands behind a person's certificates.

    Raises:
        NotFoundError: the program does not pay the person.
        ConflictError: no department's record stands behind them.
    """
    evidence_ids = await store.evidence_of(tx, subject, program)
    if evidence_ids is None:
        detail = "The program has no such person; only records of people it pays can be corrected from here."
        raise NotFoundError(detail)
    if not evidence_ids:
        detail = "No department's record certifies this person now; there is nothing to correct."
        raise ConflictError(detail)
    now = deps.clock.now()
    made = Correction(
        correction_id=UUID(int=uuids.uuid7().int),
        client_id=caller.client_id,
        program=program,
        subject=subject,
        reason=mask_text(reason),
        status=CorrectionStatus.OPEN,
        parts={},
        answer=None,
        due_on=None,
        requested_at=now,
        changed_at=now,
    )
    await store.save(tx, deps.vault, made)
    sealed = words.sealed(deps.vault, made.reason, made.correction_id, store.REASONS)
    fact = CorrectionRequested(
        correction_id=made.correction_id,
        subject=subject,
        evidence_ids=evidence_ids,
        reason=words.coded(made.reason, store.REASONS),
        sealed_reason=sendable(sealed) if sealed else None,
        asked_by=caller.client_id,
        requested_at=now,
    )
    await deps.outbox.say(tx, CORRECTION_REQUESTED, fact)
    return made


async def ask_of_case(
    deps: Deps, tx: WriteTx, case_id: UUID, subject: UUID, evidence_ids: Sequence[int] | None = None
) -> None:
    """Ask the department behind a false death to mend its record, once a case; else those of the finding count."""
    known = list(evidence_ids or await store.evidence_of_case(tx, case_id))
    # The same name however often the case is concluded.
    name = UUID(bytes=blake2b(case_id.bytes, digest_size=16, person=b"correction").digest())
    now = deps.clock.now()
    if not await store.add_of_case(
        tx, correction_id=name, case_id=case_id, subject=subject, evidence_ids=known, at=now
    ):
        return
    fact = CorrectionRequested(
        correction_id=name,
        subject=subject,
        evidence_ids=known,
        reason=CorrectionReason.FALSE_DEATH,
        asked_by=f"case:{case_id}",
        requested_at=now,
    )
    await deps.outbox.say(tx, CORRECTION_REQUESTED, fact)


async def get(deps: Deps, tx: ReadTx, correction_id: UUID, caller: Caller) -> Correction:
    """A correction the client asked for.

    Raises:
        NotFoundError: none, or another's.
    """
    found = await store.find(tx, deps.vault, correction_id)
    if found is None or found.client_id != caller.client_id:
        detail = "Your client has asked for no correction of this id."
        raise NotFoundError(detail)
    return found


async def hear(deps: Deps, tx: WriteTx, fact: CorrectionChanged) -> None:
    """What a department says; several may stand behind one person, and the last answer closes it.

    Raises:
        SealBrokenError: its words were not sealed for this correction.
    """
    known = await store.find(tx, deps.vault, fact.request_id)
    if known is None:
        return
    parts = {**known.parts, str(fact.correction_id): str(fact.status)}
    status = _whole(parts)
    answer = _why_not(deps, fact) if fact.status is CorrectionStatus.REFUSED else known.answer
    due_on: date = max(known.due_on or fact.due_on, fact.due_on)
    changed = replace(known, parts=parts, status=status, answer=answer, due_on=due_on, changed_at=fact.changed_at)
    await store.save(tx, deps.vault, changed)
    if status is not known.status:
        happened = Happened(
            kind=EventKind.CORRECTION,
            subject=known.subject,
            program=known.program,
            about=known.correction_id,
            reason=str(status),
            occurred_at=fact.changed_at,
        )
        await feed.tell(deps, tx, happened)


def _why_not(deps: Deps, fact: CorrectionChanged) -> str:
    if fact.sealed_reason is None:  # an older version says it in words
        return fact.reason
    return deps.vault.open_text(deps.vault.received(fact.sealed_reason, fact.correction_id), fact.correction_id)


def _whole(parts: dict[str, str]) -> CorrectionStatus:
    said = set(parts.values())
    for status in (CorrectionStatus.OPEN, CorrectionStatus.REFUSED):
        if str(status) in said:
            return status
    return CorrectionStatus.ACCEPTED
