"""Jobs and pay lists: rows to objects and back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from services.recognition.domain.states import JobKind, PayrunState, ResultFormat, RunState
from services.recognition.store.lookups import Asker
from shared.kit.db import ReadTx, WriteTx


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A question about many people and how far it is."""

    job_id: UUID
    kind: JobKind
    program: str
    client_id: str
    user_ref: str
    department: str | None
    purpose: str
    legal_basis: str
    case_ref: str | None
    request_id: str
    max_age_days: int | None
    format: ResultFormat
    state: RunState
    requested_at: datetime
    finished_at: datetime | None
    expires_at: datetime | None
    parts: int
    parts_done: int
    people: int | None
    done: int
    counts: Mapping[str, int]
    failures: int
    digest: bytes | None
    size_bytes: int | None

    def asker(self, at: datetime) -> Asker:
        """What the usage log keeps of it."""
        return Asker(
            at=at,
            client_id=self.client_id,
            user=self.user_ref,
            department=self.department,
            action="payrun" if self.kind is JobKind.PAYRUN else "job",
            program=self.program,
            purpose=self.purpose,
            legal_basis=self.legal_basis,
            case_ref=self.case_ref,
            request_id=self.request_id,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Payrun:
    """A list about to be paid, and what was paid of it."""

    payrun_id: UUID
    program: str
    month: date
    state: PayrunState
    total_fen: int
    paid_on: date | None
    not_paid: Sequence[int] | None
    also_paid: Sequence[int] | None
    confirmed_by: str | None
    confirmed_at: datetime | None
    parts_recorded: int
    paid_lines: int
    paid_fen: int


_JOB = ", ".join(f"{name}::text" if name == "counts" else name for name in Job.__dataclass_fields__)
_PAYRUN = ", ".join(Payrun.__dataclass_fields__)
_NEW = [name for name in Job.__dataclass_fields__ if name != "counts"]


def _job(row: asyncpg.Record) -> Job:
    words: dict[str, Any] = {
        "kind": JobKind(row["kind"]),
        "format": ResultFormat(row["format"]),
        "state": RunState(row["state"]),
        "counts": orjson.loads(row["counts"]),
    }
    return Job(**{**row, **words})


def _payrun(row: asyncpg.Record) -> Payrun:
    return Payrun(**{**row, "state": PayrunState(row["state"])})


async def add_job(tx: WriteTx, job: Job) -> None:
    """Queue a job."""
    places = ", ".join(f"${at}" for at in range(1, len(_NEW) + 1))
    await tx.run(
        f"INSERT INTO job ({', '.join(_NEW)}) VALUES ({places})",  # noqa: S608  (column names)
        *(getattr(job, name) for name in _NEW),
    )


async def find_job(tx: ReadTx, job_id: UUID) -> Job | None:
    """One job; inside a write it is held until the end."""
    hold = " FOR UPDATE" if isinstance(tx, WriteTx) else ""
    rows = await tx.fetch(f"SELECT {_JOB} FROM job WHERE job_id = $1{hold}", job_id)  # noqa: S608  (column names)
    return _job(rows[0]) if rows else None


async def list_jobs(tx: ReadTx, client_id: str, kinds: Sequence[str], before: UUID | None, limit: int) -> list[Job]:
    """A client's jobs, newest first, from the one before `before`."""
    rows = await tx.fetch(
        f"SELECT {_JOB} FROM job WHERE client_id = $1 AND kind = ANY ($2) "  # noqa: S608  (column names)
        "AND ($3::uuid IS NULL OR job_id < $3) ORDER BY job_id DESC LIMIT $4",
        client_id,
        list(kinds),
        before,
        limit,
    )
    return [_job(row) for row in rows]


async def take_job(tx: WriteTx) -> Job | None:
    """The job that waited longest for its next step, held against other processes until the end."""
    rows = await tx.fetch(
        f"SELECT {_JOB} FROM job WHERE state IN ('queued', 'running') "  # noqa: S608  (column names)
        "ORDER BY worked_at NULLS FIRST, requested_at LIMIT 1 FOR UPDATE SKIP LOCKED"
    )
    return _job(rows[0]) if rows else None


async def count_open(tx: ReadTx, client_id: str | None = None) -> int:
    """Jobs and confirmations under way, of everybody or of one client."""
    rows = await tx.fetch(
        "SELECT (SELECT count(*) FROM job WHERE state IN ('queued', 'running') AND ($1::text IS NULL OR client_id = $1)"
        ") + (SELECT count(*) FROM payrun WHERE state = 'recording' AND $1::text IS NULL) AS open",
        client_id,
    )
    return int(rows[0]["open"])


async def count_listed(tx: ReadTx, program: str) -> int:
    """People of a program."""
    rows = await tx.fetch("SELECT count(*) AS people FROM enrolment WHERE program = $1 AND listed", program)
    return int(rows[0]["people"])


async def advance(tx: WriteTx, job_id: UUID, *, people: int, counts: Mapping[str, int]) -> None:
    """Note that one more part is done."""
    await tx.run(
        "UPDATE job SET state = 'running', parts_done = parts_done + 1, done = done + $2, counts = $3::text::jsonb, "
        "worked_at = clock_timestamp() WHERE job_id = $1",
        job_id,
        people,
        orjson.dumps(dict(counts)).decode(),
    )


async def succeed(tx: WriteTx, job_id: UUID, *, digest: bytes, size: int, at: datetime, expires_at: datetime) -> None:
    """Note that the result file is there."""
    await tx.run(
        "UPDATE job SET state = 'succeeded', people = done, digest = $2, size_bytes = $3, finished_at = $4, "
        "expires_at = $5 WHERE job_id = $1",
        job_id,
        digest,
        size,
        at,
        expires_at,
    )


async def end_job(tx: WriteTx, job_id: UUID, state: RunState, at: datetime) -> None:
    """End a job: failed, cancelled or expired."""
    await tx.run(
        "UPDATE job SET state = $2, finished_at = COALESCE(finished_at, $3) WHERE job_id = $1", job_id, state, at
    )


async def note_failure(tx: WriteTx, job_id: UUID) -> int:
    """Count a step that went wrong; returns how many did so far."""
    rows = await tx.fetch(
        "UPDATE job SET failures = failures + 1, worked_at = clock_timestamp() WHERE job_id = $1 RETURNING failures",
        job_id,
    )
    return int(rows[0]["failures"])


async def list_expired(tx: ReadTx, now: datetime) -> list[Job]:
    """Jobs whose result file has had its time."""
    rows = await tx.fetch(
        f"SELECT {_JOB} FROM job WHERE state = 'succeeded' AND expires_at < $1 ORDER BY expires_at LIMIT 100",  # noqa: S608
        now,
    )
    return [_job(row) for row in rows]


async def lapse_payruns(tx: WriteTx, advised_before: datetime) -> list[UUID]:
    """Give up pay lists advised before an instant that nobody has confirmed."""
    rows = await tx.fetch(
        "UPDATE payrun p SET state = 'lapsed' FROM job j "
        "WHERE j.job_id = p.payrun_id AND p.state = 'advised' AND j.finished_at < $1 RETURNING p.payrun_id",
        advised_before,
    )
    return [row["payrun_id"] for row in rows]


async def add_payrun(tx: WriteTx, payrun_id: UUID, program: str, month: date, total_fen: int) -> None:
    """Keep what makes a job a pay list."""
    await tx.run(
        "INSERT INTO payrun (payrun_id, program, month, state, total_fen) VALUES ($1, $2, $3, 'checking', $4)",
        payrun_id,
        program,
        month,
        total_fen,
    )


async def find_payrun(tx: ReadTx, payrun_id: UUID) -> Payrun | None:
    """One pay list; inside a write it is held until the end."""
    hold = " FOR UPDATE" if isinstance(tx, WriteTx) else ""
    rows = await tx.fetch(f"SELECT {_PAYRUN} FROM payrun WHERE payrun_id = $1{hold}", payrun_id)  # noqa: S608
    return _payrun(rows[0]) if rows else None


async def set_payrun_state(tx: WriteTx, payrun_id: UUID, state: PayrunState) -> None:
    """Move a pay list on."""
    await tx.run("UPDATE payrun SET state = $2 WHERE payrun_id = $1", payrun_id, state)


async def confirm_payrun(  # noqa: PLR0913  (a confirmation has this many parts)
    tx: WriteTx,
    payrun_id: UUID,
    *,
    paid_on: date,
    not_paid: Sequence[int],
    also_paid: Sequence[int],
    by: str,
    at: datetime,
) -> None:
    """Keep what a program says it has paid; the payments follow part by part."""
    await tx.run(
        "UPDATE payrun SET state = 'recording', paid_on = $2, not_paid = $3, also_paid = $4, confirmed_by = $5, "
        "confirmed_at = $6 WHERE payrun_id = $1",
        payrun_id,
        paid_on,
        list(not_paid),
        list(also_paid),
        by,
        at,
    )


async def take_confirmed(tx: WriteTx) -> Payrun | None:
    """A pay list whose payments are still to be kept, one that never failed first, held until the end."""
    rows = await tx.fetch(
        f"SELECT {_PAYRUN} FROM payrun WHERE state = 'recording' "  # noqa: S608
        "ORDER BY (SELECT failures FROM job WHERE job_id = payrun_id), confirmed_at LIMIT 1 FOR UPDATE SKIP LOCKED"
    )
    return _payrun(rows[0]) if rows else None


async def note_recorded(tx: WriteTx, payrun_id: UUID, *, lines: int, fen: int, last: bool) -> None:
    """Note that the payments of one more part are kept."""
    await tx.run(
        "UPDATE payrun SET parts_recorded = parts_recorded + 1, paid_lines = paid_lines + $2, paid_fen = paid_fen + $3,"
        " state = CASE WHEN $4 THEN 'confirmed' ELSE state END WHERE payrun_id = $1",
        payrun_id,
        lines,
        fen,
        last,
    )
