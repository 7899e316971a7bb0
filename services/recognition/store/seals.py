"""The usage log as it is sealed, proved, and read by auditors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import numpy as np

from services.recognition.domain.chain import ROW, Seal
from shared.kit.db import ReadTx, WriteTx

# Rows are chained in the order of their transactions, and only those before which nobody can commit any more.
_HORIZON = "pg_snapshot_xmin(pg_current_snapshot())::text::bigint"

_ROWS = """
SELECT tx, usage_id, sha256(convert_to(ROW(usage_id, logged_at, at, client_id, user_ref, department, action, program,
    subject, purpose, legal_basis, case_ref, answer, request_id)::text, 'UTF8')) AS digest
FROM {} ORDER BY tx, usage_id
"""
_AFTER = "SELECT * FROM usage WHERE tx >= $1 AND (tx, usage_id) > ($1, $2)"
# Cut off before anything is hashed: behind the place a whole city's job may be waiting.
_NEXT = _ROWS.format(f"({_AFTER} AND tx < {_HORIZON} ORDER BY tx, usage_id LIMIT $3) u")
_BETWEEN = _ROWS.format(f"({_AFTER} AND tx <= $3 AND (tx, usage_id) <= ($3, $4)) u")
_SEAL = "seal_no, last_tx, last_id, ids, marks, previous, chain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which rows an auditor wants to see; None leaves a side open."""

    client_id: str | None
    program: str | None
    action: str | None
    subject: UUID | None
    since: datetime | None
    until: datetime | None


_TYPES = (("tx", ">i8"), ("usage_id", ">i8"), ("digest", "(32,)u1"))


async def _rows(tx: ReadTx, sql: str, *args: int) -> np.ndarray:
    # What a row says must not depend on who asks.
    await tx.fetch("SELECT set_config('TimeZone', 'UTC', true)")
    found = await tx.columns(sql, _TYPES, *args)
    rows = np.empty(len(found), dtype=ROW)
    for name, _ in _TYPES:
        rows[name] = found[name]
    return rows


def _seal(row: asyncpg.Record) -> Seal:
    return Seal(
        row["seal_no"],
        (row["last_tx"], row["last_id"]),
        np.frombuffer(row["ids"], dtype=np.int64),
        row["marks"],
        row["previous"],
        row["chain"],
    )


async def hold(tx: WriteTx) -> bool:
    """Be the only one who seals, until the end of the transaction; False when somebody else is."""
    rows = await tx.fetch("SELECT pg_try_advisory_xact_lock(hashtext('recognition usage seal')) AS held")
    return bool(rows[0]["held"])


async def last_seal(tx: ReadTx, before: int | None = None) -> Seal | None:
    """The newest seal, or the newest before a number."""
    rows = await tx.fetch(
        f"SELECT {_SEAL} FROM usage_seal WHERE $1::bigint IS NULL OR seal_no < $1 "  # noqa: S608  (column names)
        "ORDER BY seal_no DESC LIMIT 1",
        before,
    )
    return _seal(rows[0]) if rows else None


async def next_rows(tx: ReadTx, after: tuple[int, int], limit: int) -> np.ndarray:
    """Rows behind a place that can be sealed, in their order."""
    return await _rows(tx, _NEXT, *after, limit)


async def rows_between(tx: ReadTx, after: tuple[int, int], last: tuple[int, int]) -> np.ndarray:
    """Rows now in the range of a seal."""
    return await _rows(tx, _BETWEEN, *after, *last)


async def add_seal(tx: WriteTx, one: Seal) -> None:
    """Keep a seal."""
    await tx.run(
        f"INSERT INTO usage_seal ({_SEAL}) VALUES ($1, $2, $3, $4, $5, $6, $7)",  # noqa: S608  (column names)
        one.number,
        *one.last,
        one.ids.tobytes(),
        one.marks,
        one.previous,
        one.chain,
    )


async def list_seals(tx: ReadTx, after: int, limit: int) -> list[Seal]:
    """Seals behind a number, in their order."""
    rows = await tx.fetch(
        f"SELECT {_SEAL} FROM usage_seal WHERE seal_no > $1 ORDER BY seal_no LIMIT $2",  # noqa: S608  (column names)
        after,
        limit,
    )
    return [_seal(row) for row in rows]


async def count_unsealed(tx: ReadTx, after: tuple[int, int]) -> int:
    """Rows no seal covers yet."""
    rows = await tx.fetch("SELECT count(*) AS rows FROM usage WHERE tx >= $1 AND (tx, usage_id) > ($1, $2)", *after)
    return int(rows[0]["rows"])


async def list_usage(tx: ReadTx, wanted: Wanted, after: int, limit: int) -> Sequence[Mapping[str, Any]]:
    """Rows of the log an auditor asks for, oldest first."""
    return await tx.fetch(
        "SELECT usage_id, logged_at, at, client_id, user_ref, department, action, program, subject, purpose, "
        "legal_basis, case_ref, answer, request_id FROM usage WHERE usage_id > $1 "
        "AND ($3::text IS NULL OR client_id = $3) AND ($4::text IS NULL OR program = $4) "
        "AND ($5::text IS NULL OR action = $5) AND ($6::uuid IS NULL OR subject = $6) "
        "AND ($7::timestamptz IS NULL OR at >= $7) AND ($8::timestamptz IS NULL OR at < $8) "
        "ORDER BY usage_id LIMIT $2",
        after,
        limit,
        wanted.client_id,
        wanted.program,
        wanted.action,
        wanted.subject,
        wanted.since,
        wanted.until,
    )
