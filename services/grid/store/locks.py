"""Who waits for whom: messages about one shard's people one after another, imports after all of them."""

from collections.abc import Iterable
from uuid import UUID

from shared.contracts.vocabulary import SHARDS
from shared.kit.db import WriteTx


async def lock_shard(tx: WriteTx, shard: str | None) -> None:
    """Messages of different streams about the same people come at once; they are taken one after another."""
    await tx.run("SELECT pg_advisory_xact_lock(hashtext('grid:shard'), $1)", SHARDS.index(shard or "0"))


async def lock_shards(tx: WriteTx) -> None:
    """Wait for every message under way, so that what they opened can be given to new grids."""
    for shard in SHARDS:
        await lock_shard(tx, shard)


async def lock_people(tx: WriteTx, subjects: Iterable[UUID]) -> None:
    """Wait for the messages about these people, shard by shard in one order."""
    for shard in sorted({subject.hex[0] for subject in subjects}):
        await lock_shard(tx, shard)
