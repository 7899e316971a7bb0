"""Saying things: outbox rows written with the change they tell of, and the relay that publishes them.

A crash between commit and publish loses nothing (the row is still unpublished) and doubles nothing
(the same message id is sent again, and receivers keep an inbox).
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

import asyncpg
import orjson
import pyarrow as pa
import sqlalchemy as sa
import structlog
import uuid_utils.compat as uuids
from sqlalchemy.dialects import postgresql as pg

from shared.contracts.events import Fact, FactEvent, TableEvent
from shared.kit import arrow, trace
from shared.kit.clock import Clock, wall
from shared.kit.db import Database, WriteTx, driver_of
from shared.kit.db_errors import is_operational
from shared.kit.problems import UnavailableError
from shared.kit.telemetry import OUTBOX_OLDEST, OUTBOX_PENDING, OUTBOX_PUBLISHED
from shared.kit.waking import woken

log = structlog.get_logger(__name__)

JSON_TYPE = "application/json"
ARROW_TYPE = "application/vnd.apache.arrow.stream"
_BATCH = 64  # rows read at once: at most 64 x 900 KiB in memory


def outbox_table(metadata: sa.MetaData) -> sa.Table:
    """The outbox of one service; partitioned by month so that old rows are dropped, not deleted."""
    return sa.Table(
        "outbox",
        metadata,
        sa.Column("seq", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), primary_key=True),
        sa.Column("id", pg.UUID(as_uuid=True), nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("headers", pg.JSONB, nullable=False),
        sa.Column("body", pg.BYTEA, nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True)),
        sa.Index("ix_outbox_pending", "seq", postgresql_where=sa.text("published_at IS NULL")),
        postgresql_partition_by="RANGE (created_at)",
    )


@dataclass(frozen=True, slots=True)
class Outbox:
    """What a service says its facts with.

    Attributes:
        service: name of the service, part of `ce-source`.
        clock: business time of the facts.
        wake: set after each commit that said something, so that the relay does not wait for its next look.
    """

    service: str
    clock: Clock
    wake: asyncio.Event

    async def say(self, tx: WriteTx, event: FactEvent, fact: Fact, *, event_id: UUID | None = None) -> UUID:
        """Say one fact in the transaction that made it true. Returns the event id."""
        if not isinstance(fact, event.model):
            msg = f"{event.name} carries {event.model.__name__}"
            raise TypeError(msg)
        chosen = event_id or uuids.uuid7()
        body = fact.model_dump_json().encode()
        if len(body) > arrow.MAX_BYTES:
            # The broker would refuse it for ever, and everything behind it would wait.
            msg = f"{event.name} is {len(body)} bytes, more than a message may have"
            raise ValueError(msg)
        await self._insert(tx, [(chosen, event.name, self._headers(event.name, chosen, JSON_TYPE), body)])
        return chosen

    async def say_table(
        self,
        tx: WriteTx,
        event: TableEvent,
        table: pa.Table,
        attributes: Mapping[str, str] | None = None,
        *,
        at: datetime | None = None,
    ) -> int:
        """Say the rows of `table`, cut by size and, unless few, by shard, in the transaction that made them true.

        Args:
            tx: the transaction.
            event: the declared event.
            table: at least the columns of `event`, in any order; rows keep their order within a shard.
            attributes: values of the whole table.
            at: when it became true; the clock's instant without.

        Returns:
            Number of messages.

        Raises:
            TableShapeError: columns or attributes are missing.
        """
        if table.num_rows == 0:
            return 0
        shaped = arrow.conform(event, table, attributes or {})
        rows = []
        for shard, _, body in arrow.split(shaped, event.undivided):
            subject, chosen = f"{event.name}.{shard}", uuids.uuid7()
            rows.append((chosen, subject, self._headers(event.name, chosen, ARROW_TYPE, at), body))
        await self._insert(tx, rows)
        return len(rows)

    def _headers(self, name: str, event_id: UUID, content_type: str, at: datetime | None = None) -> dict[str, str]:
        headers = {
            "ce-specversion": "1.0",
            "ce-id": str(event_id),
            "ce-type": name,
            "ce-source": f"/wugan/{self.service}",
            "ce-time": (at or self.clock.now()).isoformat(),
            "content-type": content_type,
        }
        context = trace.current()
        return headers | {trace.HEADER: context} if context else headers

    async def _insert(self, tx: WriteTx, rows: Sequence[tuple[UUID, str, dict[str, str], bytes]]) -> None:
        driver = await tx.driver()
        await driver.executemany(
            "INSERT INTO outbox (id, subject, headers, body) VALUES ($1, $2, $3::text::jsonb, $4)",
            [(one, subject, orjson.dumps(headers).decode(), body) for one, subject, headers, body in rows],
        )
        self._wake_after(tx)

    def _wake_after(self, tx: WriteTx) -> None:
        if self.wake.set not in tx.after_commit:
            tx.after_commit.append(self.wake.set)


class Publisher(Protocol):
    """The part of the bus a relay needs."""

    async def publish(self, subject: str, body: bytes, headers: Mapping[str, str], *, message_id: str) -> None:
        """Publish and wait for the broker's acknowledgement, with retries."""
        ...


class Relay:
    """Publishes outbox rows in the order of their subject; one relay a service at a time, by an advisory lock."""

    def __init__(self, database: Database, publisher: Publisher, wake: asyncio.Event) -> None:
        self._database = database
        self._publisher = publisher
        self._wake = wake

    async def run(self) -> None:
        """Relay until cancelled; database or broker trouble is waited out."""
        while True:
            try:
                await self._lead()
            except asyncio.CancelledError:
                raise
            except Exception as error:
                if is_operational(error):
                    log.warning("relay_waits", reason=type(error).__name__)
                else:
                    log.exception("relay_failed")
            await asyncio.sleep(1.0)

    async def _lead(self) -> None:
        """Hold the lock on a connection of its own and publish; return when another process holds it."""
        async with self._database.engine.connect() as connection:
            key = sa.func.hashtext(f"relay:{self._database.schema}")
            if not (await connection.execute(sa.select(sa.func.pg_try_advisory_lock(key)))).scalar():
                # Another process leads and tells how much waits; what this one saw when it led is over.
                OUTBOX_PENDING.set(0)
                OUTBOX_OLDEST.set(0)
                return
            raw = await driver_of(connection)
            try:
                while True:
                    self._wake.clear()
                    # Fewer than asked for are all there were; who commits more meanwhile wakes.
                    while await self._publish_some(raw) == _BATCH:
                        pass
                    await woken(self._wake, 0.5)
            finally:
                # A dead connection has lost the lock by itself.
                if not raw.is_closed():
                    await connection.execute(sa.select(sa.func.pg_advisory_unlock(key)))

    async def drain(self) -> int:
        """Publish what is pending now, once, in the caller's task; for commands and tests. Returns the number."""
        count = 0
        async with self._database.engine.connect() as connection:
            raw = await driver_of(connection)
            while published := await self._publish_some(raw):
                count += published
        return count

    async def _publish_some(self, connection: asyncpg.Connection) -> int:
        rows = await connection.fetch(
            "SELECT seq, created_at, id, subject, headers::text AS headers, body FROM outbox "
            "WHERE published_at IS NULL ORDER BY seq LIMIT $1",
            _BATCH,
        )
        if len(rows) < _BATCH:
            OUTBOX_PENDING.set(len(rows))
        else:
            OUTBOX_PENDING.set(await connection.fetchval("SELECT count(*) FROM outbox WHERE published_at IS NULL"))
        OUTBOX_OLDEST.set(max(0.0, wall() - rows[0]["created_at"].timestamp()) if rows else 0.0)
        if not rows:
            return 0
        lanes: dict[str, list[asyncpg.Record]] = defaultdict(list)
        for row in rows:
            lanes[row["subject"]].append(row)
        # One subject keeps its order; different subjects wait for the broker's fsync together.
        ends = await asyncio.gather(*(self._publish_lane(lane) for lane in lanes.values()))
        done = [row for published, _ in ends for row in published]
        await connection.execute(
            "UPDATE outbox SET published_at = now() WHERE published_at IS NULL "
            "AND seq = ANY($1::bigint[]) AND created_at = ANY($2::timestamptz[])",
            [row["seq"] for row in done],
            list({row["created_at"] for row in done}),
        )
        OUTBOX_PUBLISHED.inc(len(done))
        for _, trouble in ends:
            if trouble is not None:
                raise trouble
        return len(done)

    async def _publish_lane(
        self, rows: Sequence[asyncpg.Record]
    ) -> tuple[Sequence[asyncpg.Record], UnavailableError | None]:
        """The rows that were published, in their order, and what stopped the rest."""
        for place, row in enumerate(rows):
            try:
                await self._publish(row)
            except UnavailableError as error:
                return rows[:place], error
        return rows, None

    async def _publish(self, row: asyncpg.Record) -> None:
        headers, subject, message_id = orjson.loads(row["headers"]), row["subject"], str(row["id"])
        if not trace.recorded():
            await self._publisher.publish(subject, row["body"], headers, message_id=message_id)
            return
        about: trace.Attributes = {"messaging.system": "nats", "messaging.message.id": message_id}
        with trace.span(f"publish {subject}", parent=headers.get(trace.HEADER), kind="producer", attributes=about):
            headers[trace.HEADER] = trace.current()
            await self._publisher.publish(subject, row["body"], headers, message_id=message_id)
