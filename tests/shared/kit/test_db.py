"""What a dying or a busy server does to whoever asks it."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from functools import partial

import asyncpg
import pytest
import sqlalchemy as sa

from shared.kit.db import Database
from shared.kit.problems import UnavailableError

pytestmark = pytest.mark.db


async def test_a_driver_left_between_two_states_costs_one_answer_and_is_never_used_again(database):
    broken = []
    with pytest.raises(UnavailableError, match="try again shortly"):
        async with database.read() as tx:
            broken.append(tx._driver)
            msg = "cannot switch to state 12; another operation (2) is in progress"
            raise asyncpg.InternalClientError(msg)
    assert broken[0].is_closed()
    for _ in range(3):
        async with database.read() as tx:
            assert tx._driver is not broken[0]
            assert (await tx.fetch("SELECT 1 AS one"))[0]["one"] == 1


async def test_a_server_that_is_not_there_is_unavailable_not_a_fault_of_ours(unused_tcp_port):
    database = Database(f"postgresql://somebody:secret@127.0.0.1:{unused_tcp_port}/wugan", schema="kit")
    with pytest.raises(UnavailableError, match="does not answer"):
        async with database.write():
            pass
    with pytest.raises(UnavailableError, match="does not answer"):
        await database.at_once("SELECT 1")
    await database.close()


async def test_a_table_changed_under_a_prepared_statement_costs_a_reader_nothing_and_a_writer_one_try(
    database, service_databases
):
    one = Database(service_databases.url(), schema="kit", pool_size=1)
    asked = "SELECT * FROM kit.changing"

    async def change(kind: str) -> None:
        async with database.write() as tx:
            await tx.run(f"ALTER TABLE kit.changing ALTER COLUMN number TYPE {kind}")

    async with database.write() as tx:
        await tx.run("CREATE TABLE kit.changing (number int)")
        await tx.run("INSERT INTO kit.changing VALUES (1)")
    async with one.read() as tx:
        await tx.fetch(asked)
    await change("bigint")
    async with one.read() as tx:
        assert [row["number"] for row in await tx.fetch(asked)] == [1]
        assert (await tx.fetch("SHOW transaction_read_only"))[0][0] == "on"
        assert (await tx.fetch("SHOW transaction_isolation"))[0][0] == "repeatable read"
    await one.at_once(asked)
    await change("int")
    assert len(await one.at_once(asked)) == 1
    async with one.read() as tx:
        await tx.fetch(asked)
    await change("bigint")
    with pytest.raises(UnavailableError, match="changed a moment ago"):
        async with one.write() as tx:
            await tx.run("INSERT INTO kit.changing VALUES (2)")
            await tx.fetch(asked)
    async with one.write() as tx:
        assert len(await tx.fetch(asked)) == 1
    await one.close()


@pytest.mark.parametrize("first", ["fetch", "execute", "driver"])
async def test_a_reader_that_has_read_is_never_moved_to_another_moment(database, service_databases, first):
    one = Database(service_databases.url(), schema="kit", pool_size=1)
    asked = "SELECT * FROM kit.moving"
    async with database.write() as tx:
        await tx.run("CREATE TABLE kit.moving (number int)")
    async with one.read() as tx:
        await tx.fetch(asked)
    with pytest.raises(UnavailableError, match="changed a moment ago"):
        async with one.read() as tx:
            count = "SELECT count(*) FROM kit.outbox"
            ways: dict[str, Callable[[], Awaitable[object]]] = {
                "fetch": partial(tx.fetch, count),
                "execute": partial(tx.all, sa.text(count)),
                "driver": tx.driver,
            }
            await ways[first]()
            async with database.write() as other:
                await other.run("ALTER TABLE kit.moving ALTER COLUMN number TYPE bigint")
            await tx.fetch(asked)
    async with one.read() as tx:
        assert await tx.fetch(asked) == []
    await one.close()


async def test_what_is_written_between_two_statements_of_a_reader_is_seen_by_both_or_by_none(database):
    async with database.write() as tx:
        await tx.run("CREATE TABLE kit.run (state text)")
        await tx.run("CREATE TABLE kit.job (state text)")
    async with database.read() as reader:
        assert not await reader.fetch("SELECT state FROM kit.job")
        async with database.write() as tx:
            await tx.run("INSERT INTO kit.job VALUES ('succeeded')")
            await tx.run("INSERT INTO kit.run VALUES ('advised')")
        assert not await reader.fetch("SELECT state FROM kit.run"), "a pay list would be advised and have no result"
    async with database.read() as reader:
        assert await reader.fetch("SELECT state FROM kit.run")


async def test_a_lock_is_waited_for_longer_than_a_statement_may_take(database, service_databases):
    hasty = Database(service_databases.url(), schema="kit", statement_seconds=0.4)
    waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"

    async def wait() -> str:
        async with hasty.write() as tx:
            await tx.wait_for_lock("vault")
            return str((await tx.fetch("SHOW statement_timeout"))[0]["statement_timeout"])

    async with database.write() as holder:
        await holder.wait_for_lock("vault")
        queued = asyncio.create_task(wait())
        while not await holder.fetch(waiting):
            await asyncio.sleep(0)
        await holder.run("SELECT pg_sleep(1.2)")  # three times what a statement of the other may take
        assert not queued.done()
    assert await queued == "400ms", "what comes after the lock is work, and limited again"
    with pytest.raises(asyncpg.QueryCanceledError):
        async with hasty.read() as tx:
            await tx.fetch("SELECT pg_sleep(60)")
    await hasty.close()


@pytest.mark.parametrize("kind", ["read", "write", "holding"])
async def test_who_is_cancelled_while_beginning_leaves_nothing_open_for_the_next(database, service_databases, kind):
    one = Database(service_databases.url(), schema="kit", pool_size=1)
    async with database.write() as tx:
        await tx.run("CREATE TABLE kit.kept (tick int)")
    begin = {"read": one.read, "write": one.write, "holding": lambda: one.holding("name")}[kind]

    async def stay() -> None:
        async with begin():
            await asyncio.sleep(60)

    ticks = range(40)
    for tick in ticks:
        task = asyncio.create_task(stay())
        for _ in range(tick):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await one.ping()  # a service is ready although the pool holds a dead connection
        async with one.write() as tx:
            await tx.run("INSERT INTO kit.kept VALUES ($1)", tick)
        async with database.holding("name") as held:
            assert held, "the lock of somebody cancelled was never let go"
    async with database.read() as tx:
        assert [row["tick"] for row in await tx.fetch("SELECT tick FROM kit.kept ORDER BY tick")] == [*ticks]
    await one.close()


async def test_what_an_array_is_one_connection_learns_for_all(service_databases):
    both, asked = Database(service_databases.url(), schema="kit", pool_size=2), []
    async with both.read() as first, both.read() as second:
        await first.fetch("SELECT $1::uuid[]", [])
        (await second.driver()).add_query_logger(lambda record: asked.append(record.query))
        rows = await second.fetch("SELECT $1::int2[] AS numbers, $2::text[] AS words", [1, 2], ["a"])
    await both.close()
    assert dict(rows[0]) == {"numbers": [1, 2], "words": ["a"]}
    assert asked
    assert not [question for question in asked if "typeinfo_tree" in question]


async def test_a_host_that_has_vanished_is_noticed_within_a_minute(database):
    async with database.read() as tx:
        peer = tx._driver._transport.get_extra_info("socket")
        assert peer.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        assert peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) <= 60_000
