"""One database, five schemas, five roles that cannot touch each other's."""

import contextlib
from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest

from deploy.local import database
from deploy.local.clients import SERVICES
from deploy.local.errors import BootstrapError, DatabaseUrlError
from tests.support.servers import Servers, ServiceDatabases, unused_name

pytestmark = pytest.mark.db


@pytest.fixture
def databases(servers: Servers) -> Iterator[ServiceDatabases]:
    made = servers.create_database(unused_name())
    yield made
    made.drop()


@contextlib.asynccontextmanager
async def connected(url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


@pytest.mark.parametrize("service", SERVICES)
async def test_a_role_works_in_its_own_schema_without_naming_it(databases, service):
    async with connected(databases.url(service)) as role:
        await role.execute("CREATE TABLE facts (n int)")
        await role.execute("CREATE TEMP TABLE draft (n int)")
        assert await role.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = $1", service) == 1


def attempts_on(other: str, database_name: str) -> tuple[str, ...]:
    return (
        f"SELECT * FROM {other}.secret",
        f"INSERT INTO {other}.secret VALUES (1)",
        f"CREATE TABLE {other}.mine (n int)",
        f"SELECT {other}.peek()",
        f"DROP SCHEMA {other} CASCADE",
        f"SET ROLE {database_name}_{other}",
    )


async def test_a_role_touches_no_other_schema(databases):
    for service in SERVICES:
        async with connected(databases.url(service)) as owner:
            await owner.execute("CREATE TABLE secret (n int)")
            await owner.execute("CREATE FUNCTION peek() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    for service in SERVICES:
        async with connected(databases.url(service)) as stranger:
            for attempt in (
                each for other in SERVICES if other != service for each in attempts_on(other, databases.name)
            ):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await stranger.execute(attempt)


async def test_a_role_makes_no_schema_database_or_role_and_nothing_in_public(databases):
    async with connected(databases.url("grid")) as role:
        attempts = (
            "CREATE SCHEMA mine",
            "CREATE DATABASE mine",
            "CREATE ROLE mine",
            "CREATE TABLE public.mine (n int)",
        )
        for attempt in attempts:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await role.execute(attempt)


async def test_a_role_enters_no_other_database(databases, servers):
    other = servers.create_database(unused_name())
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(databases.url("grid").removesuffix(databases.name) + other.name)
    other.drop()


async def test_making_it_twice_keeps_what_is_there(databases, servers):
    async with connected(databases.url("notify")) as role:
        await role.execute("CREATE TABLE kept (n int)")
        servers.create_database(databases.name)
        assert await role.fetchval("SELECT count(*) FROM kept") == 0


async def test_an_administrator_without_superuser_can_make_it(servers):
    server, name = servers.postgres, unused_name()
    modest = database.Server(
        host=server.host, port=server.port, user=f"{name}_modest", password="pmodest", options=server.options
    )
    async with connected(server.url("postgres")) as admin:
        await admin.execute(f"CREATE ROLE {name}_modest LOGIN PASSWORD 'pmodest' CREATEDB CREATEROLE")
        try:
            await database.bootstrap(modest, name, dict.fromkeys(SERVICES, "p1"))
            await database.bootstrap(modest, name, dict.fromkeys(SERVICES, "p2"))
            async with connected(modest.url(name, user=f"{name}_grid", password="p2")) as role:
                await role.execute("CREATE TABLE mine (n int)")
        finally:
            await database.drop(server, name)
            await admin.execute(f"DROP ROLE {name}_modest")


async def test_a_server_that_refuses_is_told_in_one_sentence(servers):
    stranger = database.Server(host=servers.postgres.host, port=servers.postgres.port, user="nobody", password="wrong")
    with pytest.raises(
        BootstrapError, match="WUGAN_DATABASE_URL must name a user who may create databases and roles"
    ) as told:
        await database.bootstrap(stranger, "x", {})
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("mysql://a:secret@h/city", "it does not start with postgresql://"),
        ("localhost:5432", "it does not start with postgresql://"),
        ("postgresql://a:secret@h:port/city", "its port is no number up to 65535"),
        ("postgresql://a:secret@h:65536/city", "its port is no number up to 65535"),
        ("postgresql://a:secret/@h:1/city", "its port is no number up to 65535"),
        ("postgresql://a:secret@[::1/city", "its host is malformed"),
        ("postgresql://a:secret@h/ci%00ty", "it holds what no address holds"),
        ("postgresql://a:secret@h/city?a%3Db=c", "it holds what no address holds"),
    ],
)
def test_a_malformed_url_is_told_without_its_password(url, why):
    with pytest.raises(DatabaseUrlError, match=r"write it as postgresql://user:password@host:5432/database") as told:
        database.parse_url(url)
    assert f"({why})" in str(told.value)
    assert "secret" not in str(told.value)
    assert told.value.__suppress_context__ or told.value.__context__ is None  # a traceback does not quote it either


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("postgresql://a:b%40c@h:1/city?sslmode=require", "city"),
        ("postgresql://a:b%40c@h:1/postgres", "wugan"),
        ("postgresql://a:b%40c@h:1", "wugan"),
    ],
)
def test_the_database_of_an_administrators_url_is_ours_unless_it_is_only_a_door(url, name):
    server, found = database.parse_url(url)
    assert found == name
    assert (server.user, server.password, server.host, server.port) == ("a", "b@c", "h", 1)
    assert server.url(name).startswith("postgresql://a:b%40c@h:1/")
    assert ("sslmode=require" in server.url(name)) == ("sslmode" in url)
