"""How work on a connection ends when its caller is cancelled or its server is gone."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

import asyncpg

T = TypeVar("T")


async def to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Finish `work` even when the caller is cancelled: a half-done COMMIT would poison the pooled connection."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


async def or_given_up(driver: asyncpg.Connection, work: Coroutine[Any, Any, T]) -> T:
    """Do `work`, or give up the connection: who is cancelled during BEGIN cannot know whether the server has begun.

    Back in the pool, the next transaction on it would be a savepoint of one that nobody ever commits.
    """
    try:
        return await work
    except asyncio.CancelledError:
        driver.terminate()
        raise


async def quietly(work: Coroutine[Any, Any, object]) -> None:
    """Run something a dead connection has done by itself."""
    with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        await work
