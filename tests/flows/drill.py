"""A restore drill beside a running city: its backup is brought back in another folder, as on a new machine."""

import asyncio
import contextlib
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import asyncpg
import nats
import polars as pl

from deploy.backup.place import Place
from deploy.backup.taking import follow, origin
from deploy.demo import truth
from deploy.demo.client import Client, client
from deploy.demo.run import SERVICES
from deploy.local.purposes import options_for
from deploy.local.stack import LocalStack


@dataclass(frozen=True)
class Known:
    """What a city knows: its figures, its answer about everybody, and what it sent to the outside."""

    figures: dict[str, Any]
    answers: pl.DataFrame

    @staticmethod
    async def ask(caller: Client, people: pl.DataFrame) -> "Known":
        """Figures first: asking is counted too."""
        figures = {name: await caller.call("GET", name, "/v1/figures") for name in SERVICES}
        answered = await truth.ask(caller, people, told=lambda _n: None)
        return Known(figures, answered.select("citizen_id", "answer").sort("citizen_id"))


@asynccontextmanager
async def following(data: Path, place: Place) -> AsyncIterator[None]:
    """Back up, and archive what happens inside."""
    told: list[str] = []
    work = asyncio.create_task(follow(origin(data), place, told.append))
    async with asyncio.timeout(120):
        while len(told) < 2 and not work.done():
            await asyncio.sleep(0.05)
    assert not work.done()
    yield
    await archived(data)
    work.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await work


async def archived(data: Path) -> None:
    """Wait until everything committed by now is on the archive's disk."""
    connection = await asyncpg.connect(origin(data).server.url("postgres"))
    try:
        position = await connection.fetchval("SELECT pg_current_wal_flush_lsn()")
        async with asyncio.timeout(60):
            while not await connection.fetchval(
                "SELECT bool_or(flush_lsn >= $1::pg_lsn) FROM pg_stat_replication", position
            ):
                await asyncio.sleep(0.05)
    finally:
        await connection.close()


def another_machine(data: Path, folder: Path) -> Path:
    """A folder that holds the city's keys and its clock, and nothing else."""
    folder.mkdir()
    shutil.copytree(data / "secrets", folder / "secrets")
    for name in ("wugan.json", "clock.json"):
        shutil.copy(data / name, folder / name)
    return folder


def sent(data: Path) -> list[tuple[str, str]]:
    """Texts the outside world was sent."""
    with contextlib.closing(sqlite3.connect(data / "sandbox" / "sandbox.sqlite3")) as kept:
        return sorted(kept.execute('SELECT "to", text FROM sms'))


@asynccontextmanager
async def running(data: Path) -> AsyncIterator[tuple[Client, LocalStack]]:
    """The operator of the restored city, once it is quiet, and its stack, started as `wugan up --drill` starts it."""
    options = options_for(data, port_base=0, fresh=False, workers={}, demo=False, drill=True)
    async with LocalStack(replace(options, durable=False)) as stack:
        key = stack.client_key("demo-operator")
        issuer = f"{stack.urls['gateway']}/api/recognition"
        async with client(stack.urls["gateway"], issuer, key.client_id, key.key_file) as caller:
            await caller.quiet(SERVICES, told=lambda _left: None)
            yield caller, stack


async def told_and_held(stack: LocalStack) -> dict[str, tuple[int, int]]:
    """By service, messages its outbox has and messages its stream holds."""
    database, broker = await asyncpg.connect(stack.database_url()), await nats.connect(stack.nats_url())
    try:
        return {
            each: (
                await database.fetchval(f"SELECT count(*) FROM {each}.outbox"),
                (await broker.jetstream().stream_info(each.upper())).state.messages,
            )
            for each in SERVICES
        }
    finally:
        await broker.close()
        await database.close()
