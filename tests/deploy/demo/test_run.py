"""The demo on servers of somebody else: it empties a database of its own and no other; and it leaves no process behind."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from io import StringIO
from pathlib import Path

import asyncpg
import pytest
from rich.console import Console

from deploy.demo import bars
from deploy.demo.run import DATABASE, DemoOptions, database_of, opened, stack_options
from deploy.local.database import parse_url
from deploy.local.errors import DemoNatsError, StackError
from deploy.local.stack import LocalStack
from tests.support.servers import servers_alone

OTHERS = {"WUGAN_DATABASE_URL": "postgresql://a:b@h/wugan?sslmode=require", "WUGAN_NATS_URL": "nats://h"}


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def keep_a_table(url: str) -> None:
    """As a city's own platform would."""
    async with connected(url) as city:
        await city.execute("CREATE SCHEMA IF NOT EXISTS ingest")
        await city.execute("CREATE TABLE ingest.kept AS SELECT 1 AS n")


def running_in(folder: Path) -> list[str]:
    """Command lines that name a folder."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # ended meanwhile
            found.append(file.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return [each for each in found if str(folder) in each]


@pytest.mark.db
async def test_a_demo_on_somebody_elses_server_empties_its_own_database_and_no_other(tmp_path, monkeypatch):
    async with LocalStack(servers_alone(tmp_path / "theirs", nats=False)) as theirs:
        city = theirs.database_url()
        assert city.endswith("/wugan")
        monkeypatch.setenv("WUGAN_DATABASE_URL", city)
        monkeypatch.delenv("WUGAN_NATS_URL", raising=False)
        role, demos = theirs.database_url("ingest"), parse_url(city)[0].url(DATABASE)
        await keep_a_table(city)
        options = DemoOptions(data=tmp_path / "demo", port_base=0, durable=False, database_url=database_of(os.environ))
        servers_only = replace(
            stack_options(options), services=(), gateway=False, sandbox=False, min_free_bytes=256 * 2**20
        )
        for _ in range(2):
            async with LocalStack(servers_only) as stack:
                assert stack.database_url() == demos
                assert set(stack.children) == {"nats"}
                async with connected(stack.database_url("ingest")) as demo:
                    # Empty each time, whatever the demo before has left.
                    assert await demo.fetchval("SELECT to_regclass('ingest.kept') IS NULL")
                await keep_a_table(demos)
        async with connected(city) as kept:
            assert await kept.fetchval("SELECT n FROM ingest.kept") == 1
        async with connected(role) as still:
            assert await still.fetchval("SELECT current_user") == "wugan_ingest"


def test_a_demo_nobody_gave_servers_starts_its_own_whatever_the_environment_names(tmp_path, monkeypatch):
    for name, value in OTHERS.items():
        monkeypatch.setenv(name, value)
    options = stack_options(DemoOptions(data=tmp_path))
    assert options.own_postgres
    assert options.own_nats
    assert options.fresh


def test_the_environment_names_a_server_for_the_demo_but_never_its_database():
    assert database_of({}) is None
    assert database_of({"WUGAN_DATABASE_URL": "", "WUGAN_NATS_URL": ""}) is None
    told = {"WUGAN_DATABASE_URL": OTHERS["WUGAN_DATABASE_URL"]}
    assert database_of(told) == "postgresql://a:b@h:5432/wugan_demo?sslmode=require"


def test_a_demo_refuses_a_nats_it_cannot_start_anew():
    with pytest.raises(DemoNatsError, match="unset WUGAN_NATS_URL"):
        database_of(OTHERS)


async def test_a_stack_that_does_not_start_leaves_nobody_making_a_city(tmp_path):
    options = DemoOptions(data=tmp_path, scale=0.2, port_base=0, database_url="postgresql://nobody@127.0.0.1:1/nothing")
    with pytest.raises(StackError):
        async with opened(options, Console(quiet=True)):
            pytest.fail("there is no such server")
    assert not running_in(tmp_path)


def test_bars_are_drawn_on_a_terminal_with_and_without_an_end_and_a_rate():
    terminal = StringIO()
    progress = bars.bars(Console(force_terminal=True, width=160, file=terminal))
    with progress:
        bars.begin(progress, "rosters", 31)
        task = bars.begin(progress, "files", None)
        progress.refresh()
        progress.update(task, rate="12,345 rows/s")
        progress.refresh()
    assert "0/31" in terminal.getvalue()
    assert "12,345 rows/s" in terminal.getvalue()
