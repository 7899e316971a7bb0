"""JetStream that forgets nothing, and users that speak for themselves only."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from uuid import uuid4

import nats
import pytest
from nats.aio.client import Client
from nats.js import api
from nats.js.errors import NoStreamResponseError
from typer.testing import CliRunner

from deploy import streams
from deploy.cli import app
from deploy.local.clients import SERVICES
from deploy.local.errors import UnsafeNatsError
from deploy.local.journal import Journal
from deploy.local.nats import prove_safe
from deploy.local.ports import HOST
from deploy.local.probes import answers, free_ports, get_json
from deploy.local.processes import Child, ChildSpec
from deploy.local.programs import beside_python
from deploy.local.stack import LocalStack
from shared.kit.bus import Bus
from tests.support.record import NATS_USERS, consumers, nats_users
from tests.support.servers import servers_alone

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


@pytest.fixture(scope="module")
async def broker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalStack]:
    """A nats-server with all streams, for tests that lose nothing and count only what they said themselves."""
    async with LocalStack(servers_alone(tmp_path_factory.mktemp("broker"), postgres=False)) as stack:
        await streams.make(stack.nats_url(), replicas=1)
        yield stack


async def test_every_message_is_synced_before_it_is_acknowledged(broker):
    facts = await get_json(HOST, broker.ports.nats_monitor, "/varz")
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


async def test_the_operators_command_makes_the_streams_and_says_why_it_cannot(own_nats, monkeypatch):
    command = CliRunner()
    monkeypatch.delenv("WUGAN_NATS_URL", raising=False)
    refused = await asyncio.to_thread(command.invoke, app, ["streams"])
    assert refused.exit_code == 1
    assert "nats_url" in refused.stderr
    told = {"WUGAN_NATS_URL": own_nats.nats_url(), "WUGAN_STREAM_REPLICAS": "1"}
    for _ in range(2):
        assert (await asyncio.to_thread(command.invoke, app, ["streams"], env=told)).exit_code == 0
    for service in SERVICES:
        assert await messages_of(own_nats, service.upper()) == 0


async def test_a_service_says_only_what_is_its_own_to_say(broker):
    for service in SERVICES:
        async with connected(broker, service) as (client, said):
            await client.jetstream().publish(f"{service}.thing.happened.v1", b"")
            assert not said
            for other in set(SERVICES) - {service}:
                with pytest.raises((NoStreamResponseError, TimeoutError)):
                    await client.jetstream().publish(f"{other}.thing.happened.v1", b"", timeout=0.1)
            assert len(said) == len(SERVICES) - 1
            assert all("permissions violation" in each.lower() for each in said)


def test_the_users_are_as_recorded():
    assert NATS_USERS.read_text(encoding="utf-8") == nats_users(), "record the change with `make schema`"


@pytest.fixture
async def speaking(own_nats: LocalStack) -> LocalStack:
    """A broker on which the operator has made the streams, and every service each consumer it may have, as its own user."""
    await streams.make(own_nats.nats_url(), replicas=1)
    for service in SERVICES:
        bus = Bus(own_nats.nats_url(service), name="test")
        await bus.connect()
        for stream, durable, subject in consumers(service):
            await bus.keep_consumer(stream, config(durable, subject))
        for stream in {stream for stream, *_ in consumers(service)}:
            names = {durable for place, durable, _ in consumers(service) if place == stream}
            assert set(await bus.pending(stream, names)) == names
        await bus.close()
    return own_nats


def config(durable: str, subject: str) -> api.ConsumerConfig:
    return api.ConsumerConfig(
        name=durable, durable_name=durable, filter_subject=subject, ack_policy=api.AckPolicy.EXPLICIT,
        ack_wait=10.0, max_ack_pending=1,
    )  # fmt: skip


@pytest.mark.timeout(120)
async def test_a_service_does_all_its_work_through_its_own_consumers(speaking):
    buses = {service: Bus(speaking.nats_url(service), name="test") for service in SERVICES}
    for bus in buses.values():
        await bus.connect()
    async with connected(speaking, "operator") as (operator, _):
        for service in SERVICES:
            bus = buses[service]
            assert await bus.healthy()
            for stream, durable, subject in consumers(service):
                await buses[stream.lower()].publish(subject.replace("*", "0"), b"facts", {}, message_id=str(uuid4()))
                pull = bus.bind(stream, durable)
                (message,) = await pull.take(1, 5)
                assert message.data == b"facts"
                await message.in_progress()
                await message.nak()
                (message,) = await pull.take(1, 5)
                await pull.acknowledge([message])
                seen = message.metadata.sequence.stream
                async with asyncio.timeout(50):  # nobody is told when an acknowledgement has been noted
                    while (await operator.jetstream().consumer_info(stream, durable)).ack_floor.stream_seq < seen:
                        await asyncio.sleep(0.01)
                await pull.close()
        for bus in buses.values():
            await bus.close()


async def test_no_service_touches_what_is_anothers(speaking):
    """Streams made to forget, consumers emptied, turned or made anew, acknowledgements given in another's name."""
    async with connected(speaking, "operator") as (operator, _):
        before = {each: (await operator.jetstream().stream_info(each.upper())).config for each in SERVICES}
        await operator.jetstream().publish("ingest.evidence.accepted.v1.0", b"facts")
        await operator.jetstream().publish("ingest.correction.changed.v1", b"facts")
    for service in SERVICES:
        async with connected(speaking, service) as (client, said):
            tried = [
                (subject, body)
                for other in SERVICES
                for subject, body in (
                    *stream_requests(other.upper()),  # its own stream as well: by it, it could reach any other
                    *(each for stream, durable, subject in (consumers(other)[:3] + consumers(other)[-3:] if other != service else ())
                      for each in consumer_requests(stream, durable, subject)),
                )
            ] + [(f"$JS.API.CONSUMER.CREATE.INGEST.{service}-x", {"stream_name": "INGEST", "config": {"name": f"{service}-x"}}),
                 ("$JS.API.CONSUMER.CREATE.INGEST", {"stream_name": "INGEST", "config": {}})]  # fmt: skip
            for subject, body in tried:
                await client.publish(subject, json.dumps(body).encode(), reply=f"_INBOX_{service}.x")
            await client.flush()
            async with asyncio.timeout(50):
                while len(said) < len(tried):
                    await asyncio.sleep(0.01)
            assert all("permissions violation for publish" in each.lower() for each in said)
            # A consumer of its own hears what it was made for, and no more.
            for stream, durable, subject in consumers(service)[:1]:
                wider = {
                    "stream_name": stream,
                    "config": {"name": durable, "durable_name": durable, "filter_subject": f"{stream.lower()}.>"},
                }
                answer = await client.request(
                    f"$JS.API.CONSUMER.CREATE.{stream}.{durable}.{subject}", json.dumps(wider).encode()
                )
                assert "error" in json.loads(answer.data)
    async with connected(speaking, "operator") as (operator, _):
        for service in SERVICES:
            assert (await operator.jetstream().stream_info(service.upper())).config == before[service]
        info = await operator.jetstream().consumer_info("INGEST", "scoring-ingest-evidence-accepted-v1-0")
        assert (info.num_pending, info.delivered.stream_seq) == (1, 0)


def stream_requests(stream: str) -> list[tuple[str, object]]:
    short: object = {
        "name": stream, "subjects": [f"{stream.lower()}.>"], "max_age": 10**9, "storage": "file",
        "republish": {"src": f"{stream.lower()}.x", "dest": "$JS.API.STREAM.DELETE.INGEST"},
    }  # fmt: skip
    verbs = ("CREATE", "UPDATE", "DELETE", "PURGE", "MSG.DELETE", "MSG.GET", "SNAPSHOT", "RESTORE", "LEADER.STEPDOWN")
    return [(f"$JS.API.STREAM.{verb}.{stream}", short) for verb in verbs] + [
        (f"$JS.API.DIRECT.GET.{stream}", {"seq": 1})
    ]


def consumer_requests(stream: str, durable: str, subject: str) -> list[tuple[str, object]]:
    made: object = {
        "stream_name": stream,
        "config": {"name": durable, "durable_name": durable, "filter_subject": subject},
    }
    return [
        (f"$JS.API.CONSUMER.CREATE.{stream}.{durable}.{subject}", made),
        (f"$JS.API.CONSUMER.DURABLE.CREATE.{stream}.{durable}", made),
        (f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}", {"batch": 1}),
        (f"$JS.API.CONSUMER.DELETE.{stream}.{durable}", {}),
        (f"$JS.API.CONSUMER.PAUSE.{stream}.{durable}", {"pause_until": "2099-01-01T00:00:00Z"}),
        (f"$JS.ACK.{stream}.{durable}.1.1.1.1700000000000000000.0", {}),
    ]


async def test_nobody_listens_in(broker):
    async with connected(broker, "scoring") as (scoring, said):
        await scoring.subscribe("ingest.>")
        await scoring.flush()
        async with asyncio.timeout(60):
            while not any("permissions violation for subscription" in each.lower() for each in said):
                await asyncio.sleep(0.01)


async def test_a_service_cannot_take_away_what_was_said(broker):
    async with connected(broker, "ingest") as (client, said):
        await client.jetstream().publish("ingest.x", b"kept")
        kept = await messages_of(broker, "INGEST")
        for verb in ("PURGE", "DELETE", "MSG.DELETE", "SNAPSHOT"):
            with pytest.raises(nats.errors.TimeoutError):
                await client.request(f"$JS.API.STREAM.{verb}.INGEST", b'{"seq": 1}', timeout=0.1)
        assert len(said) == 4
    assert await messages_of(broker, "INGEST") == kept


async def messages_of(stack: LocalStack, stream: str) -> int:
    async with connected(stack, "operator") as (operator, _):
        return (await operator.jetstream().stream_info(stream)).state.messages


async def test_without_the_password_nobody_enters(broker):
    reader, writer = await asyncio.open_connection(HOST, broker.ports.nats)
    writer.write(b'CONNECT {"user": "grid", "pass": "guess"}\r\nPING\r\n')
    assert b"Authorization Violation" in await reader.read()
    writer.close()
    await writer.wait_closed()


async def test_what_was_acknowledged_is_there_after_kill_9(own_nats):
    await streams.make(own_nats.nats_url(), replicas=1)
    async with connected(own_nats, "ingest") as (client, _):
        for number in range(50):
            await client.jetstream().publish("ingest.x", str(number).encode())
    own_nats.kill("nats")
    await own_nats.wait_ready("nats")
    await streams.make(own_nats.nats_url(), replicas=1)
    assert await messages_of(own_nats, "INGEST") == 50
    await streams.make(own_nats.nats_url(), replicas=1, anew=True)
    assert await messages_of(own_nats, "INGEST") == 0


async def test_what_a_consumer_is_told_to_deliver_reaches_nobody_but_its_service(own_nats):
    """A consumer may be made to push; what it pushes goes to clients that listen, never into a stream or to the API."""
    await streams.make(own_nats.nats_url(), replicas=1)
    stream, durable, subject = next(
        each for each in consumers("recognition") if each[0] == "RECOGNITION" and "*" not in each[2]
    )
    async with connected(own_nats, "recognition") as (client, _):
        heard = consumers("scoring")[-1]
        bus = Bus(own_nats.nats_url("scoring"), name="test")
        await bus.connect()
        await bus.keep_consumer(heard[0], config(heard[1], heard[2]))
        await bus.close()
        for target in (
            "ingest.evidence.accepted.v1.0",
            "$JS.API.STREAM.DELETE.INGEST",
            f"$JS.ACK.{heard[0]}.{heard[1]}.1.1.1.1.0",
        ):
            wanted = {
                "name": durable,
                "durable_name": durable,
                "filter_subject": subject,
                "deliver_subject": target,
                "ack_policy": "none",
            }
            place = f"$JS.API.CONSUMER.CREATE.{stream}.{durable}.{subject}"
            await client.request(place, json.dumps({"stream_name": stream, "config": wanted}).encode())
            await client.jetstream().publish(subject, b"")
            await asyncio.sleep(0.3)
            assert await messages_of(own_nats, "INGEST") == 0
            async with connected(own_nats, "operator") as (operator, _):
                await operator.jetstream().delete_consumer(stream, durable)
