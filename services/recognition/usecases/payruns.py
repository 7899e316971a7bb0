"""Pay lists: what was advised, what was paid of it, and the payments known from that."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import structlog

from services.recognition.domain.payruns import Advice
from services.recognition.domain.programs import Program, period_start
from services.recognition.domain.states import PayrunState
from services.recognition.store import jobs, payments
from services.recognition.store.jobs import Job, Payrun
from services.recognition.usecases.deps import Deps
from services.recognition.usecases.jobs import add_job, get_job
from shared.kit.db import ReadTx, WriteTx
from shared.kit.problems import ConflictError, MalformedError, NotFoundError

log = structlog.get_logger(__name__)

_EARLIEST, _LATEST = 400, 62  # days around today within which money is paid


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """What a program says it has paid: everything it was advised to, but for what is listed."""

    paid_on: date
    not_paid: Sequence[int]
    also_paid: Sequence[int]


def month_of(program: Program, month: date) -> date:
    """First month of the paying period a pay list covers."""
    return period_start(month, program.paid)


async def add_payrun(deps: Deps, tx: WriteTx, job: Job, month: date, total_fen: int) -> Payrun:
    """Queue a list about to be paid."""
    await add_job(deps, tx, job)
    await jobs.add_payrun(tx, job.job_id, job.program, month_of(deps.programs[job.program], month), total_fen)
    return await _payrun(tx, job.job_id)


async def get_payrun(tx: ReadTx, payrun_id: UUID, client_id: str) -> tuple[Job, Payrun]:
    """A pay list of the client, with its job.

    Raises:
        NotFoundError: none, or another client's.
    """
    job = await get_job(tx, payrun_id, client_id, payrun=True)
    return job, await _payrun(tx, payrun_id)


async def confirm(deps: Deps, tx: WriteTx, payrun_id: UUID, client_id: str, said: Confirmation, by: str) -> Payrun:
    """Take what a program says it has paid; its payments are kept part by part afterwards.

    Raises:
        ConflictError: the list has not been advised yet, or was confirmed otherwise before.
        MalformedError: it names lines the list does not have or that stand for nobody, or a day no money of it was
            paid on.
    """
    job, run = await get_payrun(tx, payrun_id, client_id)
    _check_lines(said, job.people or 0)
    _check_day(said.paid_on, deps.clock.today())
    same = (run.paid_on, run.not_paid, run.also_paid) == (said.paid_on, list(said.not_paid), list(said.also_paid))
    if run.state in {PayrunState.RECORDING, PayrunState.CONFIRMED} and same:
        return run
    if run.state is not PayrunState.ADVISED:
        detail = f"The pay list is {run.state}; it can be confirmed once, after it has been advised."
        raise ConflictError(detail)
    if said.also_paid:
        await _check_people(deps, job, said.also_paid)
    await jobs.confirm_payrun(
        tx,
        payrun_id,
        paid_on=said.paid_on,
        not_paid=said.not_paid,
        also_paid=said.also_paid,
        by=by,
        at=deps.clock.now(),
    )
    return await _payrun(tx, payrun_id)


async def record(deps: Deps, tx: WriteTx, run: Payrun) -> None:
    """Keep the payments of the next part of a confirmed list; one whose parts are gone has to be sent again."""
    job = await jobs.find_job(tx, run.payrun_id)
    assert job is not None
    files, number = deps.bulk.files, run.parts_recorded
    try:
        listed = await asyncio.to_thread(files.read_part, run.payrun_id, "list", number)
        said = await asyncio.to_thread(files.read_part, run.payrun_id, "said", number)
    except FileNotFoundError:
        await jobs.set_payrun_state(tx, run.payrun_id, PayrunState.LAPSED)
        log.exception("payrun_parts_gone", payrun=str(run.payrun_id), part=number)
        return
    paid = listed.filter(_paid(run, listed, said))
    if not deps.programs[run.program].sandbox:
        await payments.save_payments(tx, _payments(run, paid))
    last = number + 1 >= job.parts
    await jobs.note_recorded(
        tx, run.payrun_id, lines=paid.num_rows, fen=pc.sum(paid.column("amount_fen")).as_py() or 0, last=last
    )
    if last:
        tx.after_commit.append(lambda: files.drop(run.payrun_id, "list-", "said-"))


async def _payrun(tx: ReadTx, payrun_id: UUID) -> Payrun:
    run = await jobs.find_payrun(tx, payrun_id)
    if run is None:
        detail = "Your client has no pay list of this id."
        raise NotFoundError(detail)
    return run


def _paid(run: Payrun, listed: pa.Table, said: pa.Table) -> pa.Array:
    """Which lines were paid: advised or named, and of a person with an amount."""
    lines = listed.column("line").to_numpy()
    advised = pc.equal(said.column("advice").cast(pa.string()), str(Advice.PAY)).to_numpy()
    chosen = (advised & ~np.isin(lines, run.not_paid or [])) | np.isin(lines, run.also_paid or [])
    return pa.array(chosen & _payable(listed))


def _payable(listed: pa.Table) -> np.ndarray:
    """Which lines stand for a person and an amount, and are the person's first."""
    whole = pc.and_(pc.is_valid(listed.column("subject")), pc.is_valid(listed.column("amount_fen")))
    return np.asarray(whole.to_numpy())


def _payments(run: Payrun, paid: pa.Table) -> pa.Table:
    same = {
        "program": pa.scalar(run.program),
        "month": pa.scalar(run.month, pa.date32()),
        "payrun_id": pa.scalar(run.payrun_id.bytes, pa.binary(16)),
        "paid_on": pa.scalar(run.paid_on, pa.date32()),
        "recorded_at": pa.scalar(run.confirmed_at, pa.timestamp("us", "UTC")),
    }
    columns = {name: pa.repeat(value, paid.num_rows) for name, value in same.items()}
    return pa.table({**columns, "subject": paid.column("subject"), "amount_fen": paid.column("amount_fen")})


def _check_lines(said: Confirmation, lines: int) -> None:
    named = [*said.not_paid, *said.also_paid]
    if any(line > lines for line in named) or len(set(named)) != len(named):
        detail = "A line stands twice, or the list has no such line; lines are counted from 1."
        raise MalformedError(detail)


async def _check_people(deps: Deps, job: Job, lines: Sequence[int]) -> None:
    """Refuse what could not be kept, rather than keep less than was paid."""
    nobody: list[int] = []
    for number in range(job.parts):
        try:
            listed = await asyncio.to_thread(deps.bulk.files.read_part, job.job_id, "list", number)
        except FileNotFoundError:
            return  # the list has lapsed, and its recording will say so
        named = np.isin(listed.column("line").to_numpy(), lines)
        nobody += listed.filter(pa.array(named & ~_payable(listed))).column("line").to_pylist()
    if nobody:
        detail = (
            f"Nobody can be told to have been paid by line {', '.join(map(str, sorted(nobody)[:20]))}: no person, no "
            "amount, or a person who stands in an earlier line. Confirm the whole sum in a list of its own."
        )
        raise MalformedError(detail)


def _check_day(paid_on: date, today: date) -> None:
    if not today - timedelta(days=_EARLIEST) <= paid_on <= today + timedelta(days=_LATEST):
        detail = f"paid_on must lie within {_EARLIEST} days before and {_LATEST} days after today."
        raise MalformedError(detail)
