"""Corrections as rows."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from uuid import UUID

from services.ingest.domain.correction import Correction
from shared.kit.db import ReadTx, WriteTx

_COLUMNS = (
    "correction_id", "request_id", "source", "department", "subject", "evidence_ids", "reason", "asked_by", "status",
    "requested_at", "due_on", "answered_at", "answered_by", "answer",
    "sealed_reason", "sealed_answer",
)  # fmt: skip
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM correction"  # noqa: S608  (our columns)


async def add(tx: WriteTx, correction: Correction) -> bool:
    """Keep a correction; False when the same request had come before."""
    row = asdict(correction)
    marks = ", ".join(f"${place}" for place in range(1, len(_COLUMNS) + 1))
    tag = await tx.run(
        f"INSERT INTO correction ({', '.join(_COLUMNS)}) VALUES ({marks}) ON CONFLICT DO NOTHING",  # noqa: S608  (ours)
        *(list(row[name]) if name == "evidence_ids" else row[name] for name in _COLUMNS),
    )
    return tag.endswith("1")


async def save_answer(tx: WriteTx, correction: Correction) -> None:
    """Keep what the department answered."""
    await tx.run(
        "UPDATE correction SET status = $2, answered_at = $3, answered_by = $4, answer = $5, sealed_answer = $6 "
        "WHERE correction_id = $1",
        correction.correction_id,
        correction.status,
        correction.answered_at,
        correction.answered_by,
        correction.answer,
        correction.sealed_answer,
    )


async def find(tx: ReadTx, correction_id: UUID) -> Correction | None:
    """A correction by its id."""
    rows = await tx.fetch(f"{_SELECT} WHERE correction_id = $1", correction_id)
    return _correction(rows[0]) if rows else None


async def lock(tx: WriteTx, correction_id: UUID) -> Correction | None:
    """A correction by its id, held against another answer."""
    rows = await tx.fetch(f"{_SELECT} WHERE correction_id = $1 FOR UPDATE", correction_id)
    return _correction(rows[0]) if rows else None


async def lock_open(tx: WriteTx, source: str) -> list[Correction]:
    """Open corrections of a source, held."""
    rows = await tx.fetch(f"{_SELECT} WHERE source = $1 AND status = 'open' ORDER BY correction_id FOR UPDATE", source)
    return [_correction(row) for row in rows]


async def page(
    tx: ReadTx, *, department: str | None, status: str | None, after: UUID | None, limit: int
) -> list[Correction]:
    """Corrections behind `after` in the order of their ids; of every department where none is named."""
    rows = await tx.fetch(
        f"{_SELECT} WHERE ($1::text IS NULL OR department = $1) AND ($2::text IS NULL OR status = $2) "
        "AND ($3::uuid IS NULL OR correction_id > $3) ORDER BY correction_id LIMIT $4",
        department,
        status,
        after,
        limit,
    )
    return [_correction(row) for row in rows]


def _correction(row: Mapping[str, Any]) -> Correction:
    return Correction(**{**row, "evidence_ids": tuple(row["evidence_ids"])})
