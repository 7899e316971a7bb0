"""The broker must have written what it acknowledges; a service does not start on one that has not."""

from contextlib import nullcontext

import httpx
import pytest
from nats.js import api
from structlog.testing import capture_logs

from deploy.local.nats import is_proved_by
from deploy.local.ports import HOST
from deploy.local.services import environment
from shared.contracts.events import EVENTS
from shared.kit.bus import Bus, UnsafeBusError, prove_synced
from shared.kit.settings import KitSettings
from tests.support.settings import settings_for


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
    ("said", "safe"),
    [
        ([SYNCED, SYNCED], True),
        ([SYNCED, VARZ], False),
        ([{}], False),
        ([None], False),
        ([SYNCED, None], False),
        ([SYNCED, None, SYNCED], True),
        ([SYNCED, None, VARZ], False),
    ],
)
async def test_a_service_starts_on_servers_that_write_before_they_acknowledge_alone(said, safe, monkeypatch):
    monkeypatch.setattr("shared.kit.bus.safety._PAUSE", 0.0)
    answers = {f"nats-{number}": each for number, each in enumerate(said)}

    def serve(request: httpx.Request) -> httpx.Response:
        found = answers[request.url.host]
        return httpx.Response(503) if found is None else httpx.Response(200, json=found)

    monitors = [f"http://{each}:8222/" for each in answers]
    with capture_logs() as lines:
        async with httpx.AsyncClient(transport=httpx.MockTransport(serve)) as client:
            with nullcontext() if safe else pytest.raises(UnsafeBusError):
                await prove_synced(client, monitors, unproved=True)
    warned = [each["event"] for each in lines]
    assert warned == (["bus_unproved"] if safe and None in said else [])


async def test_where_nobody_can_be_asked_a_service_starts_only_if_told_so_and_with_a_warning():
    with capture_logs() as lines:
        with pytest.raises(UnsafeBusError, match=r"WUGAN_NATS_MONITOR_URLS .* WUGAN_NATS_UNPROVED=true"):
            await prove_synced(httpx.AsyncClient(), [], unproved=False)
        assert lines == []
        await prove_synced(httpx.AsyncClient(), [], unproved=True)
    assert [(each["event"], each["log_level"]) for each in lines] == [("bus_unproved", "warning")]


@pytest.mark.bus
async def test_services_of_a_stack_with_a_broker_of_its_own_are_told_its_monitoring(own_nats):
    told = environment(own_nats._surroundings(), "grid", 0)
    assert told["WUGAN_NATS_MONITOR_URLS"] == f"http://{HOST}:{own_nats.ports.nats_monitor}"


@pytest.mark.parametrize(
    ("told", "proved"),
    [
        ({}, False),
        ({"WUGAN_NATS_MONITOR_URLS": ""}, False),
        ({"WUGAN_NATS_MONITOR_URLS": "http://nats:8222"}, True),
        ({"WUGAN_NATS_UNPROVED": "true"}, True),
        ({"WUGAN_NATS_UNPROVED": "false"}, False),
    ],
)
def test_a_stack_on_a_broker_of_somebody_else_is_told_how_it_is_proved(told, proved):
    assert is_proved_by(told) is proved
    settings = settings_for(KitSettings, **{name.removeprefix("WUGAN_").lower(): value for name, value in told.items()})
    assert bool(settings.nats_monitor_urls or settings.nats_unproved) is proved
