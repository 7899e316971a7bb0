"""What services said in the year, oldest first: their outboxes."""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any

import orjson
import polars as pl

from shared.contracts.events import FactEvent, TableEvent
from shared.kit import arrow
from tests.year.world import World

_BODIES = "SELECT headers->>'ce-time' AS at, body FROM {service}.outbox WHERE subject {like} ORDER BY seq"


async def tables(
    world: World, service: str, event: TableEvent
) -> AsyncIterator[tuple[Mapping[str, str], datetime, pl.DataFrame]]:
    """Table messages of a service: attributes, when they were said, rows."""
    for row in await world.rows(_BODIES.format(service=service, like="LIKE $1 || '.%'"), event.name):
        table = arrow.decode(row["body"])
        metadata = table.schema.metadata or {}
        attributes = {key.decode(): value.decode() for key, value in metadata.items()}
        frame = pl.from_arrow(table)
        assert isinstance(frame, pl.DataFrame)
        yield attributes, datetime.fromisoformat(row["at"]), frame.with_columns(pl.col(pl.Categorical).cast(pl.String))


async def facts(world: World, service: str, event: FactEvent) -> AsyncIterator[tuple[datetime, dict[str, Any]]]:
    """Facts of a service, and when they were said."""
    for row in await world.rows(_BODIES.format(service=service, like="= $1"), event.name):
        yield datetime.fromisoformat(row["at"]), orjson.loads(row["body"])
