"""notify as a whole process: events by JetStream, text messages by a gateway, receipts by callback."""

import asyncio
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from deploy.sandbox.app import SandboxOptions
from deploy.sandbox.app import create_app as create_sandbox
from services.notify.app import SERVICE
from services.notify.settings import NotifySettings
from shared.contracts.events import (
    CERTIFICATES_ISSUED,
    CERTIFICATIONS_DUE,
    CONTACTS_CHANGED,
    EVENTS,
    SUSPICION_RAISED,
    TableEvent,
)
from shared.contracts.vocabulary import EVERY_SHARD
from shared.kit.app import create_app
from shared.kit.bus import Bus, Message
from shared.kit.clock import set_clock
from tests.services.notify.hooks import serving
from tests.services.notify.world import (
    MORNING,
    RECEIPT_SECRET,
    YEAR,
    certificates,
    contacts,
    due,
    subject,
    suspicions,
    table_message,
)
from tests.support.settings import settings_for

pytestmark = [pytest.mark.db, pytest.mark.bus]

PEOPLE = [subject(number) for number in range(1, 301)]
DEAD = PEOPLE[:10]
DUE_ON = YEAR + timedelta(days=62)
"""Beyond what they are certified for."""


async def publish(bus: Bus, message: Message) -> None:
    event = message.event
    assert isinstance(event, TableEvent)
    headers = {
        "ce-specversion": "1.0",
        "ce-id": str(message.id),
        "ce-type": event.name,
        "ce-source": "/wugan/test",
        "ce-time": message.happened_at.isoformat(),
        "content-type": "application/vnd.apache.arrow.stream",
    }
    await bus.publish(f"{event.name}.{message.shard or EVERY_SHARD}", message.body, headers, message_id=str(message.id))


async def quiet(http: httpx.AsyncClient, headers: dict[str, str]) -> None:
    async with asyncio.timeout(60):
        while any((flow := (await http.get("/v1/flow", headers=headers)).json()).values()):
            assert flow["dead_letters"] == 0
            await asyncio.sleep(0.05)


@pytest.mark.timeout(120)
async def test_events_become_text_messages_and_receipts_proof(
    committing_database_for, service_databases, own_nats, issuer, monkeypatch, tmp_path: Path
):
    # Migrates, and empties the schema after this test.
    await committing_database_for("notify")
    clock_file = tmp_path / "clock.json"
    set_clock(clock_file, MORNING)
    settings = settings_for(
        NotifySettings,
        database_url=service_databases.url("notify"),
        nats_url=own_nats.nats_url("notify"),
        nats_monitor_urls=own_nats.urls["nats-monitor"],
        clock_file=clock_file,
    )
    sandbox = create_sandbox(SandboxOptions(data=tmp_path / "sandbox", secret=RECEIPT_SECRET))
    async with serving(sandbox) as gateway:
        for name, value in {"URL": f"{gateway}/sms/1", "SANDBOX": "true", "RECEIPT_SECRET": RECEIPT_SECRET}.items():
            monkeypatch.setenv(f"WUGAN_NOTIFY_SMS_{name}", value)
        bus = Bus(own_nats.nats_url(), name="test")
        await bus.connect()
        await bus.reconcile_streams(EVENTS, replicas=1)
        app = create_app(SERVICE, settings)
        async with serving(app) as notify, httpx.AsyncClient(base_url=notify) as http:
            app.state.platform.guard = issuer.known_guard
            sandbox.state.callbacks.url = f"{notify}/v1/receipts/sms"
            operator = issuer.headers("operate")
            death = table_message(SUSPICION_RAISED, suspicions([(who, uuid4(), "suspected_death", 1) for who in DEAD]))
            await publish(bus, death)
            # Different streams keep no order among them: what is told before the record would be told.
            await quiet(http, operator)
            for message in (
                table_message(CERTIFICATES_ISSUED, certificates([(who, uuid4(), YEAR, None) for who in PEOPLE])),
                table_message(
                    CERTIFICATIONS_DUE,
                    due([(who, DUE_ON) for who in PEOPLE[-50:]]),
                    run_on=(YEAR + timedelta(days=2)).isoformat(),
                ),
                table_message(CONTACTS_CHANGED, contacts([(who, "phone") for who in PEOPLE])),
                death,
            ):
                await publish(bus, message)
                await publish(bus, message)
            await quiet(http, operator)
            await sandbox.state.callbacks.settle()
            await quiet(http, operator)
            found = (await http.get("/v1/figures", headers=operator)).json()
            # The officers' suspicions, and one text message a day and person: fifty notices wait for tomorrow.
            assert found["messages"] == {"certified": 300, "suspicion_opened": 10, "due_60": 50}
            assert found["refused_dead"] == 10
            assert found["states"] == {"sms.delivered": 290, "sms.queued": 50}
            assert sandbox.state.keep.count_sms() == {"messages": 290, "phones": 290, "again": 0, "twice": 0}
        await bus.close()
