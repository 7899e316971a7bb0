"""Files in: deliveries of sources, and rosters of programs."""

from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from services.ingest.api import taking
from services.ingest.api.deps import Code, Deps, IngestDeps, Uploader, may_deliver
from services.ingest.schemas import BatchOut, FileQuery, RosterOut, RosterQuery
from services.ingest.store.batches import Batch
from services.ingest.store.problems import UnreadableFileError
from services.ingest.store.raw import Received
from services.ingest.usecases import evidence
from shared.kit.problems import PROBLEM_RESPONSES, ForbiddenError, ProblemError

_FULL = HTTPStatus.INSUFFICIENT_STORAGE
_PATIENCE = 4
"""Times the largest file that are read of one that is refused."""
MAY_BE_FULL = {**PROBLEM_RESPONSES, _FULL.value: {**PROBLEM_RESPONSES[503], "description": _FULL.phrase}}
router = APIRouter(prefix="/v1", tags=["uploads"], responses=MAY_BE_FULL)
STREAMED = (r"/v1/sources/[^/]+/batches", r"/v1/programs/[^/]+/roster")
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
        sha256=batch.file_sha256,
        received_at=batch.received_at,
        completed_at=batch.completed_at,
        **evidence.summary(batch.counts),
    )


async def _received(request: Request, deps: IngestDeps) -> Received:
    """The body; a form, and one that is too long or says so at the start, is refused."""
    pieces, most = request.stream(), deps.settings.ingest_max_upload_bytes
    declared = request.headers.get("content-length", "")
    try:
        if request.headers.get("content-type", "").startswith("multipart/"):
            detail = "The body is a form; send the file itself as the body, as curl does with --data-binary @FILE."
            raise UnreadableFileError(detail)
        return await deps.raw.receive(pieces, limit=most, declared=int(declared) if declared.isdecimal() else 0)
    except ProblemError:
        # Who asks before he sends, as curl does, has sent nothing yet.
        if request.headers.get("expect", "").lower() != "100-continue":
            await _let_pass(pieces, _PATIENCE * most)
        raise


async def _let_pass(pieces: AsyncIterator[bytes], most: int) -> None:
    """Read on without keeping anything: who is answered while he still sends meets a reset and never reads why."""
    passed = 0
    async for piece in pieces:
        passed += len(piece)
        if passed > most:
            return


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

    Sent twice it is taken once; cut off, it goes on where it was when sent again. Rows that were not taken because
    their people were not on a roster, or under another name, are judged anew when the file is sent after the right
    roster. Too many faulty rows: 409 `batch_held`, until it is sent again with `confirm` or released.
    """
    declared = deps.source(source)
    may_deliver(caller, declared)
    received = await _received(request, deps)
    try:
        new = taking.new_batch(deps, caller, "source", source, received, asked.filename)
        batch, repeated = await taking.take_source(deps, declared, received, new, confirmed=asked.confirm)
    finally:
        deps.raw.forget(received)
    if repeated:
        response.status_code = 200
    return batch_out(batch, repeated=repeated)


@router.post("/programs/{program}/roster", openapi_extra=_BODY, status_code=201)
async def upload_roster(
    request: Request,
    response: Response,
    program: Code,
    deps: Deps,
    caller: Uploader,
    asked: Annotated[RosterQuery, Query()],
) -> RosterOut:
    """Take the roster of a program. `full` ends whoever is not in it; in both modes a row may say when it has ended.

    An end on a day to come is kept, and comes on that day unless a later row of the same person says otherwise. Until
    then he is enrolled: the row is one like any other, or, where it says no amount, changes nothing but that.

    In that of a program which pays households each row is a household by its number, and the person who draws the
    money for it: another one in his place, in a `delta` too, ends his enrolment; a second one is not taken.
    Whoever stands in it with a faulty row has not ended. One whom another program enrols under another name is such a
    row, `name_mismatch`: it is taken once it is sent with `confirm`. A full roster that would end too many enrolments,
    and any with too many faulty rows: 409 `roster_held`, until it is sent again with `confirm`. One that a newer roster
    has overtaken: 409 `roster_overtaken`.
    Whoever is listed in two counties is enrolled where it began first, and officers are told of the other place. In a
    `delta` a move to another county is two rows: the old place with the day it ended, and the new one; an end that
    names a county, or the village of it left before, in which nothing of its person is known, who goes on elsewhere,
    ends nothing, nor does that of somebody who was never enrolled: `not_enrolled_there`.
    """
    if not caller.may_program(program):
        detail = "The token does not speak for this program."
        raise ForbiddenError(detail)
    by_household = await taking.pays_households(deps, program)
    received = await _received(request, deps)
    try:
        new = taking.new_batch(deps, caller, "roster", program, received, asked.filename)
        how = taking.RosterAsked(full=asked.mode == "full", confirmed=asked.confirm, by_household=by_household)
        batch, repeated = await taking.take_roster(deps, program, received, new, how)
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
