"""JetStream that forgets nothing, and users that speak for themselves only."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import nats
import pytest
from nats.aio.client import Client
from nats.js.errors import NoStreamResponseError

from deploy.local.clients import SERVICES
from deploy.local.errors import UnsafeNatsError
from deploy.local.journal import Journal
from deploy.local.nats import prove_safe
from deploy.local.ports import HOST
from deploy.local.probes import answers, free_ports, get_json
from deploy.local.processes import Child, ChildSpec
from deploy.local.programs import beside_python
from deploy.local.stack import LocalStack

pytestmark = pytest.mark.bus


@contextlib.asynccontextmanager
async def connected(stack: LocalStack, user: str) -> AsyncIterator[tuple[Client, list[str]]]:
    said: list[str] = []

    async def on_error(error: Exception) -> None:
        said.append(str(error))

    client = await nats.connect(
        stack.nats_url(user), error_cb=on_error, allow_reconnect=False, inbox_prefix=f"_INBOX_{user}"
    )
    try:
        yield client, said
    finally:
        await client.close()


async def test_every_message_is_synced_before_it_is_acknowledged(own_nats):
    facts = await get_json(HOST, own_nats.ports.nats_monitor, "/varz")
    assert facts["jetstream"]["config"]["sync_always"] is True
    assert facts["max_payload"] == 1 << 20


async def test_a_server_that_may_forget_is_refused(tmp_path):
    port, monitor = free_ports(HOST, 2)
    argv = (beside_python("nats-server"), "-a", HOST, "-p", str(port), "-m", str(monitor), "-js", "-sd", str(tmp_path))
    spec = ChildSpec(name="lax", argv=argv, env={}, cwd=tmp_path, ready=lambda: answers(HOST, monitor, "/healthz"))
    journal = Journal(tmp_path)
    child = Child(spec, journal)
    await child.start()
    with pytest.raises(UnsafeNatsError, match="sync_interval: always"):
        await prove_safe(HOST, monitor)
    await child.stop()
    journal.close()


async def test_a_service_says_only_what_is_its_own_to_say(own_nats):
    async with connected(own_nats, "operator") as (operator, _):
        for service in SERVICES:
            await operator.jetstream().add_stream(name=service.upper(), subjects=[f"{service}.>"])
    for service in SERVICES:
        async with connected(own_nats, service) as (client, said):
            await client.jetstream().publish(f"{service}.thing.happened.v1", b"")
            assert not said
            for other in set(SERVICES) - {service}:
                with pytest.raises((NoStreamResponseError, TimeoutError)):
                    await client.jetstream().publish(f"{other}.thing.happened.v1", b"", timeout=0.1)
            assert len(said) == len(SERVICES) - 1
            assert all("permissions violation" in each.lower() for each in said)


async def test_a_service_hears_through_a_durable_consumer_but_never_by_listening_in(own_nats):
    async with connected(own_nats, "ingest") as (ingest, _), connected(own_nats, "scoring") as (scoring, said):
        await ingest.jetstream().add_stream(name="INGEST", subjects=["ingest.>"])
        await ingest.jetstream().publish("ingest.evidence.accepted.v1.0", b"facts")
        pull = await scoring.jetstream().pull_subscribe("ingest.evidence.accepted.v1.0", durable="scoring-0")
        (message,) = await pull.fetch(1, timeout=2)
        await message.ack_sync()
        assert message.data == b"facts"
        await scoring.subscribe("ingest.>")
        await scoring.flush()
        await asyncio.sleep(0.05)
        assert any("permissions violation for subscription" in each.lower() for each in said)


async def test_a_service_cannot_take_away_what_was_said(own_nats):
    async with connected(own_nats, "ingest") as (client, said):
        jetstream = client.jetstream()
        await jetstream.add_stream(name="INGEST", subjects=["ingest.>"])
        await jetstream.publish("ingest.x", b"kept")
        for verb in ("PURGE", "DELETE", "MSG.DELETE", "SNAPSHOT"):
            with pytest.raises(nats.errors.TimeoutError):
                await client.request(f"$JS.API.STREAM.{verb}.INGEST", b'{"seq": 1}', timeout=0.1)
        assert len(said) == 4
        assert (await jetstream.stream_info("INGEST")).state.messages == 1


async def test_without_the_password_nobody_enters(own_nats):
    reader, writer = await asyncio.open_connection(HOST, own_nats.ports.nats)
    writer.write(b'CONNECT {"user": "grid", "pass": "guess"}\r\nPING\r\n')
    assert b"Authorization Violation" in await reader.read()
    writer.close()
    await writer.wait_closed()


async def test_what_was_acknowledged_is_there_after_kill_9(own_nats):
    async with connected(own_nats, "ingest") as (client, _):
        await client.jetstream().add_stream(name="INGEST", subjects=["ingest.>"])
        for number in range(50):
            await client.jetstream().publish("ingest.x", str(number).encode())
    own_nats.kill("nats")
    await own_nats.wait_ready("nats")
    async with connected(own_nats, "ingest") as (client, _):
        assert (await client.jetstream().stream_info("INGEST")).state.messages == 50
