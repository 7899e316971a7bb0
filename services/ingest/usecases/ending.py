"""Enrolments that end: by a roster, or because the day has come that one of its rows had said."""

from dataclasses import replace
from datetime import date, timedelta

import pyarrow as pa

from services.ingest.store import batches, people
from services.ingest.store import places as store
from services.ingest.store.batches import Batch
from services.ingest.usecases import places
from shared.contracts.events import ENROLMENTS_CHANGED
from shared.kit.clock import day_of
from shared.kit.db import WriteTx
from shared.kit.outbox import Outbox


async def end(tx: WriteTx, outbox: Outbox, batch: Batch, program: str, how: people.Ends) -> int:
    """End and say what the staged roster ends; how many enrolments."""
    ended = 0
    async for gone in people.end_enrolments(tx, program, batch.batch_no, how):
        await outbox.say_table(tx, ENROLMENTS_CHANGED, gone, places.attributes_of(batch, program))
        ended += gone.num_rows
    return ended


async def end_due(tx: WriteTx, outbox: Outbox, program: str, today: date) -> int:
    """End what has come to the day its roster had said; how many enrolments.

    However many they are, nobody is asked for a second look: a benefit with a term ends for all who draw it.
    """
    await people.lock_vault(tx)
    last = await batches.last_roster(tx, program)
    if last is None:
        return 0
    # Listeners let what was received later win. It is said as of the last roster and a little later each day, not as
    # of now: one that was received before now and still waits has yet to replace it.
    days = max((today - day_of(last.received_at)).days, 0)
    batch = replace(last, received_at=last.received_at + timedelta(microseconds=1 + days))
    await people.make_stage(tx)
    await people.stage_named(tx, pa.array([], pa.binary(16)))
    await store.stage_due(tx, program, today)
    ended = await end(tx, outbox, batch, program, people.Ends(today=today))
    await places.save(tx, outbox, batch, program)
    return ended
