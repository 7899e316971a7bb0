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

Place = tuple[int, int, int]
"""Where a row stands in the chain: lowest id of those its transactions are counted among, transaction, id."""

START: Place = (0, -1, 0)

# Rows are chained in the order of their transactions, and only those before which nobody can commit any more.
_HORIZON = "pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
_NEXT_TX = "pg_snapshot_xmax(pg_current_snapshot())::text::bigint"

_ROWS = """
SELECT tx, usage_id, sha256(convert_to(ROW(usage_id, logged_at, at, client_id, user_ref, department, action, program,
    subject, purpose, legal_basis, case_ref, answer, request_id)::text, 'UTF8')) AS digest
FROM {} ORDER BY tx, usage_id
"""
_AFTER = "SELECT * FROM usage WHERE usage_id >= $1 AND tx >= $2 AND (tx, usage_id) > ($2, $3)"
# Cut off before anything is hashed: behind the place a whole city's job may be waiting.
_NEXT = _ROWS.format(f"({_AFTER} AND tx < {_HORIZON} ORDER BY tx, usage_id LIMIT $4) u")
# Where the server counts anew, nobody writes under the old numbers any more.
_LEFT = _ROWS.format(f"({_AFTER} ORDER BY tx, usage_id LIMIT $4) u")
_BETWEEN = _ROWS.format(f"({_AFTER} AND tx <= $4 AND (tx, usage_id) <= ($4, $5) AND usage_id < $6) u")
_SEAL = "seal_no, last_tx, last_id, first_id, ids, marks, previous, chain"
_SEALS_AT_ONCE = 64


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
        row["first_id"],
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


async def next_rows(tx: ReadTx, after: Place, limit: int) -> np.ndarray:
    """Rows behind a place that can be sealed, in their order."""
    return await _rows(tx, _NEXT, *after, limit)


async def rows_left(tx: ReadTx, after: Place, limit: int) -> np.ndarray:
    """Rows behind a place the server has not counted up to again."""
    return await _rows(tx, _LEFT, *after, limit)


async def rows_between(tx: ReadTx, after: Place, last: tuple[int, int], below: int) -> np.ndarray:
    """Rows now in the range of a seal, of ids below a number."""
    return await _rows(tx, _BETWEEN, *after, *last, below)


async def counts_anew(tx: ReadTx, last_tx: int) -> bool:
    """Whether the server has yet to reach the number of a transaction it once had: it was restored from a dump."""
    rows = await tx.fetch(f"SELECT {_NEXT_TX} <= $1 AS anew", last_tx)
    return bool(rows[0]["anew"])


async def most_id(tx: ReadTx, last: Seal) -> int:
    """Highest id among the rows of the seals that count as the last one does: what is above was logged later."""
    most, after = 0, 0
    while True:
        rows = await tx.fetch(
            "SELECT seal_no, ids FROM usage_seal WHERE first_id = $1 AND seal_no > $2 ORDER BY seal_no LIMIT $3",
            last.first,
            after,
            _SEALS_AT_ONCE,
        )
        if not rows:
            return most
        most = max(most, *(int(np.frombuffer(row["ids"], dtype=np.int64).max()) for row in rows))
        after = rows[-1]["seal_no"]


async def list_firsts(tx: ReadTx) -> list[int]:
    """Ids from which on the server counted anew, ascending."""
    rows = await tx.fetch("SELECT DISTINCT first_id FROM usage_seal ORDER BY first_id")
    return [row["first_id"] for row in rows]


async def add_seal(tx: WriteTx, one: Seal) -> None:
    """Keep a seal."""
    await tx.run(
        f"INSERT INTO usage_seal ({_SEAL}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",  # noqa: S608  (column names)
        one.number,
        *one.last,
        one.first,
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


async def count_unsealed(tx: ReadTx, after: Place, anew: int | None) -> int:
    """Rows no seal covers yet: behind a place, or of ids from one on where the server counts anew."""
    rows = await tx.fetch(
        "SELECT count(*) AS rows FROM usage WHERE usage_id >= $1 AND (tx >= $2 AND (tx, usage_id) > ($2, $3) "
        "OR usage_id >= $4)",
        *after,
        anew,
    )
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
