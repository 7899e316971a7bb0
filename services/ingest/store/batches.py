"""Batches and their quarantine: rows ⇄ columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
import orjson
import pyarrow as pa
import uuid_utils.compat as uuids

from services.ingest.domain.verdicts import VERDICTS
from shared.kit import arrow
from shared.kit.clock import day_of
from shared.kit.db import ReadTx, WriteTx
from shared.kit.problems import ConflictError
from shared.kit.telemetry import mask_text

_COLUMNS = (
    "batch_no, batch_id, kind, code, department, client_id, sha256, filename, size_bytes, status, chunks_done, "
    "counts::text AS counts, received_at, completed_at, latency_days, roster_full, confirmed, tries"
)

_QUARANTINE = pa.schema([("row_no", pa.uint32()), ("reason", pa.string())])


class ForgottenError(ConflictError):
    """A batch of which nothing was kept is gone: who else took the same file was refused, or found none to complete."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A file that came in.

    Attributes:
        counts: rows by verdict or reason.
        chunks_done: chunks whose effect is committed; a batch cut off goes on behind them.
        latency_days: from event to receipt, summed over accepted rows.
        roster_full: whoever is not in this roster has ended.
        confirmed: somebody let it through.
        tries: to complete it without its sender.
    """

    batch_no: int
    batch_id: UUID
    kind: str
    code: str
    department: str
    client_id: str
    sha256: str
    filename: str
    size_bytes: int
    status: str
    chunks_done: int
    counts: Mapping[str, int]
    received_at: datetime
    completed_at: datetime | None
    latency_days: int
    roster_full: bool
    confirmed: bool
    tries: int

    @property
    def rows(self) -> int:
        """Rows judged so far."""
        return sum(count for name, count in self.counts.items() if name in VERDICTS)

    @property
    def file_sha256(self) -> str:
        """Of its file alone: the same file in another generation is another batch."""
        return self.sha256.split(".")[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBatch:
    """What is known of a file before it is read."""

    kind: str
    code: str
    department: str
    client_id: str
    sha256: str
    filename: str
    size_bytes: int
    received_at: datetime


async def last_roster(tx: ReadTx, program: str) -> Batch | None:
    """The roster of a program that was taken last."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM batch WHERE kind = 'roster' AND code = $1 AND status = 'completed' "  # noqa: S608  (our columns)
        "ORDER BY batch_no DESC LIMIT 1",
        program,
    )
    return _batch(rows[0]) if rows else None


async def lock_file(tx: WriteTx, file: Batch | NewBatch) -> None:
    """Hold the kept file of these bytes until the transaction ends, whatever batches they are of.

    A batch is begun under it, and only then puts its file into the store; a file goes under it, when no batch needs it.
    So nobody relies on a file that is just being dropped.
    """
    await lock_digest(tx, file.sha256.split(".")[0])


async def lock_digest(tx: WriteTx, sha256: str) -> None:
    """Hold the kept file of a digest, as `lock_file`."""
    await tx.wait_for_lock(f"raw:{sha256}")


async def open_batch(tx: WriteTx, new: NewBatch, *, generation: int | None = None) -> Batch:
    """The batch of this file: a new one, or the one that took the same file before.

    Departments name files after people, too: numbers of persons in the name are masked before it is kept.

    Args:
        tx: the transaction.
        new: what is known of the file.
        generation: makes the same file another batch in another generation (rosters).
    """
    sha256 = new.sha256 if generation is None else f"{new.sha256}.{generation}"
    await tx.run(
        "INSERT INTO batch (batch_id, kind, code, department, client_id, sha256, filename, size_bytes, status, "
        "received_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'taking', $9) "
        "ON CONFLICT (kind, code, sha256) DO NOTHING",
        uuids.uuid7(),
        new.kind,
        new.code,
        new.department,
        new.client_id,
        sha256,
        mask_text(new.filename),
        new.size_bytes,
        new.received_at,
    )
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM batch WHERE kind = $1 AND code = $2 AND sha256 = $3",  # noqa: S608  (our columns)
        new.kind,
        new.code,
        sha256,
    )
    return _batch(rows[0])


def file_name_of(batch: Batch | NewBatch) -> str:
    """The name whoever takes a file holds: the same for every batch of this very file."""
    return f"file:{batch.kind}:{batch.code}:{batch.sha256.split('.')[0]}"


async def note_asked(tx: WriteTx, batch: Batch, *, full: bool, confirmed: bool) -> None:
    """Keep how a file is to be taken, for whoever may have to complete it."""
    await tx.run(
        "UPDATE batch SET roster_full = $2, confirmed = $3 WHERE batch_no = $1 AND status IN ('taking', 'held')",
        batch.batch_no,
        full,
        confirmed,
    )


async def unfinished(tx: ReadTx) -> list[Batch]:
    """Batches that were begun and not completed, oldest first."""
    rows = await tx.fetch(f"SELECT {_COLUMNS} FROM batch WHERE status = 'taking' AND kind <> 'event' ORDER BY batch_no")  # noqa: S608  (our columns)
    return [_batch(row) for row in rows]


async def is_overtaken(tx: ReadTx, batch: Batch) -> bool:
    """Whether a roster of the same program was taken that came later: listeners let the later one win, too."""
    rows = await tx.fetch(
        "SELECT FROM batch WHERE kind = 'roster' AND code = $1 AND status = 'completed' AND batch_no <> $2 "
        "AND (received_at > $3 OR (received_at = $3 AND batch_no > $2)) LIMIT 1",
        batch.code,
        batch.batch_no,
        batch.received_at,
    )
    return batch.kind == "roster" and bool(rows)


async def may_pass_now(tx: ReadTx, batch: Batch, at: datetime) -> bool:
    """Whether rows that were not taken may be taken by now: the roster has changed since, or their day has come."""
    if batch.status != "completed" or batch.kind == "roster":
        return False
    if "future_date" in batch.counts and day_of(at) > day_of(batch.received_at):
        return True
    rows = await tx.fetch(
        "SELECT FROM batch WHERE kind = 'roster' AND status = 'completed' AND (completed_at > $1 OR batch_no > $2) "
        "LIMIT 1",
        batch.received_at,
        batch.batch_no,
    )
    return bool(rows and batch.counts.keys() & {"not_a_beneficiary", "name_mismatch"})


async def open_last_batch(tx: WriteTx, new: NewBatch, *, first: Batch | None = None) -> Batch:
    """The batch of this file or event as it is to be judged now: one more where the last one may be judged anew.

    Args:
        tx: the transaction.
        new: what is known of it.
        first: the batch to begin with, where it is known.
    """
    batch = first or await open_batch(tx, new)
    while await may_pass_now(tx, batch, new.received_at):
        batch = await open_batch(tx, new, generation=batch.batch_no)
    return batch


async def count_try(tx: WriteTx, batch: Batch, by: int) -> None:
    """Count a try to complete a batch without its sender, or take it back."""
    await tx.run("UPDATE batch SET tries = tries + $2 WHERE batch_no = $1", batch.batch_no, by)


async def last_of_file(tx: ReadTx, new: NewBatch) -> Batch | None:
    """The newest batch of this very file, if there is one: withdrawn, it may have come again."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM batch WHERE kind = $1 AND code = $2 AND (sha256 = $3 OR sha256 LIKE $3 || '.%') "  # noqa: S608  (our columns)
        "ORDER BY batch_no DESC LIMIT 1",
        new.kind,
        new.code,
        new.sha256,
    )
    return _batch(rows[0]) if rows else None


async def find_batch(tx: ReadTx, batch_id: UUID) -> Batch | None:
    """A batch by its public id."""
    rows = await tx.fetch(f"SELECT {_COLUMNS} FROM batch WHERE batch_id = $1", batch_id)  # noqa: S608  (our columns)
    return _batch(rows[0]) if rows else None


async def find_batch_by_no(tx: ReadTx, batch_no: int) -> Batch | None:
    """A batch by its number, the upper half of its evidence ids."""
    rows = await tx.fetch(f"SELECT {_COLUMNS} FROM batch WHERE batch_no = $1", batch_no)  # noqa: S608  (our columns)
    return _batch(rows[0]) if rows else None


async def codes_of(tx: ReadTx, numbers: Sequence[int]) -> Mapping[int, str]:
    """Sources of batches by number; rosters are left out."""
    rows = await tx.fetch(
        "SELECT batch_no, code FROM batch WHERE batch_no = ANY($1::bigint[]) AND kind <> 'roster'", list(numbers)
    )
    return {row["batch_no"]: row["code"] for row in rows}


async def files_of(tx: ReadTx, numbers: Sequence[int]) -> Mapping[int, tuple[UUID, str]]:
    """Public id and file name of batches by number."""
    rows = await tx.fetch(
        "SELECT batch_no, batch_id, filename FROM batch WHERE batch_no = ANY($1::bigint[])", list(numbers)
    )
    return {row["batch_no"]: (row["batch_id"], row["filename"]) for row in rows}


def _batch(row: Mapping[str, Any]) -> Batch:
    return Batch(**{**row, "counts": orjson.loads(str(row["counts"]))})


async def lock_source(tx: WriteTx, code: str) -> None:
    """Hold a source until the end of the transaction: two batches at once could both accept the same key."""
    await tx.wait_for_lock(f"evidence:{code}")


async def lock_batch(tx: WriteTx, batch: Batch) -> Batch:
    """The batch as it is now, held against another process taking the same file, and its source held too.

    Raises:
        ForgottenError: another process has just forgotten it.
    """
    await lock_source(tx, batch.code)
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM batch WHERE batch_no = $1 FOR UPDATE",  # noqa: S608  (our columns)
        batch.batch_no,
    )
    if not rows:
        detail = "The same file was refused at the same time; see that answer, mend the file and send it again."
        raise ForgottenError(detail)
    return _batch(rows[0])


async def save_progress(tx: WriteTx, batch: Batch) -> None:
    """Keep counts and chunks of a batch."""
    await tx.run(
        "UPDATE batch SET chunks_done = $2, counts = $3::text::jsonb, latency_days = $4 WHERE batch_no = $1",
        batch.batch_no,
        batch.chunks_done,
        orjson.dumps(batch.counts).decode(),
        batch.latency_days,
    )


async def save_status(tx: WriteTx, batch: Batch) -> None:
    """Keep status and end of a batch."""
    await tx.run(
        "UPDATE batch SET status = $2, completed_at = $3 WHERE batch_no = $1",
        batch.batch_no,
        batch.status,
        batch.completed_at,
    )


async def delete_untouched(tx: WriteTx, batch: Batch) -> bool:
    """Forget a batch of which nothing was kept; True when no other one needs the file either.

    Drop it before the transaction ends: until then nobody begins a batch of the same file.
    """
    await lock_file(tx, batch)
    tag = await tx.run(
        "DELETE FROM batch WHERE batch_no = $1 AND chunks_done = 0 AND status = 'taking'", batch.batch_no
    )
    others = await tx.fetch(
        "SELECT FROM batch WHERE kind <> 'event' AND raw_kept AND sha256 LIKE $1 || '%' LIMIT 1",
        batch.sha256.split(".")[0],
    )
    return tag.endswith("1") and not others


async def withdraw_older_held(tx: WriteTx, batch: Batch, *, at: datetime) -> None:
    """Give up held rosters that a newer one has overtaken."""
    await tx.run(
        "UPDATE batch SET status = 'withdrawn', completed_at = $4 "
        "WHERE kind = $1 AND code = $2 AND status = 'held' AND batch_no < $3",
        batch.kind,
        batch.code,
        batch.batch_no,
        at,
    )


async def save_quarantine(tx: WriteTx, batch: Batch, chunk_no: int, rows: int, body: bytes | None) -> None:
    """Keep which rows were not taken and why: an encoded table of numbers and reasons, no values."""
    if body is not None:
        await tx.run(
            "INSERT INTO quarantine_segment (batch_no, chunk_no, rows, body) VALUES ($1, $2, $3, $4)",
            batch.batch_no,
            chunk_no,
            rows,
            body,
        )


async def delete_quarantine(tx: WriteTx, batch: Batch) -> None:
    """Forget the reasons of a batch that is judged anew."""
    await tx.run("DELETE FROM quarantine_segment WHERE batch_no = $1", batch.batch_no)


async def quarantine_of(tx: ReadTx, batch_no: int) -> pa.Table:
    """Numbers and reasons of all rows not taken, in order."""
    rows = await tx.fetch("SELECT body FROM quarantine_segment WHERE batch_no = $1 ORDER BY chunk_no", batch_no)
    tables = [arrow.decode(row["body"]).cast(_QUARANTINE) for row in rows]
    return pa.concat_tables(tables) if tables else _QUARANTINE.empty_table()


async def list_quarantine(tx: ReadTx, batch_no: int, *, after: int, limit: int) -> list[tuple[int, str]]:
    """Row numbers behind `after` and their reasons, in order."""
    found: list[tuple[int, str]] = []
    rows = await tx.fetch("SELECT body FROM quarantine_segment WHERE batch_no = $1 ORDER BY chunk_no", batch_no)
    for row in rows:
        table = arrow.decode(row["body"])
        numbers, reasons = table.column("row_no").to_numpy(), table.column("reason").to_pylist()
        found += [(int(numbers[at]), reasons[at]) for at in np.flatnonzero(numbers > after)[: limit - len(found)]]
        if len(found) >= limit:
            break
    return found


async def count_batches(tx: ReadTx) -> Mapping[str, int]:
    """Rows by verdict over all batches, and how many batches there are."""
    rows = await tx.fetch(
        "SELECT key, sum(value::bigint)::bigint AS n FROM batch, jsonb_each_text(counts) "
        "WHERE kind <> 'roster' AND status IN ('taking', 'completed') GROUP BY key"
    )
    batches = await tx.fetch("SELECT count(*) AS n FROM batch")
    return {"batches": batches[0]["n"], **{row["key"]: row["n"] for row in rows}}
