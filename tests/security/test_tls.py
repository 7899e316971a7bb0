"""TLS to NATS, PostgreSQL and the gateway with real servers, and tokens that hold with one certificate only."""

import asyncio
import base64
import contextlib
import os
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated

import asyncpg
import httpx
import nats
import pytest
import uvicorn
from fastapi import FastAPI, Request, Security
from sqlalchemy.exc import DBAPIError

from deploy import certificates
from deploy.certificates import Pair
from deploy.local import caddy, database
from deploy.local import nats as local_nats
from deploy.local.clients import SERVICES
from deploy.local.database import SQL
from deploy.local.journal import Journal
from deploy.local.ports import HOST
from deploy.local.probes import free_ports, get
from deploy.local.processes import Child
from deploy.local.programs import DEPLOY
from deploy.local.stack import LocalStack
from shared.kit import problems
from shared.kit.auth import Caller, allow
from shared.kit.bus import Bus
from shared.kit.db import Database
from shared.kit.db_url import tls_of
from shared.kit.problems import UnavailableError
from tests.support.servers import ServiceDatabases, servers_alone

pytestmark = [pytest.mark.bus, pytest.mark.db]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates as an operator makes them, and those of somebody else."""
    folder = tmp_path_factory.mktemp("certificates")
    certificates.make(folder, ["localhost", HOST], ["bank", "court"])
    certificates.make(folder / "strangers", ["localhost", HOST], ["bank"])
    return folder


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
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


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
    bus = Bus(tls_nats["ingest"], name="test", ca_file=made / "inside.crt")
    await bus.connect(attempts=3)
    await bus.context.add_stream(name="INGEST", subjects=["ingest.>"])
    await bus.publish("ingest.x", b"facts", {}, message_id="1")
    assert (await bus.context.stream_info("INGEST")).state.messages == 1
    await bus.close()
    for authority in (None, made / "strangers" / "inside.crt"):
        with pytest.raises(UnavailableError):
            await Bus(tls_nats["ingest"], name="test", ca_file=authority).connect(attempts=1)


async def test_nobody_speaks_to_it_in_the_clear(tls_nats):
    host, port = tls_nats["ingest"].rsplit("@", 1)[1].split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    assert b'"tls_required":true' in await reader.readline()
    writer.write(b'CONNECT {"user": "ingest", "pass": "pingest", "verbose": false}\r\nPING\r\n')
    said = b""
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        async with asyncio.timeout(10):
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
    async with asyncio.timeout(5):
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
    """What a service gets from its database, through the pool and through the quick connections."""
    opened = Database(url, schema="ingest", pool_size=2, acquire_seconds=2)
    try:
        await opened.ping()
        (row,) = await opened.at_once("SELECT 41 + 1 AS answer")
        return int(row["answer"])
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
        async with asyncio.timeout(10):
            with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError, match="no encryption"):
                while True:
                    await (await asyncpg.connect(url, ssl=False)).close()
        await connection.close()


# ---- gateway -----------------------------------------------------------------------------------------------------


def application(issuer) -> FastAPI:
    app = FastAPI()
    problems.install(app)
    guard = issuer.guard()
    app.state.platform = SimpleNamespace(guard=guard)

    @app.post("/oauth/token")
    async def token(request: Request) -> dict[str, str]:
        thumbprint = guard.certificate(request)
        return {"token": issuer.token("operate", certificate=thumbprint), "bound": thumbprint or ""}

    @app.get("/v1/figures")
    async def figures(caller: Annotated[Caller, Security(allow("operate"))]) -> dict[str, str | None]:
        return {"bound": caller.certificate}

    return app


@pytest.fixture
async def gateway(tmp_path, made, issuer) -> AsyncIterator[str]:
    """The gateway behind TLS, before an application with the kit's guard; its address."""
    port, behind = free_ports(HOST, 2)
    config = uvicorn.Config(application(issuer), host=HOST, port=behind, log_config=None, proxy_headers=False)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    spec = caddy.spec(tmp_path, host=HOST, port=port, upstreams={each: [behind] for each in SERVICES})
    pair = Pair.named(made, "gateway")
    told = {
        "WUGAN_GATEWAY_CERT": str(pair.certificate),
        "WUGAN_GATEWAY_KEY": str(pair.key),
        "WUGAN_PARTNERS_CA": str(made / "partners.crt"),
    }
    argv = tuple(each.replace("gateway/Caddyfile", "gateway/tls.Caddyfile") for each in spec.argv)

    async def ready() -> bool:
        status, _ = await get(HOST, port, "/livez")  # plain HTTP is answered with 400 by a TLS port
        return status == 400

    async with child(replace(spec, argv=argv, env={**spec.env, **told}, ready=ready), tmp_path):
        yield f"https://localhost:{port}"
    server.should_exit = True
    await serving


def caller(made: Path, client: Pair | None = None) -> httpx.AsyncClient:
    context = ssl.create_default_context(cafile=made / "inside.crt")
    if client:
        context.load_cert_chain(client.certificate, client.key)
    return httpx.AsyncClient(verify=context)


async def test_a_token_fetched_with_a_certificate_holds_with_that_certificate_only(gateway, made):
    url, forged = f"{gateway}/api/recognition", ""
    async with caller(made, Pair.named(made, "partner-bank")) as bank:
        said = (await bank.post(f"{url}/oauth/token")).json()
        bearer = {"Authorization": f"Bearer {said['token']}"}
        assert said["bound"]
        answered = await bank.get(f"{url}/v1/figures", headers=bearer)
        assert answered.json() == {"bound": said["bound"]}
        pem = ssl.PEM_cert_to_DER_cert(Pair.named(made, "partner-bank").certificate.read_text())
        forged = f":{base64.b64encode(pem).decode()}:"
    for other in (None, Pair.named(made, "partner-court")):
        async with caller(made, other) as thief:
            for headers in (bearer, bearer | {"Client-Cert": forged}, bearer | {"client-cert": forged}):
                answered = await thief.get(f"{url}/v1/figures", headers=headers)
                assert (answered.status_code, answered.json()["code"]) == (401, "unauthorized")
    async with caller(made) as plain:
        said = (await plain.post(f"{url}/oauth/token", headers={"Client-Cert": forged})).json()
        assert said["bound"] == ""
        answered = await plain.get(f"{url}/v1/figures", headers={"Authorization": f"Bearer {said['token']}"})
        assert answered.json() == {"bound": None}


async def test_a_certificate_of_another_authority_gets_no_connection(gateway, made):
    async with caller(made, Pair.named(made / "strangers", "partner-bank")) as stranger:
        with pytest.raises(httpx.TransportError):
            await stranger.get(f"{gateway}/livez")
    async with caller(made) as plain:
        assert (await plain.get(f"{gateway}/livez")).status_code == 200
        assert (await plain.get(f"{gateway}/api/ingest/metrics")).status_code == 404


async def test_the_header_is_believed_from_a_gateway_only(issuer):
    told = [(b"client-cert", b":QUJD:")]

    def asked(host: str, headers=told) -> Request:
        return Request({"type": "http", "headers": headers, "client": (host, 1)})

    guard = issuer.guard()
    assert guard.certificate(asked("127.0.0.1")) == "tdQEXD9Gb6kf4sxqvnkjKhpXzfEE96JucW4KHieJ33g"
    assert guard.certificate(asked("10.0.0.7")) is None
    assert guard.certificate(asked("unix")) is None
    for header in (b"", b"::", b"QUJD", b":not base64:"):
        assert guard.certificate(asked("127.0.0.1", [(b"client-cert", header)])) is None
