"""Fixtures of scoring: a database, a clock, and an outbox whose messages can be read back."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from services.scoring.store import signals
from shared.kit.clock import FixedClock
from shared.kit.db import Database
from shared.kit.outbox import Outbox
from tests.services.scoring.world import World


@pytest.fixture
async def world(database_for: Callable[[str], Awaitable[Database]]) -> World:
    database = await database_for("scoring")
    clock = FixedClock(datetime(2023, 11, 1, 4, tzinfo=UTC))
    async with database.write() as tx:
        await signals.ensure_heads(tx)
    return World(database=database, clock=clock, outbox=Outbox("scoring", clock, asyncio.Event()))


@pytest.fixture
async def committing_world(committing_database_for: Callable[[str], Awaitable[Database]]) -> World:
    database = await committing_database_for("scoring")
    clock = FixedClock(datetime(2023, 11, 1, 4, tzinfo=UTC))
    async with database.write() as tx:
        await signals.ensure_heads(tx)
    return World(database=database, clock=clock, outbox=Outbox("scoring", clock, asyncio.Event()))
