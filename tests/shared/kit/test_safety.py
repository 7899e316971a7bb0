"""The broker must have written what it acknowledges; a service does not start on one that has not."""

from contextlib import nullcontext

import httpx
import pytest
from nats.js import api
from structlog.testing import capture_logs

from shared.contracts.events import EVENTS
from shared.kit.bus import Bus, UnsafeBusError, prove_synced


@pytest.mark.bus
async def test_a_stream_that_acknowledges_from_memory_is_refused(own_nats):
    bus = Bus(own_nats.nats_url(), name="test")
    await bus.connect()
    config = api.StreamConfig(name="NOTIFY", subjects=["notify.>"], persist_mode=api.PersistMode.ASYNC)
    await bus.context.add_stream(config)
    with pytest.raises(UnsafeBusError, match="from memory"):
        await bus.reconcile_streams(EVENTS, replicas=1)
    await bus.close()


VARZ = {"jetstream": {"config": {"sync_interval": 120_000_000_000}}}
SYNCED = {"jetstream": {"config": {"sync_interval": 120_000_000_000, "sync_always": True}}}


@pytest.mark.parametrize(
    ("said", "safe"), [([SYNCED, SYNCED], True), ([SYNCED, VARZ], False), ([{}], False), ([None], False)]
)
async def test_a_service_starts_on_servers_that_write_before_they_acknowledge_alone(said, safe):
    answers = {f"nats-{number}": each for number, each in enumerate(said)}

    def serve(request: httpx.Request) -> httpx.Response:
        found = answers[request.url.host]
        return httpx.Response(503) if found is None else httpx.Response(200, json=found)

    async with httpx.AsyncClient(transport=httpx.MockTransport(serve)) as client:
        with nullcontext() if safe else pytest.raises(UnsafeBusError):
            await prove_synced(client, [f"http://{each}:8222/" for each in answers], ["tls://nats:4222"])


@pytest.mark.parametrize(
    ("server", "warned"),
    [("nats://a:b@127.0.0.1:4222", False), ("nats://localhost:1", False), ("tls://nats:4222", True)],
)
async def test_servers_elsewhere_that_nobody_can_ask_leave_a_warning(server, warned):
    with capture_logs() as lines:
        await prove_synced(httpx.AsyncClient(), [], [server])
    assert [each["event"] for each in lines] == (["bus_unproved"] if warned else [])
