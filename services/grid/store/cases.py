"""Cases and their steps, one by one, as people work on them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import asyncpg
import orjson

from services.grid.domain.cases import CLEARING, Basis, CaseAction, CaseState, Step, reopens
from services.grid.domain.views import View
from services.grid.store.tasks import conditions
from shared.contracts.vocabulary import CaseConclusion, Confidence, SuspicionKind
from shared.kit.db import ReadTx, WriteTx


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One case."""

    case_id: UUID
    subject: UUID
    kind: SuspicionKind
    state: CaseState
    confidence: Confidence
    event_on: date | None
    rounds: int
    division: str | None
    grid_code: str | None
    worker_id: str | None
    deadline_on: date
    opened_at: datetime
    changed_at: datetime
    previous_case_id: UUID | None
    conclusion: CaseConclusion | None
    concluded_at: datetime | None
    verified_by: str | None
    concluded_by: str | None


_COLUMNS = (
    "case_id, subject, kind, state, confidence, event_on, rounds, division, grid_code, worker_id, deadline_on, "
    "opened_at, changed_at, previous_case_id, conclusion, concluded_at, verified_by, concluded_by"
)


def _case(row: asyncpg.Record) -> Case:
    words = {
        "kind": SuspicionKind(row["kind"]),
        "state": CaseState(row["state"]),
        "confidence": Confidence(row["confidence"]),
        "conclusion": CaseConclusion(row["conclusion"]) if row["conclusion"] else None,
    }
    return Case(**{**row, **words})


async def find_case(tx: ReadTx, case_id: UUID, *, lock: bool = False) -> Case | None:
    """One case; with `lock`, nobody else takes a step until the end of the transaction."""
    suffix = " FOR UPDATE" if lock else ""
    rows = await tx.fetch(f"SELECT {_COLUMNS} FROM cases WHERE case_id = $1{suffix}", case_id)  # noqa: S608
    return _case(rows[0]) if rows else None


async def open_cases_of(tx: ReadTx, subjects: Iterable[UUID]) -> list[Case]:
    """Open cases of these people, in one order for all who lock them."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM cases WHERE subject = ANY($1) AND state <> 'concluded' "  # noqa: S608
        "ORDER BY case_id FOR UPDATE",
        list(subjects),
    )
    return [_case(row) for row in rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFilter:
    """Which cases are asked for."""

    state: CaseState | None = None
    kind: SuspicionKind | None = None
    subject: UUID | None = None
    open_only: bool = False


async def list_cases(tx: ReadTx, view: View, wanted: CaseFilter, *, after: UUID | None, limit: int) -> list[Case]:
    """One page of cases in the caller's view, oldest id first."""
    where, args = conditions(view)
    pairs = (("state =", wanted.state), ("kind =", wanted.kind), ("subject =", wanted.subject), ("case_id >", after))
    for condition, value in pairs:
        if value is not None:
            args.append(value)
            where.append(f"{condition} ${len(args)}")
    if wanted.open_only:
        where.append("state <> 'concluded'")
    args.append(limit)
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM cases WHERE {' AND '.join(where)} ORDER BY case_id LIMIT ${len(args)}",  # noqa: S608
        *args,
    )
    return [_case(row) for row in rows]


async def take_overdue(tx: WriteTx, today: date) -> list[Case]:
    """Open cases whose deadline has passed without being told, marked as told.

    One that somebody works on at this moment is left for the next day.
    """
    rows = await tx.fetch(
        f"""
        UPDATE cases SET told_deadline_on = deadline_on WHERE case_id IN (SELECT case_id FROM cases
            WHERE state <> 'concluded' AND deadline_on < $1
                AND told_deadline_on IS DISTINCT FROM deadline_on ORDER BY case_id FOR UPDATE SKIP LOCKED)
        RETURNING {_COLUMNS}
        """,  # noqa: S608  (our own words)
        today,
    )
    return [_case(row) for row in rows]


async def has_case(tx: ReadTx, subject: UUID, kind: SuspicionKind) -> bool:
    """Whether people look into this, or have confirmed it."""
    return bool(
        await tx.fetch(
            "SELECT FROM cases WHERE subject = $1 AND kind = $2 AND (state <> 'concluded' "
            "OR conclusion IN ('confirmed', 'confirmed_no_overpayment')) LIMIT 1",
            subject,
            kind.value,
        )
    )


async def find_confirmed(tx: ReadTx, subject: UUID, kind: SuspicionKind) -> Case | None:
    """The last case about this, where people have confirmed it; None while one is open, too."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM cases WHERE subject = $1 AND kind = $2 "  # noqa: S608  (our own words)
        "ORDER BY state = 'concluded', concluded_at DESC LIMIT 1",
        subject,
        kind.value,
    )
    found = [_case(row) for row in rows]
    return next((case for case in found if case.conclusion and not reopens(case.conclusion)), None)


async def cleared_on(tx: ReadTx, subject: UUID, visit_ids: Iterable[UUID]) -> list[Case]:
    """The last cases of their kind about a person, where one of these visits is among what cleared him."""
    rows = await tx.fetch(
        f"""
        SELECT {_COLUMNS} FROM (SELECT DISTINCT ON (kind) * FROM cases WHERE subject = $1
            ORDER BY kind, state = 'concluded', concluded_at DESC) c
        WHERE state = 'concluded' AND conclusion = ANY($2) AND EXISTS (SELECT FROM case_steps s,
            jsonb_to_recordset(s.basis) AS b(kind text, reference text) WHERE s.case_id = c.case_id
            AND s.action = 'finding' AND b.kind = 'visit' AND b.reference = ANY($3)) ORDER BY case_id
        """,  # noqa: S608  (our own words)
        subject,
        [conclusion.value for conclusion in CLEARING],
        [str(visit_id) for visit_id in visit_ids],
    )
    return [_case(row) for row in rows]


async def open_case(tx: WriteTx, case: Case) -> bool:
    """Open a case, after the last one about the same suspicion; False when one is open already."""
    tag = await tx.run(
        "INSERT INTO cases (case_id, subject, kind, state, confidence, event_on, rounds, division, grid_code, "
        "worker_id, deadline_on, opened_at, changed_at, previous_case_id) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, (SELECT case_id FROM cases p "
        "WHERE p.subject = $2 AND p.kind = $3 ORDER BY concluded_at DESC LIMIT 1)) "
        "ON CONFLICT (subject, kind) WHERE state <> 'concluded' DO NOTHING",
        case.case_id,
        case.subject,
        case.kind.value,
        case.state.value,
        case.confidence.value,
        case.event_on,
        case.rounds,
        case.division,
        case.grid_code,
        case.worker_id,
        case.deadline_on,
        case.opened_at,
        case.changed_at,
    )
    return tag.endswith("1")


async def save_case(tx: WriteTx, case: Case) -> None:
    """Write what a step changed."""
    await tx.run(
        "UPDATE cases SET state = $2, event_on = $3, rounds = $4, worker_id = $5, deadline_on = $6, changed_at = $7, "
        "conclusion = $8, concluded_at = $9, verified_by = $10, concluded_by = $11 WHERE case_id = $1",
        case.case_id,
        case.state.value,
        case.event_on,
        case.rounds,
        case.worker_id,
        case.deadline_on,
        case.changed_at,
        case.conclusion.value if case.conclusion else None,
        case.concluded_at,
        case.verified_by,
        case.concluded_by,
    )


async def move(tx: WriteTx, case_id: UUID, grid_code: str, worker_id: str, now: datetime) -> None:
    """A case goes to the village of another grid, and to whoever is asked to knock there."""
    await tx.run(
        "UPDATE cases SET grid_code = $2, division = left($2, 12), worker_id = $3, changed_at = $4 WHERE case_id = $1",
        case_id,
        grid_code,
        worker_id,
        now,
    )


async def add_step(tx: WriteTx, case_id: UUID, step: Step) -> None:
    """Add to the history of a case."""
    basis = [
        {"kind": each.kind, "reference": each.reference} | ({"day": each.day.isoformat()} if each.day else {})
        for each in step.basis
    ]
    await tx.run(
        "INSERT INTO case_steps (case_id, action, actor, role, happened_at, outcome, event_on, basis, note) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8::text::jsonb, $9)",
        case_id,
        step.action.value,
        step.actor,
        step.role,
        step.happened_at,
        step.outcome,
        step.event_on,
        orjson.dumps(basis).decode(),
        step.note,
    )


async def steps_of(tx: ReadTx, case_id: UUID) -> list[Step]:
    """The history of a case, in the order it was written."""
    rows = await tx.fetch(
        "SELECT action, actor, role, happened_at, outcome, event_on, basis::text AS basis, note FROM case_steps "
        "WHERE case_id = $1 ORDER BY step_no",
        case_id,
    )
    return [_step(row) for row in rows]


def _step(row: asyncpg.Record) -> Step:
    basis: Sequence[dict[str, str]] = orjson.loads(row["basis"])
    return Step(
        action=CaseAction(row["action"]),
        actor=row["actor"],
        role=row["role"],
        happened_at=row["happened_at"],
        outcome=row["outcome"],
        event_on=row["event_on"],
        basis=tuple(Basis(kind=each["kind"], reference=each["reference"], day=_day(each.get("day"))) for each in basis),
        note=row["note"],
    )


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


async def another_worker(tx: ReadTx, grid_code: str, not_these: Iterable[str]) -> str | None:
    """Somebody else of the same village who can knock: its leader, a member, the grid's own last, or the assistant."""
    rows = await tx.fetch(
        """
        SELECT worker_id FROM (
            SELECT leader_id AS worker_id, 1 AS turn, grid_code FROM grids WHERE grid_code = $1
            UNION ALL SELECT member_id, CASE WHEN grid_code = $1 THEN 3 ELSE 2 END, grid_code FROM grids
                WHERE division = left($1, 12)
            UNION ALL SELECT assistant_id, 4, grid_code FROM grids WHERE grid_code = $1
        ) candidates WHERE worker_id IS NOT NULL AND worker_id <> ALL($2) ORDER BY turn, grid_code LIMIT 1
        """,
        grid_code,
        list(not_these),
    )
    return rows[0]["worker_id"] if rows else None
