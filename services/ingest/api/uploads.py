"""What comes in: files, single events, rosters."""

import hashlib
from typing import Annotated

import orjson
import polars as pl
from fastapi import APIRouter, Path, Query, Request, Response

from services.ingest.api import taking
from services.ingest.api.deps import Deps, IngestDeps, Uploader
from services.ingest.domain import verdicts
from services.ingest.domain.catalogue import Source
from services.ingest.schemas import BatchOut, EventIn, EventOut, FileQuery, RosterOut, RosterQuery
from services.ingest.store import batches
from services.ingest.store.batches import Batch, NewBatch
from services.ingest.usecases import evidence
from services.ingest.usecases.evidence import Chunk
from shared.kit.auth import Caller
from shared.kit.problems import PROBLEM_RESPONSES, ForbiddenError, NotFoundError

router = APIRouter(prefix="/v1", tags=["uploads"], responses=PROBLEM_RESPONSES)
STREAMED = (r"/v1/sources/[^/]+/batches", r"/v1/programs/[^/]+/roster")
Code = Annotated[str, Path(pattern=r"^[a-z][a-z0-9_]{1,60}$")]
_BODY = {"requestBody": {"required": True, "content": {"application/octet-stream": {"schema": {"type": "string"}}}}}


def batch_out(batch: Batch, *, repeated: bool) -> BatchOut:
    """A batch as it is answered."""
    return BatchOut(
        batch_id=batch.batch_id,
        batch_no=batch.batch_no,
        source=batch.code,
        department=batch.department,
        status=batch.status,
        repeated=repeated,
        sha256=batch.sha256,
        received_at=batch.received_at,
        completed_at=batch.completed_at,
        **evidence.summary(batch.counts),
    )


def _may_deliver(caller: Caller, source: Source) -> None:
    if caller.department is not None and caller.department != source.department:
        detail = "This source belongs to another department; use a client of that department."
        raise ForbiddenError(detail)


@router.post("/sources/{source}/batches", openapi_extra=_BODY, status_code=201)
async def upload_batch(
    request: Request,
    response: Response,
    source: Code,
    deps: Deps,
    caller: Uploader,
    asked: Annotated[FileQuery, Query()],
) -> BatchOut:
    """Take a file of a source: CSV, XLSX, NDJSON or Parquet, plain or packed, as the body.

    Sent twice it is taken once; cut off, it goes on where it was when sent again. Too many faulty rows:
    409 `batch_held`, until it is sent again with `confirm` or released.
    """
    declared = deps.source(source)
    _may_deliver(caller, declared)
    received = await deps.raw.receive(request.stream(), limit=deps.settings.ingest_max_upload_bytes)
    try:
        new = taking.new_batch(deps, caller, "source", source, received, asked.filename)
        batch, repeated = await taking.take_source(deps, declared, received, new, confirmed=asked.confirm)
    finally:
        deps.raw.forget(received)
    if repeated:
        response.status_code = 200
    return batch_out(batch, repeated=repeated)


@router.post("/sources/{source}/events", status_code=201)
async def post_event(source: Code, event: EventIn, deps: Deps, caller: Uploader) -> EventOut:
    """Take one event now; the same event again changes nothing."""
    declared = deps.source(source)
    _may_deliver(caller, declared)
    row = {"citizen_id": event.citizen_id, "name": event.name, "occurred_on": event.occurred_on.isoformat()}
    frame = pl.DataFrame({name: [(row | event.values).get(name)] for name in declared.columns},
                         schema=dict.fromkeys(declared.columns, pl.String))  # fmt: skip
    people = await deps.people.get()
    judged = verdicts.judge(frame, declared, people, taking.rules(deps))
    # Only a digest of what was said is kept: the id stays in the vault.
    digest = hashlib.blake2b(orjson.dumps(frame.to_dicts()), key=deps.keys.subject.one(source).bytes).hexdigest()[:64]
    new = NewBatch(
        kind="event",
        code=source,
        department=declared.department,
        client_id=caller.client_id,
        sha256=digest,
        filename="event",
        size_bytes=0,
        received_at=deps.platform.clock.now(),
    )
    async with deps.platform.database.write() as tx:
        batch = await batches.open_batch(tx, new)
        chunk = Chunk(first_row=0, judged=judged, people=people)
        batch = await evidence.take_event(tx, deps.platform.outbox, declared, batch, chunk)
        batch = await evidence.finish(tx, deps.platform.outbox, batch, at=new.received_at)
    name = next(iter(batch.counts))
    quarantined = verdicts.CODE[name] > verdicts.OUT_OF_WINDOW
    return EventOut(
        batch_id=batch.batch_id, verdict="quarantined" if quarantined else name, reason=name if quarantined else None
    )


async def _known_program(deps: IngestDeps, program: str) -> None:
    url = f"{deps.settings.recognition_url}/v1/programs/{program}"
    if await deps.platform.peers.get_json(url) is None:
        detail = "There is no such program; recognition's GET /v1/programs lists them."
        raise NotFoundError(detail)


@router.post("/programs/{program}/roster", openapi_extra=_BODY, status_code=201)
async def upload_roster(
    request: Request,
    response: Response,
    program: Code,
    deps: Deps,
    caller: Uploader,
    asked: Annotated[RosterQuery, Query()],
) -> RosterOut:
    """Take the roster of a program. `full` ends whoever is not in it.

    A full roster that would end too many enrolments: 409 `roster_held`, until it is sent again with `confirm`.
    """
    if not caller.may_program(program):
        detail = "The token does not speak for this program."
        raise ForbiddenError(detail)
    await _known_program(deps, program)
    received = await deps.raw.receive(request.stream(), limit=deps.settings.ingest_max_upload_bytes)
    try:
        new = taking.new_batch(deps, caller, "roster", program, received, asked.filename)
        batch, repeated = await taking.take_roster(
            deps, program, received, new, full=asked.mode == "full", confirmed=asked.confirm
        )
    finally:
        deps.raw.forget(received)
    if repeated:
        response.status_code = 200
    return _roster_out(batch, repeated=repeated)


def _roster_out(batch: Batch, *, repeated: bool) -> RosterOut:
    counts = {name: count for name, count in batch.counts.items() if name not in {"ending", "open"}}
    plain = {name: counts.pop(name, 0) for name in ("accepted", "new", "changed", "ended")}
    return RosterOut(
        batch_id=batch.batch_id,
        batch_no=batch.batch_no,
        program=batch.code,
        status=batch.status,
        repeated=repeated,
        reasons=counts,
        **plain,
    )
