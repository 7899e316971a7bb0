"""Somebody says a department's record is wrong: it is asked, it answers, and what is wrong no longer counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID

import structlog

from services.ingest.domain import correction as words
from services.ingest.domain import evidence
from services.ingest.domain.catalogue import Source
from services.ingest.domain.correction import Correction, ids_for
from services.ingest.store import batches, corrections, people, segments
from services.ingest.usecases.taking_back import TakeBack
from shared.contracts.events.ingest import CORRECTION_CHANGED, CorrectionChanged
from shared.contracts.vocabulary import CorrectionReason, CorrectionStatus
from shared.kit.crypto import Vault, sendable
from shared.kit.db import WriteTx
from shared.kit.outbox import Outbox
from shared.kit.telemetry import mask_text

log = structlog.get_logger(__name__)

_LONGEST = 500
_SENTENCES = {CorrectionReason.FALSE_DEATH: "网格核查确认本人健在,登记的死亡信息有误,请核对并更正原始记录"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What somebody says is wrong.

    Attributes:
        request_id: the same request twice is one.
        evidence_ids: of any sources; those of other people are left out.
        sealed_reason: his words, bound to the request; None where the code says it all.
        due_on: by when departments are to answer.
    """

    request_id: UUID
    subject: UUID
    evidence_ids: Sequence[int]
    reason: CorrectionReason
    sealed_reason: bytes | None
    asked_by: str
    at: datetime
    due_on: date


def sealed(vault: Vault, text: str, about: UUID) -> bytes:
    """What somebody wrote, numbers masked, for whoever answers it alone: it may name whom it is about."""
    return vault.seal_text(mask_text(text)[:_LONGEST], about)


def reason_of(vault: Vault, correction: Correction) -> str:
    """Why it was asked, as it is read on a screen."""
    if correction.sealed_reason is not None:
        return vault.open_text(correction.sealed_reason, correction.request_id)
    return _SENTENCES.get(CorrectionReason.of(correction.reason), correction.reason)


def answer_of(vault: Vault, correction: Correction) -> str | None:
    """What the department answered, as it is read on a screen."""
    if correction.sealed_answer is not None:
        return vault.open_text(correction.sealed_answer, correction.correction_id)
    return correction.answer


async def ask(tx: WriteTx, outbox: Outbox, sources: Mapping[str, Source], request: Request) -> list[Correction]:
    """Open a correction with each department whose record is named; what was taken back before is accepted at once.

    Returns:
        The corrections; none where no record of this person is named, or the request had come before.
    """
    found = await _by_source(tx, sources, request)
    if not found:
        log.warning("correction_names_no_record", request_id=str(request.request_id), asked_by=request.asked_by)
        return []
    ids, made = ids_for(request.request_id, sorted(found)), []
    for code, evidence_ids in sorted(found.items()):
        done = not set(evidence_ids) - await segments.taken_back(tx, evidence_ids)
        correction = Correction(
            correction_id=ids[code],
            request_id=request.request_id,
            source=code,
            department=sources[code].department,
            subject=request.subject,
            evidence_ids=tuple(evidence_ids),
            reason=request.reason,
            sealed_reason=request.sealed_reason,
            asked_by=request.asked_by,
            status=words.ACCEPTED if done else words.OPEN,
            requested_at=request.at,
            due_on=request.due_on,
            answered_at=request.at if done else None,
        )
        if await corrections.add(tx, correction):
            await say(tx, outbox, correction, at=request.at)
            made.append(correction)
    return made


async def _by_source(tx: WriteTx, sources: Mapping[str, Source], request: Request) -> Mapping[str, list[int]]:
    """Evidence ids of the person by source."""
    person_no = await people.number_of(tx, request.subject)
    numbers = {each: evidence.origin_of(each)[0] for each in request.evidence_ids}
    codes = await batches.codes_of(tx, sorted(set(numbers.values())))
    found: dict[str, list[int]] = {}
    for code in sorted(set(codes.values()) & set(sources)):
        named = [each for each, number in numbers.items() if codes.get(number) == code]
        rows = await segments.rows_of_ids(tx, named, sources[code].kind)
        own = rows.some(evidence.people_of(rows.key) == person_no)
        if len(own):
            found[code] = sorted(set(own.evidence_id.tolist()))
    return found


async def accept(tx: WriteTx, taking: TakeBack, correction: Correction, *, by: str, note: bytes | None) -> Correction:
    """The department agrees: the records no longer count; its note comes sealed."""
    await taking.records(correction.evidence_ids)
    answered = await _answer(tx, taking.outbox, correction, words.ACCEPTED, at=taking.because.at, by=by, note=note)
    await settle(tx, taking.outbox, correction.source, at=taking.because.at, by=by)
    return answered


async def refuse(
    tx: WriteTx, outbox: Outbox, correction: Correction, *, at: datetime, by: str, why: bytes
) -> Correction:
    """The department says that its records are right; why, comes sealed."""
    return await _answer(tx, outbox, correction, words.REFUSED, at=at, by=by, note=why)


async def take_back_own(tx: WriteTx, taking: TakeBack, correction: Correction) -> Correction:
    """A department corrects its record without being asked."""
    await corrections.add(tx, correction)
    await taking.records(correction.evidence_ids)
    await say(tx, taking.outbox, correction, at=taking.because.at)
    await settle(tx, taking.outbox, correction.source, at=taking.because.at, by=correction.asked_by)
    return correction


async def settle(tx: WriteTx, outbox: Outbox, source: str, *, at: datetime, by: str) -> None:
    """Answer open corrections of a source of which no record counts any more."""
    for each in await corrections.lock_open(tx, source):
        if not set(each.evidence_ids) - await segments.taken_back(tx, each.evidence_ids):
            await _answer(tx, outbox, each, words.ACCEPTED, at=at, by=by, note=None)


async def _answer(  # noqa: PLR0913  (an answer has this many parts)
    tx: WriteTx, outbox: Outbox, correction: Correction, status: str, *, at: datetime, by: str, note: bytes | None
) -> Correction:
    answer = None if note is None else CorrectionReason.IN_OWN_WORDS
    answered = replace(correction, status=status, answered_at=at, answered_by=by, answer=answer, sealed_answer=note)
    await corrections.save_answer(tx, answered)
    await say(tx, outbox, answered, at=at)
    return answered


async def say(tx: WriteTx, outbox: Outbox, correction: Correction, *, at: datetime) -> None:
    """Say where a correction stands. Only why it was refused is read by somebody who hears it."""
    why_not = correction.sealed_answer if correction.status == words.REFUSED else None
    await outbox.say(
        tx,
        CORRECTION_CHANGED,
        CorrectionChanged(
            correction_id=correction.correction_id,
            request_id=correction.request_id,
            source=correction.source,
            department=correction.department,
            status=CorrectionStatus(correction.status),
            reason=CorrectionReason.of(correction.reason) if why_not is None else CorrectionReason.IN_OWN_WORDS,
            sealed_reason=None if why_not is None else sendable(why_not),
            asked_by=correction.asked_by,
            evidence_ids=list(correction.evidence_ids),
            subject=correction.subject,
            due_on=correction.due_on,
            changed_at=at,
        ),
    )
