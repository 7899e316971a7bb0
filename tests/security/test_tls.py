"""TLS to NATS and PostgreSQL with real servers."""

import asyncio
import contextlib
import os
import shutil
import signal
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import asyncpg
import nats
import pytest
from sqlalchemy.exc import DBAPIError

from deploy import certificates, streams
from deploy.certificates import Pair
from deploy.local import database
from deploy.local import nats as local_nats
from deploy.local import postgres as local_postgres
from deploy.local.clients import SERVICES
from deploy.local.database import SQL
from deploy.local.journal import Journal
from deploy.local.ports import HOST
from deploy.local.probes import answers, free_ports
from deploy.local.processes import Child, ChildSpec, run_once
from deploy.local.programs import DEPLOY
from deploy.local.stack import LocalStack
from shared.contracts.events import BATCH_COMPLETED
from shared.kit.bus import Bus
from shared.kit.db import Database
from shared.kit.db_url import tls_of
from shared.kit.problems import UnavailableError
from tests.support.cluster import clustered
from tests.support.servers import ServiceDatabases, servers_alone

pytestmark = [pytest.mark.bus, pytest.mark.db]


@asynccontextmanager
async def child(spec, folder: Path) -> AsyncIterator[None]:
    journal = Journal(folder)
    running = Child(spec, journal)
    try:
        await running.start()
        yield
    finally:
        await running.stop()
        journal.close()


# ---- certificates ------------------------------------------------------------------------------------------------


def test_the_command_again_keeps_what_is_good_and_issues_what_is_not(tmp_path):
    first = certificates.make(tmp_path, ["a.example"], ["bank"])
    assert [path.name for path in first] == ["gateway.crt", "nats.crt", "postgres.crt", "partner-bank.crt"]
    assert certificates.make(tmp_path, ["a.example"], ["bank"]) == []
    assert [path.name for path in certificates.make(tmp_path, ["b.example"], ["bank"])] == [
        "gateway.crt", "nats.crt", "postgres.crt",
    ]  # fmt: skip
    modes = {path.suffix: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == {".key": 0o600, ".crt": 0o644}


# ---- NATS --------------------------------------------------------------------------------------------------------


@pytest.fixture
async def tls_nats(tmp_path, made) -> AsyncIterator[dict[str, str]]:
    """Passwords and address of a nats-server behind TLS."""
    port, monitor = free_ports(HOST, 2)
    users = {user: f"p{user}" for user in (*SERVICES, "operator")}
    plain = local_nats.spec(tmp_path, host=HOST, port=port, monitor_port=monitor, passwords=users)
    pair = Pair.named(made, "nats")
    told = {
        "WUGAN_NATS_TLS_CERT": str(pair.certificate),
        "WUGAN_NATS_TLS_KEY": str(pair.key),
        "WUGAN_NATS_TLS_CA": str(made / "inside.crt"),
    }
    argv = tuple(
        str(DEPLOY / "nats" / "tls.conf") if each.endswith("nats-server.conf") else each for each in plain.argv
    )
    async with child(replace(plain, argv=argv, env={**plain.env, **told}), tmp_path):
        yield {user: f"tls://{user}:p{user}@{HOST}:{port}" for user in users}


async def test_a_service_speaks_to_nats_over_tls_and_trusts_our_authority_only(tls_nats, made):
    await streams.make(tls_nats["operator"], replicas=1, ca_file=made / "inside.crt")
    bus = Bus(tls_nats["ingest"], name="test", ca_file=made / "inside.crt")
    await bus.connect(attempts=3)
    await bus.publish("ingest.x", b"facts", {}, message_id="1")
    await bus.close()
    for authority in (None, made / "strangers" / "inside.crt"):
        with pytest.raises(UnavailableError):
            await Bus(tls_nats["ingest"], name="test", ca_file=authority).connect(attempts=1)


async def test_three_servers_become_a_cluster_over_routes_that_show_certificates_at_both_ends(tmp_path, made):
    passwords = {user: f"p{user}" for user in (*SERVICES, "operator")}
    async with clustered(tmp_path, passwords, made) as cluster:
        bus = Bus(cluster.url, name="test")
        await bus.connect()
        await bus.reconcile_streams([BATCH_COMPLETED], replicas=3)
        assert await cluster.leader(BATCH_COMPLETED.stream) in range(3)
        await bus.close()


async def test_nobody_speaks_to_it_in_the_clear(tls_nats):
    host, port = tls_nats["ingest"].rsplit("@", 1)[1].split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    assert b'"tls_required":true' in await reader.readline()
    writer.write(b'CONNECT {"user": "ingest", "pass": "pingest", "verbose": false}\r\nPING\r\n')
    said = b""
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        async with asyncio.timeout(50):
            said = await reader.read()
    assert b"PONG" not in said
    writer.close()


async def test_a_service_hears_nothing_that_is_delivered_to_another(own_nats):
    said: list[str] = []

    async def on_error(error: Exception) -> None:
        said.append(str(error).lower())

    spy = await nats.connect(own_nats.nats_url("notify"), error_cb=on_error, inbox_prefix="_INBOX_notify")
    for subject in ("_INBOX_ingest.>", "_INBOX.>", ">", "$JS.>", "$SYS.>"):
        await spy.subscribe(subject)
    await spy.publish("_INBOX_ingest.forged.answer", b"")
    await spy.publish("$JS.API.CONSUMER.DELETE.INGEST.scoring-x", b"")
    await spy.publish("$JS.API.STREAM.MSG.GET.INGEST", b'{"seq": 1}')
    await spy.flush()
    async with asyncio.timeout(50):
        while len(said) < 8:
            await asyncio.sleep(0.01)
    assert all("permissions violation" in each for each in said)
    await spy.close()


# ---- PostgreSQL --------------------------------------------------------------------------------------------------


@asynccontextmanager
async def tls_front(server: database.Server, pair: Pair) -> AsyncIterator[int]:
    """PostgreSQL as built with TLS answers: the wheel is built without it, so this ends TLS before it. Its port."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pair.certificate, pair.key)
    tasks: set[asyncio.Task[None]] = set()

    async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, OSError):
            while data := await source.read(65536):
                target.write(data)
                await target.drain()
        target.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, OSError, asyncio.IncompleteReadError):
            if (await reader.readexactly(8))[4:] != b"\x04\xd2\x16\x2f":  # SSLRequest
                writer.close()
                return
            writer.write(b"S")
            await writer.drain()
            await writer.start_tls(context)
            there, back = await asyncio.open_connection(server.host, server.port)
            tasks.update(asyncio.ensure_future(copy(*pair)) for pair in ((reader, back), (there, writer)))

    listening = await asyncio.start_server(serve, HOST, 0)
    yield listening.sockets[0].getsockname()[1]
    listening.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def answer(url: str) -> int:
    """What a service gets from its database, through the pool and through the quick connections; why, where nothing."""
    opened = Database(url, schema="ingest", pool_size=2, acquire_seconds=30)
    try:
        await opened.ping()
        (row,) = await opened.at_once("SELECT 41 + 1 AS answer")
        return int(row["answer"])
    except UnavailableError as error:
        assert error.__cause__ is not None
        raise error.__cause__ from None
    finally:
        await opened.close()


async def test_a_service_reads_its_database_over_tls_as_the_url_asks(service_databases: ServiceDatabases, made):
    url = service_databases.url("ingest")
    server = service_databases.server
    authority, stranger = made / "inside.crt", made / "strangers" / "inside.crt"
    async with tls_front(server, Pair.named(made, "postgres")) as port:
        front = url.replace(f":{server.port}/", f":{port}/")
        assert await answer(f"{front}?sslmode=verify-full&sslrootcert={authority}") == 42
        assert await answer(f"{front}?sslmode=require") == 42
        with pytest.raises(ssl.SSLCertVerificationError):
            await answer(f"{front}?sslmode=verify-full&sslrootcert={stranger}")
        with pytest.raises((ConnectionError, DBAPIError)):
            await answer(f"{front}?sslmode=disable")
    # A server without TLS is not spoken to where TLS is asked for.
    with pytest.raises((ConnectionError, DBAPIError), match="SSL"):
        await answer(f"{url}?sslmode=require")


def test_a_mode_nobody_knows_is_refused():
    with pytest.raises(ValueError, match="verify-full"):
        tls_of("postgresql://a@b/c?sslmode=perhaps")


async def test_our_rules_of_entry_let_nobody_in_without_tls(tmp_path):
    async with LocalStack(servers_alone(tmp_path, nats=False)) as stack:
        cluster = tmp_path / "postgres" / "cluster" / "pg_hba.conf"
        owner = cluster.stat()
        url = stack.database_url()
        connection = await asyncpg.connect(url)
        shutil.copyfile(SQL / "pg_hba.conf", cluster)
        os.chown(cluster, owner.st_uid, owner.st_gid)
        await connection.execute("SELECT pg_reload_conf()")
        rules = await connection.fetch("SELECT type, error FROM pg_hba_file_rules")
        assert {row["type"] for row in rules} == {"local", "hostssl", "hostnossl"}
        async with asyncio.timeout(50):
            with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError, match="no encryption"):
                while True:
                    await (await asyncpg.connect(url, ssl=False)).close()
        await connection.close()


def with_tls() -> Path | None:
    """The programs of a PostgreSQL of this machine that was built with TLS; the wheel's was not."""
    found = [Path(each).resolve().parent for each in (shutil.which("postgres"), shutil.which("initdb")) if each]
    for folder in (*found, *sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)):
        if all((folder / name).exists() for name in ("postgres", "initdb", "psql")):
            return folder
    return None


@asynccontextmanager
async def postgres_of_compose(folder: Path, made: Path) -> AsyncIterator[int]:
    """A server with the files and words of the compose file; its port."""
    programs, (port,) = with_tls(), free_ports(HOST, 1)
    assert programs
    user = local_postgres._hand_over(folder)
    cluster, password = folder / "cluster", folder / "password"
    password.write_text("padmin")
    for name in ("postgres.key", "postgres.crt"):
        shutil.copyfile(made / name, folder / name)
        (folder / name).chmod(0o600)
    for path in (password, folder / "postgres.key", folder / "postgres.crt"):
        os.chown(path, *((user.uid, user.gid) if user.uid >= 0 else (-1, -1)))
    env = {"PATH": os.environ["PATH"], "LC_ALL": "C"}
    words = [f"--pgdata={cluster}", "--username=postgres", f"--pwfile={password}", "--auth=scram-sha-256", "--no-sync"]
    init = ChildSpec(
        name="initdb", argv=(str(programs / "initdb"), *words, "--encoding=UTF8"), env=env, cwd=folder, run_as=user,
        ready=lambda: answers(HOST, 0, "/"),
    )  # fmt: skip
    journal = Journal(folder / "logs")
    assert await run_once(init, journal) == 0, journal.last("initdb")
    journal.close()
    settings = {
        "config_file": SQL / "tls.conf", "hba_file": SQL / "pg_hba.conf", "unix_socket_directories": "",
        "ssl_cert_file": folder / "postgres.crt", "ssl_key_file": folder / "postgres.key", "listen_addresses": HOST,
    }  # fmt: skip
    argv = [str(programs / "postgres"), "-D", str(cluster), "-p", str(port)]

    async def ready() -> bool:
        with contextlib.suppress(OSError, asyncpg.PostgresError):
            trusting = ssl.create_default_context(cafile=made / "inside.crt")
            await (
                await asyncpg.connect(f"postgresql://postgres:padmin@localhost:{port}/postgres", ssl=trusting)
            ).close()
            return True
        return False

    spec = replace(
        init, name="postgres", ready=ready, stop_signal=signal.SIGINT,
        argv=(*argv, *(word for name, value in settings.items() for word in ("-c", f"{name}={value}"))),
    )  # fmt: skip
    async with child(spec, folder / "logs"):
        yield port


@pytest.mark.skipif(with_tls() is None, reason="no PostgreSQL with TLS on this machine")
async def test_a_real_server_with_our_files_speaks_tls_1_3_and_bootstraps_as_in_compose(tmp_path, made):
    authority = made / "inside.crt"
    async with postgres_of_compose(tmp_path / "postgres", made) as port:
        words = ("--no-psqlrc", "--quiet", "--file", str(SQL / "bootstrap.sql"))
        told = {
            "PGHOST": "localhost", "PGPORT": str(port), "PGUSER": "postgres", "PGPASSWORD": "padmin", "PGDATABASE": "postgres",
            "PGSSLMODE": "verify-full", "PGSSLROOTCERT": str(authority), "WUGAN_DATABASE": "wugan",
            **{f"WUGAN_PASSWORD_{each.upper()}": f"p{each}" for each in SERVICES},
        }  # fmt: skip
        psql = str((with_tls() or Path()) / "psql")
        boot = await asyncio.create_subprocess_exec(psql, *words, env={"PATH": os.environ["PATH"], **told})
        assert await boot.wait() == 0
        url = f"postgresql://wugan_ingest:pingest@localhost:{port}/wugan"
        assert await answer(f"{url}?sslmode=verify-full&sslrootcert={authority}") == 42
        with pytest.raises((ConnectionError, DBAPIError, ssl.SSLCertVerificationError)):
            await answer(f"{url}?sslmode=verify-full&sslrootcert={made / 'strangers' / 'inside.crt'}")
        with pytest.raises((asyncpg.InvalidAuthorizationSpecificationError, DBAPIError), match="no encryption"):
            await answer(f"{url}?sslmode=disable")
        context = ssl.create_default_context(cafile=authority)
        admin = await asyncpg.connect(f"postgresql://postgres:padmin@localhost:{port}/wugan", ssl=context)
        row = await admin.fetchrow("SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        assert (row["ssl"], row["version"]) == (True, "TLSv1.3")
        # Every line is understood; that of the address gives way to this test's.
        wrong = await admin.fetch("SELECT name, error FROM pg_file_settings WHERE NOT applied AND error IS NOT NULL")
        assert {each["name"] for each in wrong} <= {"listen_addresses"}
        assert await admin.fetchval("SHOW log_statement") == "none"
        await admin.close()
