"""How long the plumbing remembers: outbox rows for a replay, inbox rows for as long as a message may come again."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from shared.kit.db import Database, WriteTx

log = structlog.get_logger(__name__)

_AT_ONCE = 20_000

_OLD_PARTITIONS = """
SELECT c.relname AS name FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'outbox'::regclass AND c.relname ~ '^outbox_\\d{6}$'
  AND to_date(right(c.relname, 6), 'YYYYMM') + interval '1 month' <= $1::date
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """What a round removed: names of outbox partitions, numbers of rows."""

    partitions: tuple[str, ...]
    outbox: int
    inbox: int
    dead_letters: int


async def forget(database: Database, now: datetime, *, outbox_days: int, inbox_days: int) -> Forgotten:
    """Remove what is older than it must be kept; what was never published stays, whatever its age.

    Args:
        database: of one service.
        now: wall time, since these tables are written by it.
        outbox_days: how far back JetStream can be rebuilt from the outbox.
        inbox_days: longer than any stream keeps a message, else one that is delivered late would take effect twice.
    """
    said, heard = now - timedelta(days=outbox_days), now - timedelta(days=inbox_days)
    partitions = await _drop_partitions(database, said)
    outbox = await _delete(database, "outbox_rest", "created_at < $1 AND published_at IS NOT NULL", said)
    inbox = await _delete(database, "inbox", "received_at < $1", heard)
    letters = await _delete(database, "dead_letter", "redriven_at < $1", heard)
    forgotten = Forgotten(partitions=partitions, outbox=outbox, inbox=inbox, dead_letters=letters)
    if partitions or outbox or inbox or letters:
        log.info("forgotten", partitions=list(partitions), outbox=outbox, inbox=inbox, dead_letters=letters)
    return forgotten


async def _drop_partitions(database: Database, before: datetime) -> tuple[str, ...]:
    async with database.read() as tx:
        names = [row["name"] for row in await tx.fetch(_OLD_PARTITIONS, before.date())]
    dropped = []
    for name in names:
        async with database.write() as tx:
            if await _drop(tx, name):
                dropped.append(name)
    return tuple(dropped)


async def _drop(tx: WriteTx, name: str) -> bool:
    await tx.run("SET LOCAL lock_timeout = '2s'")  # whoever says something meanwhile goes first
    if await tx.fetch(f'SELECT FROM "{name}" WHERE published_at IS NULL LIMIT 1'):
        return False
    await tx.run(f'DROP TABLE "{name}"')
    return True


async def _delete(database: Database, table: str, where: str, before: datetime) -> int:
    """In steps, so that no step holds its locks for long."""
    total = 0
    while True:
        async with database.write() as tx:
            tag = await tx.run(
                f"DELETE FROM {table} WHERE ctid = ANY (ARRAY("  # noqa: S608  (our own words)
                f"SELECT ctid FROM {table} WHERE {where} LIMIT {_AT_ONCE} FOR UPDATE SKIP LOCKED))",
                before,
            )
        count = int(tag.rsplit(" ", 1)[-1])
        total += count
        if count < _AT_ONCE:
            return total
