"""People whom a program lists at two places: enrolled where it began first, and the second listing said."""

import asyncio
from uuid import UUID

import asyncpg
import polars as pl
import pyarrow as pa

from services.ingest.store import places
from services.ingest.store.batches import Batch
from services.ingest.usecases.hashing import Keys
from shared.contracts.events import ENROLMENTS_CHANGED, SECOND_PLACES_CHANGED
from shared.contracts.vocabulary import EnrolmentChange
from shared.kit import arrow
from shared.kit.db import WriteTx
from shared.kit.outbox import Outbox

_SECOND = {
    "subject": pa.binary(16), "change": pa.string(), "division": pa.string(), "amount_fen": pa.int64(),
    "started_on": pa.date32(),
}  # fmt: skip
_ENROLMENT = {
    "subject": pa.binary(16), "amount_fen": pa.int64(), "division": pa.string(), "group_no": pa.int16(),
    "household": pa.binary(16), "sex": pa.string(), "born_on": pa.date32(), "started_on": pa.date32(),
    "ended_on": pa.date32(), "due_on": pa.date32(),
}  # fmt: skip


def attributes_of(batch: Batch, program: str) -> dict[str, str]:
    """What is said with every table of a roster."""
    return {"program": program, "department": batch.department, "received_at": batch.received_at.isoformat()}


async def stage_leaving(tx: WriteTx, keys: Keys, program: str, leaving: pl.DataFrame, *, full: bool) -> None:
    """Stage which enrolments rows say have ended or will; columns as a judged roster has them."""
    subjects = await asyncio.to_thread(keys.subject.many, leaving["number"].to_list())
    told = (
        leaving.select(pl.col("row_no").cast(pl.Int32), "county", "division", "started_on", "ended_on", "ahead")
        .to_arrow()
        .append_column("subject", arrow.subject_array(subjects))
    )
    await places.stage_leaving(tx, program, told, full=full)


async def set_apart(tx: WriteTx, keys: Keys, program: str, second: pl.DataFrame, *, full: bool) -> None:
    """Stage second listings; a delta says nothing of the places it does not name, so no row of it moves an enrolment.

    Args:
        tx: the transaction, in which the roster is staged.
        keys: pseudonyms.
        program: whose roster.
        second: second listings within the roster, `number`, division, amount_fen, started_on, ends_on.
        full: the roster names everybody: what it does not say is not so any more.
    """
    elsewhere = second.select("division", "amount_fen", "started_on", "ends_on").to_arrow()
    subjects = await asyncio.to_thread(keys.subject.many, second["number"].to_list())
    await places.stage_elsewhere(tx, elsewhere.append_column("subject", arrow.subject_array(subjects)))
    if not full:
        await places.set_apart(tx, program)


async def save(
    tx: WriteTx, outbox: Outbox, batch: Batch, program: str, *, full: bool = False, says_ends: bool = False
) -> int:
    """Keep and say what second listings there are now; how many of them have become the enrolment.

    Args:
        tx: the transaction, in which they are staged.
        outbox: says them.
        batch: the roster.
        program: whose roster.
        full: it names everybody.
        says_ends: it has a column of ends; else those that are kept stay.
    """
    attributes = attributes_of(batch, program)
    moved = await places.move_to_second(tx, program, batch.batch_no)
    if moved:
        change = pa.array([str(EnrolmentChange.CHANGED)] * len(moved), pa.string())
        said = _table(moved, _ENROLMENT).append_column("change", change)
        await outbox.say_table(tx, ENROLMENTS_CHANGED, said, attributes)
    changed = await places.save_second(tx, program, batch.batch_no, full=full, says_ends=says_ends)
    if changed:
        await outbox.say_table(tx, SECOND_PLACES_CHANGED, _table(changed, _SECOND), attributes)
    return len(moved)


def _table(rows: list[asyncpg.Record], shape: dict[str, pa.DataType]) -> pa.Table:
    return pa.table({name: pa.array([_plain(row[name]) for row in rows], kind) for name, kind in shape.items()})


def _plain(value: object) -> object:
    return value.bytes if isinstance(value, UUID) else value
