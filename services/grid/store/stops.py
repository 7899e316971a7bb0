"""Requests to stop a benefit."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import asyncpg
import polars as pl

from services.grid.domain.claims import SAID_BY, StopState, Told
from services.grid.domain.views import View
from services.grid.store.people import ADDRESSES
from services.grid.store.staging import stage
from services.grid.store.tasks import conditions
from shared.kit.db import ReadTx, WriteTx


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRequest:
    """One request. What people said stays None until they have.

    Attributes:
        reason: a code, or that it was said in own words; words themselves only where an older version kept the request.
        sealed_reason: the words, bound to the request; None where there are none.
    """

    request_id: UUID
    subject: UUID
    programs: tuple[str, ...]
    relation: str
    reason: str
    sealed_reason: bytes | None
    event_on: date | None
    requested_at: datetime
    state: StopState
    division: str | None
    grid_code: str | None
    worker_id: str | None
    deadline_on: date
    matched: bool
    as_stated: bool | None = None
    verified_by: str | None = None
    verified_at: datetime | None = None
    confirmed: bool | None = None
    concluded_by: str | None = None
    concluded_at: datetime | None = None
    withdrawn_at: datetime | None = None

    @property
    def moot(self) -> bool:
        """Whether nobody need look any more: he took it back, and people had not found what ends benefits anyway."""
        return self.withdrawn_at is not None and not (self.state is StopState.VERIFIED and self.reason in set(Told))


_KINDS = " ".join(f"WHEN '{code}' THEN '{{{','.join(kinds)}}}'::text[]" for code, kinds in SAID_BY.items())
# Judged when somebody looks: a register may speak, or be found wrong, after the request was made.
_MATCHED = f"""EXISTS (SELECT FROM suspicions s LEFT JOIN cases c USING (case_id)
    WHERE s.subject = stop_requests.subject
        AND s.kind = ANY(CASE stop_requests.reason {_KINDS} END)
        AND (c.conclusion IS NULL OR c.conclusion NOT IN ('unfounded', 'false_death')))"""
_COLUMNS = (
    "request_id, subject, programs, relation, reason, sealed_reason, event_on, requested_at, state, division, "
    f"grid_code, worker_id, deadline_on, {_MATCHED} AS matched, as_stated, verified_by, verified_at, "
    "confirmed, concluded_by, concluded_at, withdrawn_at"
)
_TOLD = ", ".join(f"'{each}'" for each in Told)
MOOT = f"(withdrawn_at IS NOT NULL AND state <> 'concluded' AND NOT (state = 'verified' AND reason IN ({_TOLD})))"
"""Of a request that ends without a conclusion, as `StopRequest.moot` says it."""


def _request(row: asyncpg.Record) -> StopRequest:
    return StopRequest(**{**row, "programs": tuple(row["programs"]), "state": StopState(row["state"])})


async def add(tx: WriteTx, made: StopRequest) -> None:
    """Keep a new request."""
    await tx.run(
        "INSERT INTO stop_requests (request_id, subject, programs, relation, reason, event_on, requested_at, state, "
        "deadline_on, sealed_reason, matched) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, false) "
        "ON CONFLICT DO NOTHING",
        made.request_id,
        made.subject,
        list(made.programs),
        made.relation,
        made.reason,
        made.event_on,
        made.requested_at,
        made.state.value,
        made.deadline_on,
        made.sealed_reason,
    )


async def withdraw(tx: WriteTx, request_id: UUID, subject: UUID, at: datetime, today: date) -> None:
    """Note that somebody took his request back, whether it has come or is still to come."""
    await tx.run(
        "INSERT INTO stop_requests (request_id, subject, programs, relation, reason, requested_at, state, deadline_on, "
        "matched, withdrawn_at) VALUES ($1, $2, '{}', 'self', 'own_request', $3, 'received', $4, false, $3) "
        "ON CONFLICT (request_id) DO UPDATE SET withdrawn_at = excluded.withdrawn_at "
        "WHERE stop_requests.withdrawn_at IS NULL",
        request_id,
        subject,
        at,
        today,
    )


async def place(tx: WriteTx, subjects: list[bytes]) -> None:
    """Requests without a village go to the village of the person, where his address is known now."""
    if not await tx.fetch("SELECT FROM stop_requests WHERE division IS NULL LIMIT 1"):
        return
    rows = pl.DataFrame({"subject": subjects}, schema={"subject": pl.Binary}).with_columns(
        opened_by=pl.lit(""), about=pl.lit("")
    )
    staged = await stage(tx, "staged_asked", rows)
    addresses = ADDRESSES.format(subjects="staged_asked")
    await staged.run(
        tx,
        f"UPDATE stop_requests r SET division = a.division, grid_code = a.grid_code, worker_id = g.member_id "  # noqa: S608
        f"FROM ({addresses}) a LEFT JOIN grids g ON g.grid_code = a.grid_code "
        "WHERE r.subject = a.subject AND r.division IS NULL AND a.division IS NOT NULL",
    )


async def move(tx: WriteTx, subject: UUID, grid_code: str, worker_id: str) -> None:
    """Requests that nobody has verified go to the village of another grid."""
    await tx.run(
        "UPDATE stop_requests SET grid_code = $2, division = left($2, 12), worker_id = $3 "
        "WHERE subject = $1 AND state = 'received'",
        subject,
        grid_code,
        worker_id,
    )


async def find(tx: ReadTx, request_id: UUID, *, lock: bool = False) -> StopRequest | None:
    """One request; with `lock`, nobody else takes a step until the end of the transaction."""
    suffix = " FOR UPDATE" if lock else ""
    rows = await tx.fetch(f"SELECT {_COLUMNS} FROM stop_requests WHERE request_id = $1{suffix}", request_id)  # noqa: S608
    return _request(rows[0]) if rows else None


async def in_view(
    tx: ReadTx, view: View, *, state: StopState | None, after: UUID | None, limit: int
) -> list[StopRequest]:
    """One page of requests in the caller's view, oldest id first."""
    where, args = conditions(view)
    for condition, value in (("state =", state), ("request_id >", after)):
        if value is not None:
            args.append(value)
            where.append(f"{condition} ${len(args)}")
    if state is not None:
        where.append(f"NOT {MOOT}")
    args.append(limit)
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM stop_requests WHERE {' AND '.join(where)} ORDER BY request_id LIMIT ${len(args)}",  # noqa: S608
        *args,
    )
    return [_request(row) for row in rows]


async def take_overdue(tx: WriteTx, today: date) -> list[StopRequest]:
    """Requests whose deadline has passed without being told, marked as told."""
    rows = await tx.fetch(
        "UPDATE stop_requests SET told_deadline_on = deadline_on WHERE state <> 'concluded' AND deadline_on < $1 "  # noqa: S608
        f"AND NOT {MOOT} AND told_deadline_on IS DISTINCT FROM deadline_on RETURNING {_COLUMNS}",
        today,
    )
    return [_request(row) for row in rows]


async def save(tx: WriteTx, request: StopRequest) -> None:
    """Write what a step changed."""
    await tx.run(
        "UPDATE stop_requests SET state = $2, event_on = $3, as_stated = $4, verified_by = $5, verified_at = $6, "
        "confirmed = $7, concluded_by = $8, concluded_at = $9, reason = $10 WHERE request_id = $1",
        request.request_id,
        request.state.value,
        request.event_on,
        request.as_stated,
        request.verified_by,
        request.verified_at,
        request.confirmed,
        request.concluded_by,
        request.concluded_at,
        request.reason,
    )
