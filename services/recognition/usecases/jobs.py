"""Jobs: a question about a whole program or a list, worked off part by part, each part logged as it is answered."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

import numpy as np
import polars as pl
import pyarrow as pa
import structlog

from services.recognition.domain.arrears import unpaid_events
from services.recognition.domain.payruns import advise
from services.recognition.domain.programs import Program, period_months
from services.recognition.domain.states import JobKind, PayrunState, RunState
from services.recognition.store import bulk, jobs
from services.recognition.store.bulk import Paying, Rule, Within
from services.recognition.store.jobs import Job
from services.recognition.usecases import sandbox, wording
from services.recognition.usecases.deps import Deps
from services.recognition.usecases.recognise import instant
from shared.kit import arrow
from shared.kit.db import ReadTx, WriteTx
from shared.kit.problems import ConflictError, NotFoundError, ProblemError

log = structlog.get_logger(__name__)

LIVE = frozenset({RunState.QUEUED, RunState.RUNNING})
_MOST_FAILURES = 5


class TooManyJobsError(ProblemError):
    """One client has as many jobs under way as it may."""

    status = 429
    code = "too_many_jobs"
    title = "Too many jobs are under way"


class GoneError(ProblemError):
    """It was here and its time is over."""

    status = 410
    code = "gone"
    title = "This is kept no longer"


async def add_job(deps: Deps, tx: WriteTx, job: Job) -> None:
    """Queue a job.

    Raises:
        TooManyJobsError: the client has as many under way as it may.
    """
    if await jobs.count_open(tx, job.client_id) >= deps.bulk.open_jobs:
        detail = f"Your client has {deps.bulk.open_jobs} jobs under way; wait for one to end, or cancel one."
        raise TooManyJobsError(detail, headers={"Retry-After": "30"})
    await jobs.add_job(tx, job)


async def count_people(tx: ReadTx, program: Program) -> int:
    """How many people a job about a whole program asks for."""
    return len(program.people) if program.sandbox else await jobs.count_listed(tx, program.code)


async def get_job(tx: ReadTx, job_id: UUID, client_id: str, *, payrun: bool = False) -> Job:
    """A job of the client.

    Raises:
        NotFoundError: none, or another client's.
    """
    job = await jobs.find_job(tx, job_id)
    if job is None or job.client_id != client_id or (job.kind is JobKind.PAYRUN) is not payrun:
        detail = "Your client has no job of this id."
        raise NotFoundError(detail)
    return job


def check_result(job: Job) -> None:
    """Whether there is a result to fetch.

    Raises:
        ConflictError: not yet, or never.
        GoneError: its time is over.
    """
    if job.state is RunState.EXPIRED:
        detail = "The result was kept for a while and is gone; ask again."
        raise GoneError(detail)
    if job.state is not RunState.SUCCEEDED:
        detail = f"The job is {job.state}; only one that has succeeded has a result."
        raise ConflictError(detail)


async def cancel(deps: Deps, tx: WriteTx, job_id: UUID, client_id: str, *, payrun: bool = False) -> Job:
    """Stop a job that is under way; the result of one that has ended is forgotten."""
    job = await get_job(tx, job_id, client_id, payrun=payrun)
    if payrun:
        run = await jobs.find_payrun(tx, job_id)
        if run and run.state in {PayrunState.RECORDING, PayrunState.CONFIRMED}:
            detail = "What it paid is being kept; a confirmed pay list cannot be cancelled."
            raise ConflictError(detail)
        await jobs.set_payrun_state(tx, job_id, PayrunState.LAPSED)
    if job.state in LIVE:
        await jobs.end_job(tx, job_id, RunState.CANCELLED, deps.clock.now())
    elif job.state is RunState.SUCCEEDED:
        await jobs.end_job(tx, job_id, RunState.EXPIRED, deps.clock.now())
    return job


async def step(deps: Deps, tx: WriteTx, job: Job) -> None:
    """The next part of a job that is held, or its result file."""
    if job.parts_done < job.parts:
        await _work(deps, tx, job)
    else:
        await _finish(deps, tx, job)


async def give_up(deps: Deps, tx: WriteTx, job_id: UUID) -> None:
    """After a step that failed: try it again a few times, then let the job fail."""
    if await jobs.note_failure(tx, job_id) >= _MOST_FAILURES:
        await fail(deps, tx, job_id)


async def fail(deps: Deps, tx: WriteTx, job_id: UUID) -> None:
    """End a job that cannot be worked off; its client sends its question again."""
    await jobs.end_job(tx, job_id, RunState.FAILED, deps.clock.now())
    log.error("job_failed", job=str(job_id))


async def expire(deps: Deps, tx: WriteTx) -> list[tuple[UUID, tuple[str, ...]]]:
    """Jobs whose time is over, with the kinds of files the caller is to forget, all where there are none.

    The result of a pay list goes with its time; what its payments are kept from stays while it may be confirmed.
    """
    now = deps.clock.now()
    over: list[tuple[UUID, tuple[str, ...]]] = []
    for job in await jobs.list_expired(tx, now):
        await jobs.end_job(tx, job.job_id, RunState.EXPIRED, now)
        run = await jobs.find_payrun(tx, job.job_id) if job.kind is JobKind.PAYRUN else None
        needed = run is not None and run.state in {PayrunState.ADVISED, PayrunState.RECORDING}
        over.append((job.job_id, ("result",) if needed else ()))
    lapsed = await jobs.lapse_payruns(tx, now - timedelta(days=deps.bulk.confirm_days))
    return [*over, *((payrun_id, ()) for payrun_id in lapsed)]


# ---- one part --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Part:
    """What a part of a job comes to.

    Attributes:
        subjects: one a row, null for a line that names nobody.
        answers: what the usage log keeps of each.
        said: makes the words; they take as long as the log does, and are made meanwhile.
        sums: in fen, of a pay list.
    """

    subjects: pa.Array
    answers: pl.Series
    said: Callable[[], pl.DataFrame]
    sums: Mapping[str, int]


async def _work(deps: Deps, tx: WriteTx, job: Job) -> None:
    part = await _part(deps, tx, job)
    number, now = job.parts_done, deps.clock.now()

    invented = deps.programs[job.program].sandbox
    subjects, answers = sandbox.unnamed(part.subjects, part.answers) if invented else (part.subjects, part.answers)

    def write() -> None:
        said = part.said()
        flagged = said.with_columns(**sandbox.FLAG) if invented else said
        deps.bulk.files.write_part(job.job_id, "said", number, flagged.to_arrow())

    writing = asyncio.ensure_future(asyncio.to_thread(write))
    try:
        await bulk.log_many(tx, job.asker(now), subjects, answers.to_arrow().cast(pa.string()))
    finally:
        await writing
    counts = Counter(job.counts) + Counter(dict(part.answers.value_counts().iter_rows())) + Counter(part.sums)
    await jobs.advance(tx, job.job_id, people=len(part.answers), counts=dict(counts))


async def _part(deps: Deps, tx: WriteTx, job: Job) -> _Part:
    program, today = deps.programs[job.program], deps.clock.today()
    version = program.in_force(today)
    rule = Rule(program=job.program, cycle_months=version.cycle_months, today=today)
    listed, within = await _ask(deps, tx, job)
    if job.kind is JobKind.PAYRUN:
        assert listed is not None
        return await _advise(deps, tx, job, rule, listed, within)
    if program.sandbox:
        seen = _crowd(deps, job).look(_asked_of(deps, job, listed), job.max_age_days)
    else:
        seen = await bulk.look(tx, rule, job.max_age_days, within)
    at = instant(deps.clock.now())

    def said() -> pl.DataFrame:
        return wording.say_answers(deps, job.client_id, program, version, seen, at)

    answers = wording.answers(seen)
    if listed is None:
        return _Part(subjects=arrow.subject_array(seen["subject"]), answers=answers, said=said, sums={})

    def in_lines() -> pl.DataFrame:
        beside = wording.in_lines(listed, said(), action="job")
        return beside.with_columns(problem=_problems(beside["problem"]))

    logged = wording.logged(listed, answers, "denied")
    return _Part(subjects=listed.column("subject"), answers=logged, said=in_lines, sums={})


async def _ask(deps: Deps, tx: WriteTx, job: Job) -> tuple[pa.Table | None, Within]:
    """Put the people of the next part beside the tables; the part of the list they stand in, and where they are."""
    if job.kind is JobKind.PROGRAM:
        return None, await bulk.ask_for_everybody(tx, job.program, job.parts_done)
    listed = await asyncio.to_thread(deps.bulk.files.read_part, job.job_id, "list", job.parts_done)
    return listed, await bulk.ask_for(tx, arrow.subject_bytes(listed.column("subject").drop_null()))


def _crowd(deps: Deps, job: Job) -> sandbox.Crowd:
    return sandbox.Crowd(deps, deps.programs[job.program])


def _asked_of(deps: Deps, job: Job, listed: pa.Table | None) -> np.ndarray:
    """People of a part of a sandbox's job, in the order of their lines."""
    if listed is None:
        return _crowd(deps, job).shard(job.parts_done)
    return arrow.subject_bytes(listed.column("subject").drop_null())


async def _advise(deps: Deps, tx: WriteTx, job: Job, rule: Rule, listed: pa.Table, within: Within) -> _Part:
    run = await jobs.find_payrun(tx, job.job_id)
    assert run is not None
    program = deps.programs[job.program]
    length = period_months(program.paid)
    if program.sandbox:
        seen = _crowd(deps, job).look_before_paying(_asked_of(deps, job, listed))
    else:
        unpaid = unpaid_events(program.in_force(run.month).arrears)
        paying = Paying(month=run.month, months=length, excludes=program.excludes, unpaid=unpaid)
        seen = await bulk.look_before_paying(tx, rule, paying, within)
    amounts = listed.column("amount_fen").filter(listed.column("subject").is_valid()).to_numpy()
    columns = {name: seen[name].astype(bool) for name in seen.dtype.names or () if seen[name].dtype.kind in "?b"}
    # What a lift has paid back within the period is due no second time, and the other months are.
    months = np.maximum(_months_due(seen["stops_from"], run.month, length) - seen["repaid"].astype(int), 0)
    due = seen["amount_fen"] * months
    asked = {
        "part_due": (months < length) & (amounts > due),
        "reduced": columns["reduced"] & (amounts >= due),
        "amount_differs": due != amounts,
    }
    advised = advise({**columns, **asked})

    def in_lines() -> pl.DataFrame:
        return wording.in_lines(listed, wording.say_advice(deps, job.client_id, seen, advised), action="payrun")

    answers = wording.logged(listed, wording.advice(advised), "hold")
    return _Part(
        subjects=listed.column("subject"), answers=answers, said=in_lines, sums=_sums(answers, listed)
    )  # fmt: skip


def _months_due(stops_from: np.ndarray, month: date, length: int) -> np.ndarray:
    """Months of a paying period before a stop; all of them where nothing stops."""
    stops = bulk.days(stops_from)
    before = (stops.astype("datetime64[M]") - np.datetime64(month, "M")).astype(int)
    return np.where(stops == bulk.NO_DAY, length, np.clip(before, 0, length))


def _sums(answers: pl.Series, listed: pa.Table) -> dict[str, int]:
    """Sums in fen by advice."""
    frame = pl.DataFrame({"answer": answers, "fen": pl.Series(pl.from_arrow(listed.column("amount_fen")))})
    advice = pl.col("answer").str.split(":").list.first()
    sums = frame.group_by(advice).agg(pl.col("fen").sum())
    return {f"{each}_fen": int(total or 0) for each, total in sums.iter_rows()}


_DETAILS = {
    "bad_citizen_id": "This is no citizen id of GB 11643: check its length, birth date and check digit.",
    "bad_ref": "A ref has up to 64 letters, digits and . _ : / -, begins with a letter or digit, and is no citizen id.",
}


def _problems(codes: pl.Series) -> pl.Series:
    """Problems of lines, as a batch says them."""
    frame = pl.DataFrame({"code": codes})
    detail = pl.col("code").replace_strict(_DETAILS, default=None, return_dtype=pl.String).alias("detail")
    return frame.select(
        pl.when(pl.col("code").is_not_null()).then(pl.struct("code", detail)).alias("problem")
    ).to_series()


async def _finish(deps: Deps, tx: WriteTx, job: Job) -> None:
    by_line = job.kind is not JobKind.PROGRAM
    made = await asyncio.to_thread(deps.bulk.files.render, job.job_id, job.parts, job.format, by_line=by_line)
    now = deps.clock.now()
    if job.kind is JobKind.PAYRUN:
        await jobs.set_payrun_state(tx, job.job_id, PayrunState.ADVISED)
    else:
        await asyncio.to_thread(deps.bulk.files.drop, job.job_id, "list-")
    await jobs.succeed(
        tx,
        job.job_id,
        digest=made.digest,
        size=made.size,
        at=now,
        expires_at=now + timedelta(hours=deps.bulk.keep_hours),
    )
    tx.after_commit.append(lambda: log.info("job_succeeded", job=str(job.job_id), kind=job.kind, bytes=made.size))
