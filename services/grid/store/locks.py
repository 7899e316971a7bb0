"""Who waits for whom: messages about one shard's people one after another, imports after all of them."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from shared.contracts.vocabulary import SHARDS
from shared.kit.db import WriteTx


async def lock_shard(tx: WriteTx, shard: str) -> None:
    """Messages of different streams about the same people come at once; they are taken one after another."""
    await lock_some(tx, [shard])


async def lock_some(tx: WriteTx, shards: Sequence[str]) -> None:
    """The same for several, one after the other as they are given: ascending, or two would wait for each other."""
    await tx.run(
        "SELECT pg_advisory_xact_lock(hashtext('grid:shard'), shard) FROM unnest($1::int[]) AS shard",
        [SHARDS.index(shard) for shard in shards],
    )


async def lock_shards(tx: WriteTx) -> None:
    """Wait for every message under way, so that what they opened can be given to new grids."""
    await lock_some(tx, SHARDS)


async def lock_people(tx: WriteTx, subjects: Iterable[UUID]) -> None:
    """Wait for the messages about these people, shard by shard in one order."""
    await lock_some(tx, sorted({subject.hex[0] for subject in subjects}))
