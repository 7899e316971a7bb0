"""Messages said → heard, through outbox, relay, JetStream and inbox, beside the bare client publishing the same bodies."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import uuid4

import numpy as np
import pyarrow as pa
from nats import connect
from nats.js import JetStreamContext, api

from shared.contracts.events import EVENTS, EVIDENCE_ACCEPTED
from shared.contracts.vocabulary import SHARDS
from shared.kit import arrow
from shared.kit.bus import Bus, Consumers, Message, Subscription
from shared.kit.clock import FixedClock
from shared.kit.db import Database, WriteTx
from shared.kit.outbox import Outbox, Relay
from tests.bench.figures import Figure, figure, in_turn

LARGE_ROWS, LARGE_MESSAGES = 20_000, 160
SMALL_ROWS, SMALL_MESSAGES = 100, 3200
_WINDOW = 16
_ATTRIBUTES = {"source": "s", "department": "d", "strength": "weak", "received_at": "2023-11-01T00:00:00+00:00"}
_MOST_SECONDS = 300.0
_SHARDED = replace(EVIDENCE_ACCEPTED, undivided=0)


def _table(rows: int, seed: int) -> pa.Table:
    """So many rows in each of the sixteen shards."""
    chance = np.random.default_rng(seed)
    subjects = chance.integers(0, 256, (rows * len(SHARDS), 16), dtype=np.uint8)
    subjects[:, 0] = (subjects[:, 0] & 0x0F) | (np.repeat(np.arange(len(SHARDS)), rows) << 4).astype(np.uint8)
    count = len(subjects)
    words = {"kind": "seen", "polarity": "positive", "identity": "full"}
    return pa.table(
        {
            "subject": arrow.subject_array(subjects),
            "occurred_on": pa.array(chance.integers(19_298, 19_662, count).astype(np.int32), pa.date32()),
            **{name: pa.DictionaryArray.from_arrays(np.zeros(count, np.int8), [word]) for name, word in words.items()},
            "evidence_id": pa.array(np.arange(count, dtype=np.int64)),
        }
    )


class _Ear:
    """Reads each message, as a handler must, and tells when the last has come."""

    def __init__(self) -> None:
        self.left = 0
        self.rows = 0
        self.done = asyncio.Event()

    async def on_evidence(self, _tx: WriteTx, message: Message) -> None:
        self.rows += message.table().num_rows

    def after(self, _message: Message) -> None:
        self.left -= 1
        if not self.left:
            self.done.set()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """Everything between saying and hearing, running."""

    said_by: Database
    heard_by: Database
    outbox: Outbox
    ear: _Ear
    raw: JetStreamContext


@asynccontextmanager
async def _line(ingest: Database, scoring: Database, nats_url: str) -> AsyncIterator[_Line]:
    bus = Bus(nats_url, name="bench")
    await bus.connect()
    await bus.reconcile_streams(EVENTS, replicas=1)
    client = await connect(nats_url)
    raw = client.jetstream(timeout=30)
    await raw.add_stream(
        api.StreamConfig(name="BENCH", subjects=["bench.>"], storage=api.StorageType.FILE, max_bytes=4 << 30,
                         max_msg_size=1 << 20, duplicate_window=1800)
    )  # fmt: skip
    ear = _Ear()
    outbox = Outbox("ingest", FixedClock(datetime(2023, 11, 1, tzinfo=UTC)), asyncio.Event())
    listening = Subscription(event=EVIDENCE_ACCEPTED, handler=ear.on_evidence, after=ear.after, together=32)
    consumers = Consumers(service="bench", bus=bus, database=scoring, subscriptions=[listening])
    await consumers.start()
    relay = asyncio.create_task(Relay(ingest, bus, outbox.wake).run())
    try:
        yield _Line(said_by=ingest, heard_by=scoring, outbox=outbox, ear=ear, raw=raw)
    finally:
        relay.cancel()
        await asyncio.gather(relay, return_exceptions=True)
        await consumers.stop()
        await raw.delete_stream("BENCH")
        await client.close()
        await bus.close()


async def _say_and_hear(line: _Line, tables: Sequence[pa.Table]) -> float:
    """Messages a second from the first word to the last commit of the hearer."""
    ear = line.ear
    ear.left, ear.rows = len(tables) * len(SHARDS), 0
    ear.done.clear()
    count, started = ear.left, time.perf_counter()
    for table in tables:
        async with line.said_by.write() as tx:
            await line.outbox.say_table(tx, _SHARDED, table, _ATTRIBUTES)
    async with asyncio.timeout(_MOST_SECONDS):
        await ear.done.wait()
    seconds = time.perf_counter() - started
    assert ear.rows == sum(table.num_rows for table in tables)
    for database, name in ((line.said_by, "outbox"), (line.heard_by, "inbox")):
        async with database.write() as tx:
            await tx.run(f"TRUNCATE {name}")
    return count / seconds


async def _publish(line: _Line, bodies: Sequence[tuple[str, bytes]]) -> float:
    """Messages a second by the bare client, sixteen unacknowledged at a time."""
    waiting: Iterator[tuple[str, bytes]] = iter(bodies)

    async def go_on() -> None:
        for shard, body in waiting:
            await line.raw.publish(f"bench.{shard}", body, headers={"Nats-Msg-Id": str(uuid4())})

    started = time.perf_counter()
    await asyncio.gather(*(go_on() for _ in range(_WINDOW)))
    return len(bodies) / (time.perf_counter() - started)


async def measure(
    ingest: Database, scoring: Database, nats_url: str, *, scale: float = 1.0, times: int = 3
) -> list[Figure]:
    """Large and small table messages, on migrated, empty schemas of both services."""
    figures = []
    async with _line(ingest, scoring, nats_url) as line:
        for rows, messages in ((LARGE_ROWS, LARGE_MESSAGES), (SMALL_ROWS, SMALL_MESSAGES)):
            tables = [_table(rows, seed) for seed in range(max(int(messages * scale) // len(SHARDS), 1))]
            bodies = [(shard, body) for table in tables for shard, _, body in
                      arrow.split(arrow.conform(EVIDENCE_ACCEPTED, table, _ATTRIBUTES))]  # fmt: skip
            size = sum(len(body) for _, body in bodies) / len(bodies) / 1024
            mine, theirs = await in_turn(
                lambda tables=tables: _say_and_hear(line, tables),  # type: ignore[misc]
                lambda bodies=bodies: _publish(line, bodies),  # type: ignore[misc]
                times,
            )
            note = (
                f"nats-py publishing the same bodies ({size:,.1f} KiB), {_WINDOW} unacknowledged at a time, to nobody who "
                "listens. Ours encodes, writes the outbox, relays, hears, decodes and writes the inbox, all in one process"
            )
            figures.append(
                figure(f"table messages of {rows:,} rows, said to heard", "messages/s", mine, theirs, note=note)
            )
            figures.append(
                figure(f"rows in messages of {rows:,}, said to heard", "rows/s", [each * rows for each in mine],
                       [each * rows for each in theirs], note="the same runs")
            )  # fmt: skip
    return figures
