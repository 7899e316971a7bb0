"""What becomes of a batch after its first judgement: faulty rows go back, a held batch is released or withdrawn."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal
from uuid import UUID

import structlog
from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from services.ingest.api import taking
from services.ingest.api.deps import Deps, IngestDeps, Uploader
from services.ingest.api.lookups import batch_of
from services.ingest.api.uploads import MAY_BE_FULL, batch_out
from services.ingest.domain.correction import Because
from services.ingest.schemas import BatchOut
from services.ingest.store import batches, mending, people
from services.ingest.store.batches import Batch
from services.ingest.store.raw import Received
from services.ingest.usecases import corrections, evidence
from services.ingest.usecases.taking_back import TakeBack
from shared.contracts.vocabulary import CorrectionReason
from shared.kit.auth import Caller
from shared.kit.problems import ConflictError, ForbiddenError, NotFoundError

log = structlog.get_logger(__name__)
router = APIRouter(prefix="/v1", tags=["batches"], responses=MAY_BE_FULL)
_TYPES = {"csv": "text/csv; charset=utf-8", "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}
_ROWS = 50_000
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FILE: dict[int | str, dict[str, Any]] = {200: {"content": dict.fromkeys(_TYPES.values(), _BINARY)}}


async def _own(deps: IngestDeps, caller: Caller, batch_id: UUID) -> Batch:
    batch = await batch_of(deps, caller, batch_id)
    if batch.kind == "roster" and not caller.may_program(batch.code):
        detail = "The token does not speak for this program."
        raise ForbiddenError(detail)
    return batch


async def _file_of(deps: IngestDeps, batch: Batch) -> Received:
    try:
        return await asyncio.to_thread(deps.raw.fetch, batch.sha256.split(".")[0])
    except FileNotFoundError as error:
        detail = "The file of this batch is not kept; send it again."
        raise NotFoundError(detail) from error


@router.get("/batches/{batch_id}/quarantine/file", response_class=StreamingResponse, responses=_FILE)
async def download_quarantine(
    batch_id: UUID,
    deps: Deps,
    caller: Uploader,
    form: Annotated[Literal["csv", "xlsx"], Query(alias="format")] = "csv",
) -> StreamingResponse:
    """Rows that were not taken, as they were sent, with the reason beside each: mend them and send the file back.

    For whoever may deliver this source: the rows hold identity numbers. It is a look at each person in them, and is
    logged as such before the answer.
    """
    batch = await _own(deps, caller, batch_id)
    async with deps.platform.database.read() as tx:
        quarantine = await batches.quarantine_of(tx, batch.batch_no)
    received = await _file_of(deps, batch)
    try:
        # All columns are read, not only those that are judged. Once written, the file goes out as slowly as it may.
        limits = replace(deps.limits, chunk_rows=min(deps.limits.chunk_rows, _ROWS))
        source, numbers = deps.sources.get(batch.code) if batch.kind == "source" else None, list[str]()
        frames = mending.rows_with_reasons(received, quarantine, limits, source)
        noted = mending.noting_people(frames, numbers, deps.platform.clock.today().year, source)
        async with deps.turn:
            path = await asyncio.to_thread(mending.written, noted, form, received)
        await _log_looks(deps, caller, batch, numbers)
    except BaseException:
        deps.raw.forget(received)
        raise
    headers = {"Content-Disposition": f'attachment; filename="{batch.code}-{batch.batch_no}-quarantine.{form}"'}
    return StreamingResponse(_sent(deps, received, mending.pieces(path)), media_type=_TYPES[form], headers=headers)


async def _log_looks(deps: IngestDeps, caller: Caller, batch: Batch, numbers: Sequence[str]) -> None:
    distinct = sorted(set(numbers))
    rows = await asyncio.to_thread(deps.keys.subject.many, distinct)
    subjects = [UUID(bytes=row.tobytes()) for row in rows]
    async with deps.platform.database.write() as tx:
        await people.log_looks(tx, caller, f"mend rows of batch {batch.batch_id}", subjects, deps.platform.clock.now())
    # Rows without a good number are nobody's, but somebody has them now.
    log.info("quarantine_taken", batch_id=str(batch.batch_id), client=caller.client_id, people=len(subjects))


async def _sent(deps: IngestDeps, received: Received, pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    try:
        while piece := await asyncio.to_thread(next, pieces, b""):
            yield piece
    finally:
        deps.raw.forget(received)


@router.post("/batches/{batch_id}:release")
async def release_batch(batch_id: UUID, deps: Deps, caller: Uploader) -> BatchOut:
    """Let a held batch through: somebody has looked at it. Anything but a held one stays as it is."""
    batch = await _own(deps, caller, batch_id)
    if batch.status != "held":
        return batch_out(batch, repeated=True)
    received = await _file_of(deps, batch)
    try:
        batch = await taking.go_on(deps, batch, received, confirmed=True)
    finally:
        deps.raw.forget(received)
    return batch_out(batch, repeated=False)


@router.post("/batches/{batch_id}:withdraw")
async def withdraw_batch(batch_id: UUID, deps: Deps, caller: Uploader) -> BatchOut:
    """Give a batch up: a held one never said anything; what another one said no longer counts.

    Rows of other batches that were duplicates of it count from then on. A roster that was taken is put right by the
    right roster, a single event by `POST /v1/corrections`.
    """
    batch = await _own(deps, caller, batch_id)
    at, outbox, index = deps.platform.clock.now(), deps.platform.outbox, await deps.people.get()
    because = Because(reason=CorrectionReason.WITHDRAWN, correction_id=batch_id, at=at)
    async with deps.platform.database.write() as tx:
        now = await evidence.withdraw_held(tx, batch, at=at)
        if now.kind == "source" and now.status != "withdrawn":
            source = deps.source(batch.code)
            now = await TakeBack(tx=tx, outbox=outbox, source=source, people=index, because=because).batch(now)
            await corrections.settle(tx, outbox, batch.code, at=at, by=caller.user)
    if now.status != "withdrawn":
        detail = "Of what was taken only a source's file can be withdrawn; send the right roster, or correct the event."
        raise ConflictError(detail)
    return batch_out(now, repeated=batch.status == "withdrawn")
