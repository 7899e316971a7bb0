"""Corrections: listed, answered by the department, or made by it without being asked."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

import numpy as np
import uuid_utils.compat as uuids
from fastapi import APIRouter, Query

from services.ingest.api import events
from services.ingest.api.deps import CityReader, Deps, IngestDeps, Uploader, may_deliver
from services.ingest.api.lookups import meant_by
from services.ingest.domain import evidence, verdicts
from services.ingest.domain.catalogue import Source
from services.ingest.domain.correction import ACCEPTED, OPEN, Because, Correction
from services.ingest.schemas import (
    AcceptanceIn,
    CorrectionIn,
    CorrectionOut,
    CorrectionsOut,
    CorrectionsQuery,
    EventIn,
    RecordOut,
    RefusalIn,
)
from services.ingest.store import batches, corrections, people, segments
from services.ingest.store.segments import Rows
from services.ingest.usecases import corrections as verbs
from services.ingest.usecases.taking_back import TakeBack
from shared.contracts.vocabulary import CorrectionReason
from shared.kit.auth import Caller
from shared.kit.db import ReadTx, WriteTx
from shared.kit.problems import PROBLEM_RESPONSES, ConflictError, NotFoundError, ProblemError

_PURPOSE = "correction"

router = APIRouter(prefix="/v1/corrections", tags=["corrections"], responses=PROBLEM_RESPONSES)


class ReplacementNotTakenError(ProblemError):
    """What is said to be right cannot be taken; nothing was changed."""

    status = 422
    code = "replacement_not_taken"
    title = "The record that is to take its place cannot be taken"


@router.post("", status_code=201)
async def correct_record(asked: CorrectionIn, deps: Deps, caller: Uploader) -> CorrectionOut:
    """Take back one of your own records, and say what is right in its place.

    The record no longer counts, nor does it when it comes again with your next file; what followed from it is
    assessed again.
    """
    now = deps.platform.clock.now()
    correction_id = uuids.uuid7()
    because = Because(reason=CorrectionReason.IN_OWN_WORDS, correction_id=correction_id, at=now)
    index = await deps.people.get()
    async with deps.platform.database.write() as tx:
        evidence_id, code = await _named(tx, asked)
        source = _own(deps, caller, code)
        subject = await _meant(tx, evidence_id, source)
        if await segments.taken_back(tx, [evidence_id]):
            detail = "This record was taken back before; nothing of it counts."
            raise ConflictError(detail)
        correction = Correction(
            correction_id=correction_id,
            request_id=correction_id,
            source=code,
            department=source.department,
            subject=subject,
            evidence_ids=(evidence_id,),
            reason=because.reason,
            sealed_reason=verbs.sealed(deps.keys.vault, asked.reason, correction_id),
            asked_by=caller.client_id,
            status=ACCEPTED,
            requested_at=now,
            due_on=deps.platform.clock.today(),
            answered_at=now,
            answered_by=caller.user,
        )
        taking = TakeBack(tx=tx, outbox=deps.platform.outbox, source=source, people=index, because=because)
        await verbs.take_back_own(tx, taking, correction)
        if asked.replacement:
            await _replace(deps, taking, caller, [asked.replacement])
        return (await _shown(deps, tx, caller, [correction]))[0]


async def _named(tx: ReadTx, asked: CorrectionIn) -> tuple[int, str]:
    """Evidence id and source of the record that is meant."""
    if asked.evidence_id is not None:
        batch = await batches.find_batch_by_no(tx, evidence.origin_of(asked.evidence_id)[0])
        evidence_id = asked.evidence_id
    else:
        batch = await batches.find_batch(tx, asked.batch_id) if asked.batch_id else None
        evidence_id = evidence.evidence_id(batch.batch_no, asked.row_no or 0) if batch else 0
    if batch is None or batch.kind == "roster":
        raise _no_record()
    return evidence_id, batch.code


async def _meant(tx: ReadTx, evidence_id: int, source: Source) -> UUID:
    """Whom a record means; of several whom one without an id may mean, the first."""
    for subject in await meant_by(tx, evidence_id, source.kind):
        return subject
    raise _no_record()


def _no_record() -> NotFoundError:
    detail = "No record that was taken has this place; rows in quarantine never counted."
    return NotFoundError(detail)


def _own(deps: IngestDeps, caller: Caller, code: str) -> Source:
    """A source of the caller; another department's looks like none."""
    source = deps.sources.get(code)
    if source is None or (caller.department is not None and caller.department != source.department):
        raise _no_record()
    return source


@router.get("")
async def list_corrections(
    deps: Deps, caller: CityReader, asked: Annotated[CorrectionsQuery, Query()]
) -> CorrectionsOut:
    """Corrections of your department; `open` ones wait for your answer until `due_on`. Looks are logged."""
    async with deps.platform.database.write() as tx:
        found = await corrections.page(
            tx, department=caller.department, status=asked.status, after=asked.after, limit=asked.limit
        )
        items = await _shown(deps, tx, caller, found)
    return CorrectionsOut(items=items, next_after=found[-1].correction_id if len(found) == asked.limit else None)


@router.get("/{correction_id}")
async def get_correction(correction_id: UUID, deps: Deps, caller: CityReader) -> CorrectionOut:
    """One correction; the look is logged."""
    async with deps.platform.database.write() as tx:
        found = _seen(caller, await corrections.find(tx, correction_id))
        return (await _shown(deps, tx, caller, [found]))[0]


def _seen(caller: Caller, found: Correction | None) -> Correction:
    if found is None or (caller.department is not None and caller.department != found.department):
        detail = "There is no such correction."
        raise NotFoundError(detail)
    return found


@router.post("/{correction_id}:accept")
async def accept_correction(correction_id: UUID, asked: AcceptanceIn, deps: Deps, caller: Uploader) -> CorrectionOut:
    """Agree that your records are wrong: they no longer count; say what is right in their place where you know it."""
    index = await deps.people.get()
    async with deps.platform.database.write() as tx:
        source = deps.source(_seen(caller, await corrections.find(tx, correction_id)).source)
        may_deliver(caller, source)
        # First the source, then its corrections: the order in which a withdrawal holds them too.
        await batches.lock_source(tx, source.code)
        found = _unanswered(caller, await corrections.lock(tx, correction_id))
        at, reason = deps.platform.clock.now(), CorrectionReason.of(found.reason)
        because = Because(reason=reason, correction_id=correction_id, at=at)
        taking = TakeBack(tx=tx, outbox=deps.platform.outbox, source=source, people=index, because=because)
        note = verbs.sealed(deps.keys.vault, asked.note, correction_id) if asked.note else None
        answered = await verbs.accept(tx, taking, found, by=caller.user, note=note)
        await _replace(deps, taking, caller, asked.replacements)
        return (await _shown(deps, tx, caller, [answered]))[0]


@router.post("/{correction_id}:refuse")
async def refuse_correction(correction_id: UUID, asked: RefusalIn, deps: Deps, caller: Uploader) -> CorrectionOut:
    """Say that your records are right, and why."""
    async with deps.platform.database.write() as tx:
        found = _unanswered(caller, await corrections.lock(tx, correction_id))
        may_deliver(caller, deps.source(found.source))
        at, why = deps.platform.clock.now(), verbs.sealed(deps.keys.vault, asked.reason, correction_id)
        answered = await verbs.refuse(tx, deps.platform.outbox, found, at=at, by=caller.user, why=why)
        return (await _shown(deps, tx, caller, [answered]))[0]


def _unanswered(caller: Caller, found: Correction | None) -> Correction:
    seen = _seen(caller, found)
    if seen.status != OPEN:
        detail = f"This correction was {seen.status} before; ask for it to see the answer."
        raise ConflictError(detail)
    return seen


async def _replace(deps: IngestDeps, taking: TakeBack, caller: Caller, replacements: Sequence[EventIn]) -> None:
    """Take what is right in place of what was taken back.

    Raises:
        ReplacementNotTakenError: it is as faulty as what it is to replace.
    """
    source = taking.source
    for place, event in enumerate(replacements):
        said = events.judged(deps, source, event, taking.people)
        judged, name = said.chunk.judged, verdicts.VERDICTS[said.chunk.judged.verdict[0]]
        if verdicts.CODE[name] in (*verdicts.FAULTS, verdicts.CODE["not_counted"]):
            detail = f"Nothing was changed: {name}. Say the right values, or take the record back without any."
            raise ReplacementNotTakenError(detail)
        if name == "accepted":
            key = evidence.keys_of(said.chunk.people.person_no[judged.person], judged.day)
            row = Rows(evidence_id=np.zeros(1, np.int64), key=key, kind=judged.kind, full=judged.full)
            await segments.unbar(taking.tx, source.code, row)
        # Said before by another event, it still is a new word of the department.
        new = events.new_batch(deps, caller, source, f"{said.digest}.{taking.because.correction_id}.{place}")
        await events.take(deps, taking.tx, source, new, said)


async def _shown(deps: IngestDeps, tx: WriteTx, caller: Caller, found: Sequence[Correction]) -> list[CorrectionOut]:
    """Corrections as they are read; what people wrote is opened, which is a look at whom it is about."""
    if not found:
        return []
    await people.log_looks(tx, caller, _PURPOSE, [one.subject for one in found], deps.platform.clock.now())
    numbers = {evidence.origin_of(each)[0] for one in found for each in one.evidence_ids}
    files, today = await batches.files_of(tx, sorted(numbers)), deps.platform.clock.today()
    return [
        CorrectionOut(
            correction_id=one.correction_id,
            request_id=one.request_id,
            source=one.source,
            department=one.department,
            status=one.status,
            reason=verbs.reason_of(deps.keys.vault, one),
            asked_by=one.asked_by,
            records=[
                RecordOut(evidence_id=each, batch_id=files[number][0], filename=files[number][1], row_no=row_no)
                for each in one.evidence_ids
                for number, row_no in (evidence.origin_of(each),)
                if number in files
            ],
            requested_at=one.requested_at,
            due_on=one.due_on,
            overdue=one.status == OPEN and today > one.due_on,
            answered_at=one.answered_at,
            answered_by=one.answered_by,
            answer=verbs.answer_of(deps.keys.vault, one),
        )
        for one in found
    ]
