"""Photos of visits, sealed, and the marks that find a photo again after it is gone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import numpy as np

from services.grid.domain.photos import Marks
from shared.kit.db import ReadTx, WriteTx


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPhoto:
    """A photo as it is kept; `sealed` is None once its time is over."""

    visit_id: UUID
    subject: UUID
    worker_id: str
    sha256: bytes
    sealed: bytes | None
    marks: Marks
    received_at: datetime
    keep_until: date
    mark_until: date


async def find_photo(tx: ReadTx, visit_id: UUID) -> tuple[bytes, bytes | None] | None:
    """SHA-256 of what was sent, and the sealed photo where it is still kept."""
    rows = await tx.fetch("SELECT sha256, sealed FROM photos WHERE visit_id = $1", visit_id)
    return (rows[0]["sha256"], rows[0]["sealed"]) if rows else None


async def save_photo(tx: WriteTx, photo: StoredPhoto) -> None:
    """Keep a photo."""
    await tx.run(
        "INSERT INTO photos (visit_id, subject, worker_id, sha256, sealed, bands, coarse, fine, received_at, "
        "keep_until, mark_until) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        photo.visit_id,
        photo.subject,
        photo.worker_id,
        photo.sha256,
        photo.sealed,
        photo.marks.bands(),
        photo.marks.coarse.tobytes(),
        photo.marks.fine.tobytes(),
        photo.received_at,
        photo.keep_until,
        photo.mark_until,
    )


async def near(tx: ReadTx, marks: Marks, *, but: UUID) -> Sequence[tuple[UUID, Marks]]:
    """Earlier photos that may be the same, found by their bands; the caller compares the marks."""
    rows = await tx.fetch(
        "SELECT visit_id, coarse, fine FROM photos WHERE bands && $1::int4[] AND visit_id <> $2", marks.probes(), but
    )
    return [
        (
            row["visit_id"],
            Marks(
                coarse=np.frombuffer(row["coarse"], np.uint64),
                fine=np.frombuffer(row["fine"], np.uint8).reshape(-1, 32),
            ),
        )
        for row in rows
    ]


async def lock_photos(tx: WriteTx) -> None:
    """One photo is compared and kept at a time, so that two copies sent at once see each other."""
    await tx.run("SELECT pg_advisory_xact_lock(hashtext('grid:photo'))")


async def forget(tx: WriteTx, today: date) -> tuple[int, int]:
    """Delete photos whose time is over, unless a leader still has to look, then marks; returns how many of each."""
    photos = await tx.run(
        "UPDATE photos p SET sealed = NULL WHERE p.keep_until < $1 AND p.sealed IS NOT NULL "
        "AND NOT EXISTS (SELECT FROM visits v WHERE v.visit_id = p.visit_id AND v.status = 'in_review')",
        today,
    )
    marks = await tx.run("DELETE FROM photos WHERE mark_until < $1 AND sealed IS NULL", today)
    return int(photos.rsplit(" ", 1)[1]), int(marks.rsplit(" ", 1)[1])
