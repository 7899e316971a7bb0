"""Many people at once: jobs over a whole program or a list, and lists about to be paid."""

import asyncio
import base64
import hashlib
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID, uuid4

import asyncpg
import uuid_utils.compat as uuids
from fastapi import APIRouter, Depends, Query, Request, Response, Security
from fastapi.responses import StreamingResponse

from services.recognition.api.deps import PURPOSE_HEADERS, Question, RouteDeps, asking, deps, logged
from services.recognition.api.once import ONCE_HEADER, Answered, once
from services.recognition.api.route import PartnerRoute
from services.recognition.domain.programs import Program
from services.recognition.domain.states import JobKind, ResultFormat, RunState
from services.recognition.schemas.bulk import JobOut, JobsOut, PaidIn, PayrunOut, ResultOut
from services.recognition.schemas.partner import MaxAge, ProgramCode
from services.recognition.store import jobs as job_store
from services.recognition.store import lookups, payments
from services.recognition.store.jobs import Job, Payrun
from services.recognition.store.reading import ListType, read_chunks, receive
from services.recognition.store.runs import SHARD_COUNT
from services.recognition.usecases import jobs, payruns, sandbox
from services.recognition.usecases.lists import Ids, RealIds, Taken, take
from services.recognition.usecases.payruns import Confirmation
from shared.kit.db import WriteTx
from shared.kit.problems import PROBLEM_RESPONSES, MalformedError, ProblemError

_SAID = ((410, "Gone"), (415, "Unsupported Media Type"))
_MORE: dict[int | str, dict[str, Any]] = {code: {**PROBLEM_RESPONSES[404], "description": said} for code, said in _SAID}
router = APIRouter(prefix="/v1", tags=["partner"], route_class=PartnerRoute, responses={**PROBLEM_RESPONSES, **_MORE})

JobQuestion = Annotated[Question, Security(asking("recognition.batch", "job"))]
JobReader = Annotated[Question, Security(asking("recognition.batch", "job", lawful=False))]
PayReader = Annotated[Question, Security(asking("recognition.batch", "payrun", lawful=False))]
PayQuestion = Annotated[Question, Security(asking("recognition.batch", "payrun"))]
MEDIA = {ResultFormat.NDJSON: "application/x-ndjson", ResultFormat.PARQUET: "application/vnd.apache.parquet"}
_YEARS = 3
_FILE = {each.value: {"schema": {"type": "string", "format": "binary"}} for each in ListType}
_LIST_BODY = {**PURPOSE_HEADERS, "requestBody": {"required": False, "content": _FILE}}
_PAY_BODY = {**PURPOSE_HEADERS, "requestBody": {"required": True, "content": _FILE}}
for _described in (_LIST_BODY, _PAY_BODY):
    _described["parameters"] = [*PURPOSE_HEADERS["parameters"], ONCE_HEADER]


class WrongTypeError(ProblemError):
    """A body of another kind than is read here."""

    status = 415
    code = "unsupported_media_type"
    title = "This kind of body is not read here"


@dataclass(frozen=True, slots=True)
class JobQuery:
    """What is asked about whom."""

    program: Annotated[ProgramCode, Query()]
    result: Annotated[ResultFormat, Query()] = ResultFormat.NDJSON
    max_age_days: Annotated[MaxAge | None, Query()] = None


@dataclass(frozen=True, slots=True)
class PayrunQuery:
    """For what a list is to be paid."""

    program: Annotated[ProgramCode, Query()]
    month: Annotated[
        str, Query(max_length=7, pattern=r"^\d{4}-(0[1-9]|1[0-2])$", description="month it pays for, YYYY-MM")
    ]
    result: Annotated[ResultFormat, Query()] = ResultFormat.NDJSON


@router.post("/jobs", status_code=202, response_model=JobOut, openapi_extra=_LIST_BODY)
async def start_job(request: Request, question: JobQuestion, asked: Annotated[JobQuery, Depends()]) -> Response:
    """Ask about everybody of a program (no body) or about the people of a list (CSV, NDJSON, Parquet).

    A list needs a column `citizen_id` and may have `ref`, which comes back with the answer; ids are not kept.
    """
    found = question.deps
    async with logged(question, asked.program), _received(request, found) as (path, size, digest):
        job_id = uuids.uuid7()
        program = found.programs[asked.program]
        taken = await _take(request, found, path, job_id, program=program, paying=False) if size else None
        job = _new_job(question, job_id, asked.program, asked.result, asked.max_age_days, taken)

        async def effect(tx: WriteTx) -> Answered:
            await jobs.add_job(found, tx, job)
            people = job.people if taken else await jobs.count_people(tx, program)
            await found.limiter.count_in(tx, job.client_id, people or 0)
            return Answered(job_out(request, job), 202, _place(request, "get_job", job))

        return await _begin(request, question, job, digest, effect)


@router.get("/jobs")
async def list_jobs(
    request: Request,
    question: JobReader,
    before: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> JobsOut:
    """Jobs of the client, newest first."""
    async with question.deps.database.read() as tx:
        kinds = (JobKind.PROGRAM, JobKind.LIST)
        found = await job_store.list_jobs(tx, question.caller.client_id, kinds, before, limit)
    return JobsOut(
        items=[job_out(request, each) for each in found], next=found[-1].job_id if len(found) == limit else None
    )


@router.get("/jobs/{job_id}", name="get_job")
async def get_job(request: Request, job_id: UUID, question: JobReader) -> JobOut:
    """How far a job is."""
    async with logged(question, None), question.deps.database.read() as tx:
        return job_out(request, await jobs.get_job(tx, job_id, question.caller.client_id))


@router.delete("/jobs/{job_id}", status_code=204)
async def cancel_job(job_id: UUID, question: JobReader) -> Response:
    """Cancel a job under way; of one that has ended, forget the result."""
    async with logged(question, None):
        async with question.deps.database.write() as tx:
            await jobs.cancel(question.deps, tx, job_id, question.caller.client_id)
        await asyncio.to_thread(question.deps.bulk.files.drop, job_id)
    return Response(status_code=204)


_RESULT: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The result file; Repr-Digest says what it must be (RFC 9530)",
        "headers": {"Repr-Digest": {"schema": {"type": "string"}}},
        "content": {media: {"schema": {"type": "string", "format": "binary"}} for media in MEDIA.values()},
    }
}


@router.get("/jobs/{job_id}/result", name="get_job_result", response_class=Response, responses=_RESULT)
async def get_job_result(job_id: UUID, question: JobReader) -> Response:
    """The result file of a job that has succeeded."""
    return await _result(question, job_id, payrun=False)


@router.post("/payruns", status_code=202, response_model=PayrunOut, openapi_extra=_PAY_BODY)
async def start_payrun(request: Request, question: PayQuestion, asked: Annotated[PayrunQuery, Depends()]) -> Response:
    """Ask before paying: for each line of the list pay, hold with a reason, or stop with the decision.

    A list needs `citizen_id` and `amount` (yuan) or `amount_fen`, and may have `ref`. A person stands in it once.
    """
    found = question.deps
    async with logged(question, asked.program):
        program = found.programs[asked.program]
        first = payruns.month_of(program, _month(asked.month, found.clock.today()))
        async with _received(request, found) as (path, size, digest):
            if not size:
                raise MalformedError("Send the list as the body: CSV, NDJSON or Parquet.")
            job_id = uuids.uuid7()
            taken = await _take(request, found, path, job_id, program=program, paying=True)
            job = _new_job(question, job_id, asked.program, asked.result, None, taken, kind=JobKind.PAYRUN)
            await _prepare_month(found, first)

            async def effect(tx: WriteTx) -> Answered:
                run = await payruns.add_payrun(found, tx, job, first, taken.total_fen)
                await found.limiter.count_in(tx, job.client_id, job.people or 0)
                return Answered(payrun_out(request, job, run), 202, _place(request, "get_payrun", job))

            return await _begin(request, question, job, digest, effect)


@router.get("/payruns/{payrun_id}", name="get_payrun")
async def get_payrun(request: Request, payrun_id: UUID, question: PayReader) -> PayrunOut:
    """How far a pay list is."""
    async with logged(question, None), question.deps.database.read() as tx:
        return payrun_out(request, *await payruns.get_payrun(tx, payrun_id, question.caller.client_id))


@router.get("/payruns/{payrun_id}/result", name="get_payrun_result", response_class=Response, responses=_RESULT)
async def get_payrun_result(payrun_id: UUID, question: PayReader) -> Response:
    """The advice for each line."""
    return await _result(question, payrun_id, payrun=True)


@router.delete("/payruns/{payrun_id}", status_code=204)
async def cancel_payrun(payrun_id: UUID, question: PayReader) -> Response:
    """Give up a pay list nothing was paid of."""
    async with logged(question, None):
        async with question.deps.database.write() as tx:
            await jobs.cancel(question.deps, tx, payrun_id, question.caller.client_id, payrun=True)
        await asyncio.to_thread(question.deps.bulk.files.drop, payrun_id)
    return Response(status_code=204)


@router.post(
    "/payruns/{payrun_id}:confirm",
    status_code=202,
    response_model=PayrunOut,
    openapi_extra={"parameters": [ONCE_HEADER]},
)
async def confirm_payrun(request: Request, payrun_id: UUID, body: PaidIn, question: PayReader) -> Response:
    """Say what was paid; from this payments are known, and what was paid too much can be found."""
    found, caller, said = question.deps, question.caller, body.sorted()
    confirmation = Confirmation(paid_on=said.paid_on, not_paid=said.not_paid, also_paid=said.also_paid)

    async def effect(tx: WriteTx) -> Answered:
        run = await payruns.confirm(found, tx, payrun_id, caller.client_id, confirmation, caller.user)
        job = await jobs.get_job(tx, payrun_id, caller.client_id, payrun=True)
        return Answered(payrun_out(request, job, run), 202, _place(request, "get_payrun", job))

    async with logged(question, None):
        response = await once(request, found.database, caller.client_id, said.model_dump_json().encode(), effect)
    found.wake_bulk.set()
    return response


# ---- parts of the above ----------------------------------------------------------------------------------------------


@asynccontextmanager
async def _received(request: Request, found: RouteDeps) -> AsyncIterator[tuple[Path, int, bytes]]:
    """The body in a scratch file that is gone afterwards: path, length, digest."""
    folder = found.bulk.scratch / uuid4().hex
    folder.mkdir(mode=0o700, parents=True)
    digest = hashlib.sha256()

    async def pieces() -> AsyncIterator[bytes]:
        async for piece in request.stream():
            digest.update(piece)
            yield piece

    try:
        size = await receive(pieces(), folder / "body", limit=found.bulk.most_bytes)
        yield folder / "body", size, digest.digest()
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


async def _take(
    request: Request, found: RouteDeps, path: Path, job_id: UUID, *, program: Program, paying: bool
) -> Taken:
    """Judge a list and keep its parts, without its ids."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in set(ListType):
        raise WrongTypeError(f"A list is one of {', '.join(ListType)}; say which in Content-Type.")

    def work() -> Taken:
        chunks = read_chunks(path, ListType(kind))
        known: Ids = sandbox.SyntheticIds(found) if program.sandbox else RealIds(found.subjects)
        keep = partial(found.bulk.files.write_part, job_id, "list")
        return take(chunks, known, keep, path.parent, paying=paying, limit=found.bulk.most_lines)

    return await asyncio.to_thread(work)


def _new_job(  # noqa: PLR0913  (a job has this many parts)
    question: Question,
    job_id: UUID,
    program: str,
    result: ResultFormat,
    max_age_days: int | None,
    taken: Taken | None,
    *,
    kind: JobKind = JobKind.LIST,
) -> Job:
    found, caller, why = question.deps, question.caller, question.why
    assert why is not None
    return Job(
        job_id=job_id,
        kind=kind if taken else JobKind.PROGRAM,
        program=program,
        client_id=caller.client_id,
        user_ref=caller.user,
        department=caller.department,
        purpose=why.code,
        legal_basis=why.basis,
        case_ref=why.case,
        request_id=question.request.scope["state"]["request_id"],
        max_age_days=max_age_days,
        format=result,
        state=RunState.QUEUED,
        requested_at=found.clock.now(),
        finished_at=None,
        expires_at=None,
        parts=taken.parts if taken else SHARD_COUNT,
        parts_done=0,
        people=taken.lines if taken else None,
        done=0,
        counts={},
        failures=0,
        digest=None,
        size_bytes=None,
    )


async def _begin(request: Request, question: Question, job: Job, digest: bytes, effect: Any) -> Response:  # noqa: ANN401
    """Queue it, once; what was kept for nothing is forgotten."""
    found = question.deps
    began = False
    try:
        response = await once(request, found.database, job.client_id, digest, effect)
        began = "Idempotent-Replayed" not in response.headers
    finally:
        if not began:
            await asyncio.to_thread(found.bulk.files.drop, job.job_id)
    found.wake_bulk.set()
    return response


async def _prepare_month(found: RouteDeps, month: date) -> None:
    try:
        async with found.database.write() as tx:
            await payments.prepare_month(tx, month)
    except asyncpg.CheckViolationError:
        pass  # payments of that month lie in the partition for the rest: slower, not wrong


def _month(text: str, today: date) -> date:
    year, month = map(int, text.split("-"))
    if abs(year - today.year) > _YEARS:
        raise MalformedError(f"month must be a month of the calendar, YYYY-MM, within {_YEARS} years of today.")
    return date(year, month, 1)


async def _result(question: Question, job_id: UUID, *, payrun: bool) -> Response:
    found = question.deps
    async with logged(question, None):
        async with found.database.write() as tx:
            job = await jobs.get_job(tx, job_id, question.caller.client_id, payrun=payrun)
            jobs.check_result(job)
            mark = "sandbox:" if found.programs[job.program].sandbox else ""
            answer = f"{mark}result:{job.job_id}"
            await lookups.log_usage(tx, question.asker(job.program), subject=None, answer=answer)
        try:
            pieces = await asyncio.to_thread(found.bulk.files.pieces, job.job_id, job.format)
        except FileNotFoundError as error:
            raise jobs.GoneError("The result is gone; ask again.") from error
    headers = {
        "Repr-Digest": _digest(job),
        "Content-Length": str(job.size_bytes),
        "Content-Disposition": f'attachment; filename="{job.job_id}.{job.format}"',
    }
    return StreamingResponse(pieces, media_type=MEDIA[job.format], headers=headers)


def _digest(job: Job) -> str:
    return f"sha-256=:{base64.b64encode(job.digest or b'').decode()}:"


def _place(request: Request, route: str, job: Job) -> dict[str, str]:
    name = "payrun_id" if job.kind is JobKind.PAYRUN else "job_id"
    return {"Location": str(request.url_for(route, **{name: job.job_id}).path), "Retry-After": "1"}


def _result_out(request: Request, job: Job) -> ResultOut | None:
    if job.state is not RunState.SUCCEEDED:
        return None
    payrun = job.kind is JobKind.PAYRUN
    name, key = ("get_payrun_result", "payrun_id") if payrun else ("get_job_result", "job_id")
    href = str(request.url_for(name, **{key: job.job_id}).path)
    return ResultOut(href=href, format=job.format, bytes=job.size_bytes or 0, digest=_digest(job))


def job_out(request: Request, job: Job) -> JobOut:
    """A job as its client sees it."""
    same = {name: getattr(job, name) for name in JobOut.model_fields if name not in {"result", "sandbox"}}
    return JobOut(**same, result=_result_out(request, job), sandbox=_invented(request, job.program))


def _invented(request: Request, program: str) -> bool:
    declared = deps(request).programs.get(program)
    return declared is not None and declared.sandbox


def payrun_out(request: Request, job: Job, run: Payrun) -> PayrunOut:
    """A pay list as its client sees it."""
    of_run = ("payrun_id", "program", "month", "state", "total_fen", "paid_on", "paid_lines", "paid_fen")
    same = {name: getattr(run, name) for name in of_run}
    of_job = {name: getattr(job, name) for name in ("requested_at", "expires_at", "done", "counts")}
    result, invented = _result_out(request, job), _invented(request, run.program)
    return PayrunOut(**same, **of_job, lines=job.people, result=result, sandbox=invented)
