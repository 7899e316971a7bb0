"""Columns of a message put where SQL can join them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

import asyncpg
import polars as pl
import pyarrow as pa

from shared.kit.db import WriteTx

FEW = 500
"""Up to so many rows travel as parameters."""

_ARROW: dict[str, pa.DataType] = {
    "uuid": pa.binary(16),
    "bytea": pa.binary(),
    "text": pa.string(),
    "date": pa.date32(),
    "int2": pa.int16(),
    "int4": pa.int32(),
    "int8": pa.int64(),
    "bool": pa.bool_(),
    "float8": pa.float64(),
    "timestamptz": pa.timestamp("us", "UTC"),
    "int8[]": pa.list_(pa.int64()),
    "text[]": pa.list_(pa.string()),
}

STAGED: dict[str, Mapping[str, str]] = {
    "staged_due": {
        "subject": "uuid",
        "due_on": "date",
        "division": "text",
        "group_no": "int2",
        "programs": "int2",
        "born_on": "date",
        "priority": "int2",
    },
    "staged_recipients": {
        "subject": "uuid",
        "active": "bool",
        "division": "text",
        "group_no": "int2",
        "sex": "text",
        "born_on": "date",
    },
    "staged_certificates": {
        "subject": "uuid",
        "certificate_id": "uuid",
        "valid_until": "date",
        "channel": "text",
    },
    "staged_suspicions": {
        "suspicion_id": "uuid",
        "subject": "uuid",
        "kind": "text",
        "confidence": "text",
        "event_on": "date",
        "revision": "int4",
        "evidence_ids": "int8[]",
        "sources": "text[]",
        "reasons": "text[]",
    },
    "staged_divisions": {"code": "text", "level": "text", "name": "text", "parent": "text"},
    "staged_workers": {"worker_id": "text", "name_key": "bytea", "phone_key": "bytea", "sealed": "bytea"},
    "staged_users": {"user_key": "bytea", "worker_id": "text"},
    "staged_grids": {
        "grid_code": "text",
        "division": "text",
        "group_no": "int2",
        "member_id": "text",
        "leader_id": "text",
        "assistant_id": "text",
        "lon": "float8",
        "lat": "float8",
    },
    "staged_moves": {"task_id": "uuid", "worker_id": "text"},
    "staged_asked": {"subject": "uuid", "opened_by": "text", "about": "text"},
    "staged_order": {"subject": "uuid", "priority": "int2", "why": "text"},
    "staged_history": {"grid_code": "text", "duty": "text", "before_id": "text", "after_id": "text"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """Rows that statements can name as a table: a temporary table, or, where they are few, arrays of parameters.

    A temporary table costs some milliseconds at commit, which counts where messages are many and small.
    """

    name: str
    arrays: tuple[list[Any], ...] | None

    async def run(self, tx: WriteTx, sql: str, *args: object) -> str:
        """Run a statement that names the table; `args` are its `$1`, `$2`, ... Returns the command tag."""
        if self.arrays is None:
            return await tx.run(sql, *args)
        return await tx.run(_with_arrays(sql, self.name), *self.arrays, *args)

    async def fetch(self, tx: WriteTx, sql: str, *args: object) -> list[asyncpg.Record]:
        """Rows of a query that names the table; `args` are its `$1`, `$2`, ..."""
        if self.arrays is None:
            return await tx.fetch(sql, *args)
        return await tx.fetch(_with_arrays(sql, self.name), *self.arrays, *args)


@lru_cache(maxsize=64)
def _with_arrays(sql: str, name: str) -> str:
    columns = STAGED[name]
    moved = re.sub(r"\$(\d+)", lambda found: f"${int(found[1]) + len(columns)}", sql)
    arrays = ", ".join(f"${place}::{kind}[]" for place, kind in enumerate(columns.values(), start=1))
    head = f"WITH {name} AS (SELECT * FROM unnest({arrays}) AS given({', '.join(columns)}))"  # noqa: S608  (our own names)
    begun = moved.lstrip()
    return f"{head}, {begun.removeprefix('WITH ')}" if begun.startswith("WITH ") else f"{head} {begun}"


async def stage(tx: WriteTx, name: str, rows: pl.DataFrame) -> Staged:
    """Put `rows` where statements can name them as the table `name` of `STAGED`."""
    columns = STAGED[name]
    chosen = rows.select(columns.keys())
    if chosen.height <= FEW and not any(kind.endswith("[]") for kind in columns.values()):
        arrays = tuple(
            [None if each is None else UUID(bytes=each) for each in chosen[column]]
            if kind == "uuid"
            else chosen[column].to_list()
            for column, kind in columns.items()
        )
        return Staged(name=name, arrays=arrays)
    described = ", ".join(f"{column} {kind}" for column, kind in columns.items())
    # Made once a connection: a table a message would leave as many dead rows in the catalogue.
    await tx.run(f"CREATE TEMP TABLE IF NOT EXISTS {name} ({described}) ON COMMIT DELETE ROWS")
    await tx.run(f"DELETE FROM {name}")  # noqa: S608  (our own names)
    shape = pa.schema([(column, _ARROW[kind]) for column, kind in columns.items()])
    await tx.copy(name, chosen.to_arrow().cast(shape))
    return Staged(name=name, arrays=None)
