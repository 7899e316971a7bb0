"""What passes by itself is waited for, what does not is a try, and nobody is told what nobody knows."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import cast

import asyncpg
import pytest
import sqlalchemy as sa
from nats.aio.msg import Msg
from sqlalchemy.exc import DBAPIError

from shared.kit.bus.consumer import TRIES, Consumers
from shared.kit.db import Database, wait_for_database
from shared.kit.db_errors import is_operational
from shared.kit.problems import UnavailableError

pytestmark = pytest.mark.db


@asynccontextmanager
async def refusing(state: str | None) -> AsyncIterator[Database]:
    """A server that refuses everybody with this SQLSTATE, or hangs up without a word."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        (size,) = struct.unpack("!i", await reader.readexactly(4))
        await reader.readexactly(size - 4)
        if state:
            words = (f"{key}{word}\0" for key, word in {"S": "FATAL", "V": "FATAL", "C": state, "M": "no"}.items())
            said = "".join(words).encode()
            writer.write(b"E" + struct.pack("!i", len(said) + 5) + said + b"\0")
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    database = Database(f"postgresql://somebody:secret@127.0.0.1:{port}/wugan?sslmode=disable", schema="kit")
    try:
        yield database
    finally:
        await database.close()
        server.close()


@pytest.mark.parametrize(
    "state",
    [
        pytest.param("57P03", id="starts"),
        pytest.param("57P01", id="stops"),
        pytest.param("57P02", id="crashed"),
        pytest.param("53300", id="full"),
        pytest.param("08006", id="lost"),
        pytest.param(None, id="hangs-up"),
    ],
)
async def test_a_server_that_takes_nobody_now_is_unavailable_and_waited_for(state):
    async with refusing(state) as database:
        for begin in (database.read, database.write, lambda: database.holding("name")):
            with pytest.raises(UnavailableError, match="does not answer"):
                async with begin():
                    pass
        with pytest.raises(UnavailableError, match="does not answer"):
            await database.at_once("SELECT 1")
        with pytest.raises(UnavailableError, match="check WUGAN_DATABASE_URL"):
            await wait_for_database(database, attempts=2, seconds=0)
        with pytest.raises(Exception) as raised:  # noqa: PT011  (whatever it is, it is told apart)
            await database.ping()
        assert is_operational(raised.value)


@pytest.mark.parametrize("state", ["28P01", "3D000", "42501"])
async def test_a_server_that_will_never_take_us_is_not_waited_for(state):
    async with refusing(state) as database:
        with pytest.raises(DBAPIError):
            await wait_for_database(database, attempts=2, seconds=0)


def saying(state: str) -> str:
    return f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{state}'; END $$"


@pytest.mark.parametrize("by", ["driver", "sqlalchemy"])
@pytest.mark.parametrize(
    ("state", "passes"),
    [
        ("53100", True),  # disk full
        ("53200", True),  # out of memory
        ("53300", True),  # too many connections
        ("57P01", True),
        ("53400", False),  # over a limit set for statements
        ("57014", False),  # cancelled
        ("22012", False),
        ("40P01", False),
    ],
)
async def test_what_the_server_has_no_room_for_passes_and_the_rest_is_the_statements(database, by, state, passes):
    async def fail() -> None:
        async with database.write() as tx:
            try:
                await (tx.run(saying(state)) if by == "driver" else tx.execute(sa.text(saying(state))))
            except Exception as error:
                assert is_operational(error) is passes
                raise

    with pytest.raises(UnavailableError if passes else (asyncpg.PostgresError, DBAPIError)) as raised:
        await fail()
    assert not passes or "nothing of this request was kept" in str(raised.value)


@pytest.mark.parametrize(
    ("error", "parked"), [(asyncpg.QueryCanceledError("slow"), True), (asyncpg.DiskFullError("full"), False)]
)
async def test_a_message_that_always_takes_too_long_ends_and_one_a_full_server_cannot_take_waits(
    database, error, parked
):
    done: list[str] = []

    async def nak(delay: float) -> None:
        assert delay > 0
        done.append("again")

    async def ack_sync() -> None:
        done.append("parked")

    place = SimpleNamespace(num_delivered=1, sequence=SimpleNamespace(stream=7))
    raw = SimpleNamespace(subject="x.y", headers={}, data=b"{}", metadata=place, nak=nak, ack_sync=ack_sync)
    consumers = Consumers(service="kit", bus=cast("object", None), database=database, subscriptions=[])  # type: ignore[arg-type]
    for _ in range(TRIES):
        await consumers._give_back("durable", cast(Msg, raw), error)
    assert done == ["again"] * (TRIES - 1) + ["parked" if parked else "again"]


async def at_commit(database: Database, does: str) -> None:
    """A table whose rows do something when they are committed."""
    async with database.write() as tx:
        await tx.run("CREATE TABLE kit.late (number int)")
        await tx.run(
            f"CREATE FUNCTION kit.late() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {does} RETURN NULL; END$$"
        )
        await tx.run(
            "CREATE CONSTRAINT TRIGGER late AFTER INSERT ON kit.late DEFERRABLE INITIALLY DEFERRED "
            "FOR EACH ROW EXECUTE FUNCTION kit.late()"
        )


async def test_a_server_that_goes_away_while_it_commits_leaves_open_what_was_kept(database):
    await at_commit(database, "PERFORM pg_terminate_backend(pg_backend_pid());")
    told: list[str] = []
    with pytest.raises(UnavailableError, match=r"whether this request was kept is unknown.*Idempotency-Key") as raised:
        async with database.write() as tx:
            tx.after_commit.append(lambda: told.append("kept"))
            await tx.run("INSERT INTO kit.late VALUES (1)")
    assert "nothing of this request" not in str(raised.value)
    assert not told
    async with database.read() as tx:
        assert not await tx.fetch("SELECT number FROM kit.late")


async def test_a_server_that_goes_away_before_the_commit_has_kept_nothing(database):
    with pytest.raises(UnavailableError, match="nothing of this request was kept"):
        async with database.write() as tx:
            tx._driver.terminate()
    async with database.read() as tx:
        assert await tx.fetch("SELECT 1")


@pytest.mark.parametrize(
    ("state", "error", "said"),
    [("53100", UnavailableError, "nothing of this request was kept"), ("23514", asyncpg.CheckViolationError, "no")],
)
async def test_what_the_server_refuses_to_commit_is_known_not_to_be_kept(database, state, error, said):
    await at_commit(database, f"RAISE EXCEPTION 'no' USING ERRCODE = '{state}';")
    with pytest.raises(error, match=said):
        async with database.write() as tx:
            await tx.run("INSERT INTO kit.late VALUES (1)")
