"""Tasks: opened and settled by sets, read by grid and division."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import asyncpg
import polars as pl

from services.grid.domain.tasks import Rung, TaskOutcome, TaskState
from services.grid.domain.views import View
from services.grid.store.people import ADDRESSES
from services.grid.store.staging import Staged, stage
from shared.contracts.vocabulary import TaskReason
from shared.kit.db import ReadTx, WriteTx


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One task."""

    task_id: UUID
    subject: UUID
    reason: TaskReason
    state: TaskState
    rung: Rung
    due_on: date | None
    deadline_on: date
    priority: int
    division: str | None
    grid_code: str | None
    worker_id: str | None
    programs: int
    about: tuple[str, ...]
    created_at: datetime
    changed_at: datetime
    closed_at: datetime | None
    outcome: str | None
    closing_visit_id: UUID | None
    closed_by: str | None
    not_by: tuple[str, ...]
    reopened_at: datetime | None
    sightings: int
    visit_reasons: tuple[str, ...]


_COLUMNS = (
    "task_id, subject, reason, state, rung, due_on, deadline_on, priority, division, grid_code, worker_id, programs, "
    "about, created_at, changed_at, closed_at, outcome, closing_visit_id, closed_by, not_by, reopened_at, "
    "sightings, COALESCE(visit_reasons, '{}') AS visit_reasons"
)


def _task(row: asyncpg.Record) -> Task:
    words: dict[str, object] = {
        "reason": TaskReason(row["reason"]),
        "state": TaskState(row["state"]),
        "rung": Rung(row["rung"]),
        "about": tuple(row["about"]),
        "not_by": tuple(row["not_by"]),
        "visit_reasons": tuple(row["visit_reasons"]),
    }
    return Task(**{**row, **words})


async def open_due(
    tx: WriteTx, rows: pl.DataFrame, *, run: str, deadline_on: date, now: datetime
) -> list[asyncpg.Record]:
    """Tasks for people nobody has seen: given to the member of their grid, merged with an open one.

    A person who meanwhile has a longer certificate, or whom every roster has let go, gets a task that is closed
    already, so that the order in which the three messages come makes no difference. A run knocks once: who is said
    again when his end comes nearer gets no second task. He is looked for where the rosters say that he lives: a run
    knows one program of his. Returns subject, task_id and deadline_on of those open now.
    """
    # Entries of one grid and its member come together into their indexes.
    staged = await stage(tx, "staged_due", rows.sort("division", "group_no"))
    await staged.run(
        tx,
        f"""
        INSERT INTO tasks (task_id, subject, reason, state, due_on, deadline_on, priority, division, grid_code,
            worker_id, born_on, programs, opened_by, created_at, changed_at, closed_at, outcome)
        SELECT uuidv7(), j.subject, 'unmatched',
            CASE WHEN j.moot IS NOT NULL THEN 'closed' WHEN j.member_id IS NULL THEN 'created' ELSE 'dispatched' END,
            j.due_on, $2, j.priority, j.division, j.grid_code, j.member_id, j.born_on, j.programs,
            $1, $3::timestamptz, $3::timestamptz,
            CASE WHEN j.moot IS NOT NULL THEN $3::timestamptz END, j.moot
        FROM (
            SELECT d.subject, d.due_on, d.priority, d.born_on, coalesce(d.programs, 1) AS programs, g.member_id,
                at.grid_code, coalesce(left(at.grid_code, 12), a.division, d.division) AS division,
                CASE WHEN c.valid_until > d.due_on AND r.certificate_id IS NULL THEN '{TaskOutcome.CERTIFIED_MEANWHILE}'
                     WHEN NOT e.active THEN '{TaskOutcome.NOT_ENROLLED}' END AS moot
            FROM staged_due d
            LEFT JOIN relocations moved ON moved.subject = d.subject
            LEFT JOIN ({ADDRESSES.format(subjects="staged_due")}) a ON a.subject = d.subject
            CROSS JOIN LATERAL (SELECT coalesce(moved.grid_code, a.grid_code,
                CASE WHEN coalesce(a.division = d.division, true) THEN d.division || lpad(d.group_no::text, 3, '0') END
            ) AS grid_code) at
            LEFT JOIN grids g ON g.grid_code = at.grid_code
            LEFT JOIN certified c ON c.subject = d.subject
            LEFT JOIN revoked_certificates r ON r.certificate_id = c.certificate_id
            LEFT JOIN (SELECT subject, bool_or(active) AS active FROM recipients
                WHERE subject = ANY(ARRAY(SELECT subject FROM staged_due)) GROUP BY subject) e ON e.subject = d.subject
        ) j
        WHERE NOT EXISTS (SELECT FROM tasks before WHERE before.subject = j.subject
            AND before.state = 'closed' AND before.reason = 'unmatched'
            AND (before.opened_by = $1 OR j.moot IS NOT NULL AND before.due_on = j.due_on))
        ON CONFLICT (subject, reason) WHERE state <> 'closed' DO UPDATE SET
            due_on = least(tasks.due_on, excluded.due_on), priority = greatest(tasks.priority, excluded.priority),
            programs = greatest(tasks.programs, excluded.programs), changed_at = excluded.changed_at
        WHERE tasks.due_on > excluded.due_on OR tasks.priority < excluded.priority
            OR tasks.programs < excluded.programs
        """,  # noqa: S608  (our own words)
        run,
        deadline_on,
        now,
    )
    return await staged.fetch(
        tx,
        "SELECT uuid_send(t.subject) AS subject, uuid_send(t.task_id) AS task_id, t.deadline_on FROM staged_due d "
        "JOIN tasks t ON t.subject = d.subject AND t.reason = 'unmatched' AND t.state <> 'closed'",
    )


async def open_for_cases(
    tx: WriteTx, case_ids: Sequence[UUID], *, priority: int, deadline_on: date, now: datetime,
    not_by: Iterable[str] = (),
) -> None:  # fmt: skip
    """A knock for each of these cases, merged with one already asked for about the person.

    It is in nobody's hands where who has the case may not do it.
    """
    await tx.run(
        """
        INSERT INTO tasks (task_id, subject, reason, state, deadline_on, priority, division, grid_code, worker_id,
            programs, opened_by, created_at, changed_at, not_by)
        SELECT DISTINCT ON (c.subject) uuidv7(), c.subject, 'suspicion',
            CASE WHEN c.worker_id = ANY($5) THEN 'created' ELSE 'dispatched' END, $2, $3, c.division,
            c.grid_code, CASE WHEN c.worker_id <> ALL($5) THEN c.worker_id END, 1, c.case_id::text, $4, $4, $5
        FROM cases c WHERE c.case_id = ANY($1) AND c.worker_id IS NOT NULL ORDER BY c.subject, c.case_id
        ON CONFLICT (subject, reason) WHERE state <> 'closed' DO NOTHING
        """,
        list(case_ids),
        deadline_on,
        priority,
        now,
        list(not_by),
    )


async def settle_certified(tx: WriteTx, certificates: Staged, now: datetime) -> int:
    """Close open tasks of people whose certificate outlasts what was due."""
    tag = await certificates.run(
        tx,
        f"""
        UPDATE tasks t SET state = 'closed', outcome = '{TaskOutcome.CERTIFIED_MEANWHILE}', closed_at = $1,
            changed_at = $1
        FROM staged_certificates s
        WHERE t.subject = s.subject AND t.reason = 'unmatched' AND t.state <> 'closed' AND s.valid_until > t.due_on
            AND NOT EXISTS (SELECT FROM revoked_certificates r WHERE r.certificate_id = s.certificate_id)
        """,  # noqa: S608
        now,
    )
    return int(tag.rsplit(" ", 1)[1])


async def settle_unenrolled(tx: WriteTx, recipients: Staged, now: datetime) -> None:
    """Close open tasks of people whom every roster has let go."""
    await recipients.run(
        tx,
        f"""
        UPDATE tasks t SET state = 'closed', outcome = '{TaskOutcome.NOT_ENROLLED}', closed_at = $1, changed_at = $1
        FROM staged_recipients s
        WHERE t.subject = s.subject AND NOT s.active AND t.reason IN ('unmatched', 'take_up') AND t.state <> 'closed'
            AND NOT EXISTS (SELECT FROM recipients r WHERE r.subject = s.subject AND r.active)
        """,  # noqa: S608
        now,
    )


async def let_go(tx: WriteTx, recipients: Staged) -> list[UUID]:
    """Whom a roster lists among those whose knock ended because every roster had let them go."""
    rows = await recipients.fetch(
        tx,
        "SELECT DISTINCT t.subject FROM staged_recipients s JOIN tasks t ON t.subject = s.subject WHERE s.active "
        "AND t.state = 'closed' AND t.reason = 'unmatched' AND t.outcome = $1",
        TaskOutcome.NOT_ENROLLED.value,
    )
    return [row["subject"] for row in rows]


async def settle_unpaid(tx: WriteTx, subject: UUID, now: datetime) -> None:
    """Close the open tasks of a person to whom nobody pays anything any more."""
    await tx.run(
        f"UPDATE tasks SET state = 'closed', outcome = '{TaskOutcome.NOT_ENROLLED}', closed_at = $2, changed_at = $2 "  # noqa: S608
        "WHERE subject = $1 AND reason IN ('unmatched', 'take_up', 'sample') AND state <> 'closed' "
        "AND NOT EXISTS (SELECT FROM recipients r WHERE r.subject = $1 AND r.active)",
        subject,
        now,
    )


async def settle_subject(
    tx: WriteTx, subject: UUID, reasons: Iterable[TaskReason], outcome: str, now: datetime, *, by: str | None = None
) -> None:
    """Close one person's open tasks of these reasons; `by` is the person who documented the end."""
    await tx.run(
        "UPDATE tasks SET state = 'closed', outcome = $3, closed_at = $4, changed_at = $4, closed_by = $5 "
        "WHERE subject = $1 AND reason = ANY($2) AND state <> 'closed'",
        subject,
        [reason.value for reason in reasons],
        outcome,
        now,
        by,
    )


async def find_tasks(tx: ReadTx, task_ids: Iterable[UUID]) -> dict[UUID, Task]:
    """Tasks by id."""
    rows = await tx.fetch(f"SELECT {_COLUMNS} FROM tasks WHERE task_id = ANY($1)", list(task_ids))  # noqa: S608
    return {row["task_id"]: _task(row) for row in rows}


async def tasks_of(tx: ReadTx, subjects: Iterable[UUID]) -> list[Task]:
    """Tasks of these people that are open, or that a visit closed."""
    rows = await tx.fetch(
        # Two arms, so that each finds its partial index.
        f"SELECT {_COLUMNS} FROM tasks WHERE subject = ANY($1) AND state <> 'closed' UNION ALL "  # noqa: S608
        f"SELECT {_COLUMNS} FROM tasks WHERE subject = ANY($1) AND state = 'closed' AND closing_visit_id IS NOT NULL",
        list(subjects),
    )
    return [_task(row) for row in rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskChange:
    """What a visit made of a task."""

    task_id: UUID
    state: TaskState
    outcome: str | None
    closed_at: datetime | None
    closing_visit_id: UUID | None


async def save_changes(tx: WriteTx, changes: Sequence[TaskChange], now: datetime) -> None:
    """Write what visits made of tasks."""
    if not changes:
        return
    await tx.run(
        "UPDATE tasks t SET state = c.state, outcome = c.outcome, closed_at = c.closed_at, "
        "closing_visit_id = c.visit, changed_at = $6 "
        "FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::uuid[]) "
        "AS c(task_id, state, outcome, closed_at, visit) WHERE t.task_id = c.task_id",
        [change.task_id for change in changes],
        [change.state.value for change in changes],
        [change.outcome for change in changes],
        [change.closed_at for change in changes],
        [change.closing_visit_id for change in changes],
        now,
    )


async def save_sightings(tx: WriteTx, counted: Sequence[Task], now: datetime) -> None:
    """Write how many sightings tasks had; where it grew, phones are told the next prompt."""
    await tx.run(
        "UPDATE tasks t SET sightings = c.sightings, changed_at = $3 "
        "FROM unnest($1::uuid[], $2::int[]) AS c(task_id, sightings) "
        "WHERE t.task_id = c.task_id AND t.sightings < c.sightings",
        [task.task_id for task in counted],
        [task.sightings for task in counted],
        now,
    )


async def worklist(
    tx: ReadTx, view: View, grid_code: str | None, since: datetime | None, limit: int | None
) -> list[Task]:
    """Open tasks in the caller's view, most urgent first; with `since`, what changed after it, closed ones included.

    Without `limit`, all of them.
    """
    where, args = _conditions(view)
    if grid_code is not None:
        args.append(grid_code)
        where.append(f"grid_code = ${len(args)}")
    if since is None:
        where.append("state <> 'closed'")
    else:
        args.append(since)
        where.append(f"changed_at > ${len(args)}")
    args.append(limit)
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM tasks WHERE {' AND '.join(where)} "  # noqa: S608  (conditions are ours, values are parameters)
        f"ORDER BY priority DESC, due_on, task_id LIMIT ${len(args)}",
        *args,
    )
    return [_task(row) for row in rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFilter:
    """Which tasks an office asks for."""

    division: str | None = None
    reason: TaskReason | None = None
    state: TaskState | None = None
    subject: UUID | None = None
    rung: Rung | None = None


async def list_tasks(tx: ReadTx, view: View, wanted: TaskFilter, *, after: UUID | None, limit: int) -> list[Task]:
    """One page of tasks in the caller's view, oldest id first."""
    where, args = _conditions(view)
    for column, value in (
        ("reason", wanted.reason),
        ("state", wanted.state),
        ("rung", wanted.rung),
    ):
        if value is not None:
            args.append(value)
            where.append(f"{column} = ${len(args)}")
    if wanted.subject is not None:
        args.append(wanted.subject)
        # Two arms, so that each finds its partial index.
        one = f"subject = ${len(args)}"
        where.append(f"(({one} AND state <> 'closed') OR ({one} AND state = 'closed'))")
    if wanted.division is not None:
        where.append(_within(wanted.division, args))
    if after is not None:
        args.append(after)
        where.append(f"task_id > ${len(args)}")
    args.append(limit)
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM tasks WHERE {' AND '.join(where)} ORDER BY task_id LIMIT ${len(args)}",  # noqa: S608
        *args,
    )
    return [_task(row) for row in rows]


def _division(prefix: str, args: list[object]) -> str:
    args.extend((prefix.ljust(12, "0"), prefix.ljust(12, "9")))
    return f"division BETWEEN ${len(args) - 1} AND ${len(args)}"


def _within(prefix: str, args: list[object]) -> str:
    # A grid's code begins with its division, so that one index finds both; a task without a grid may have a division.
    known = _division(prefix, args)
    low, high = len(args) - 1, len(args)
    return f"({known} AND (grid_code BETWEEN ${low} AND ${high} || '999' OR grid_code IS NULL))"


def _conditions(view: View) -> tuple[list[str], list[object]]:
    return conditions(view, within=_within)


def conditions(view: View, *, within: Callable[[str, list[object]], str] = _division) -> tuple[list[str], list[object]]:
    """SQL conditions and their values that keep a query inside a view; for tables with the three place columns."""
    if view.everything:
        return ["true"], []
    if view.nothing:
        return ["false"], []
    where, args = ["division IS NOT NULL"], list[object]()
    if view.prefixes:
        where.append(f"({' OR '.join(within(prefix, args) for prefix in view.prefixes)})")
    if view.worker_ids:
        args.extend((list(view.grids), list(view.worker_ids)))
        where.append(f"(grid_code = ANY(${len(args) - 1}) OR worker_id = ANY(${len(args)}))")
    return where, args
