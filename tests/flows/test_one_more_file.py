"""A source, a program and a channel more, each one new file: from a row of the source to the call that tells the person."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import httpx
import pytest

from services.ingest import sources
from services.notify import channels, handlers
from services.notify.usecases.deps import Deps
from services.recognition import programs
from services.recognition.app import SERVICE as RECOGNITION
from services.scoring.handlers import subscriptions
from services.scoring.store import signals
from shared.contracts.events import (
    ASSESSMENTS_CHANGED,
    CERTIFICATES_ISSUED,
    CONTACTS_CHANGED,
    ENROLMENTS_CHANGED,
    EVIDENCE_ACCEPTED,
    Event,
)
from shared.contracts.vocabulary import SHARDS
from shared.kit import arrow
from shared.kit.app import create_app
from shared.kit.bus import Message, Subscription
from shared.kit.clock import FixedClock
from shared.kit.db import Database
from shared.kit.http import Peers
from shared.kit.outbox import Outbox
from tests.services.ingest.test_sources import NEW
from tests.services.ingest.world import IDS, NOW, csv_of, roster, with_deps
from tests.services.ingest.world import make_world as make_ingest
from tests.services.notify.test_channels import VOICE
from tests.services.notify.world import drain, rows_of
from tests.services.notify.world import make_deps as make_notify
from tests.services.recognition.world import World as Recognition
from tests.services.recognition.world import make_deps as make_recognition
from tests.services.scoring.world import World as Scoring
from tests.support.settings import settings_for
from tests.support.tokens import Issuer

pytestmark = pytest.mark.db
WHY = {"Purpose-Code": "pay", "Legal-Basis": "regulation-26"}
SEEN, UNSEEN = IDS[0], IDS[1]


def with_one_more(folder: Path, shipped: Path, name: str, text: str, *, kind: str) -> Path:
    """A copy of a folder of declarations with one more file in it."""
    folder.mkdir()
    for path in shipped.glob(kind):
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / name).write_text(text, encoding="utf-8")
    return folder


async def said(database: Database, event: Event) -> list[Message]:
    """What a service has put into its outbox under an event, as its hearers get it."""
    rows = await rows_of(
        database,
        "SELECT id, subject, body, (headers->>'ce-time')::timestamptz AS at FROM outbox "
        "WHERE subject LIKE $1 || '%' ORDER BY seq",
        event.name,
    )
    return [
        Message(
            id=row["id"],
            event=event,
            shard=last if (last := row["subject"].rpartition(".")[2]) in SHARDS else None,
            attributes={key.decode(): value.decode() for key, value in arrow.schema_of(row["body"]).metadata.items()},
            happened_at=row["at"],
            body=row["body"],
        )
        for row in rows
    ]


async def hear(database: Database, heard: Sequence[Subscription], messages: Sequence[Message]) -> None:
    assert messages
    by_event = {each.event.name: each.handler for each in heard}
    for message in messages:
        async with database.write() as tx:
            await by_event[message.event.name](tx, message)


async def certified(evidence: Sequence[Message], scoring: Scoring) -> list[Message]:
    """What scoring makes of evidence."""
    async with scoring.database.write() as tx:
        await signals.ensure_heads(tx)
    await hear(scoring.database, subscriptions(lambda _message: None), evidence)
    for message in evidence:
        for shard in message.shards():
            await scoring.sweep(int(shard, 16))
    return await said(scoring.database, ASSESSMENTS_CHANGED)


async def told(issued: Sequence[Message], notify: Deps) -> Sequence[Mapping[str, Any]]:
    """Deliveries of the new channel."""
    await hear(notify.database, handlers.subscriptions(notify), issued)
    await drain(notify, "voice")
    return await rows_of(notify.database, "SELECT subject, channel, status FROM delivery WHERE channel = 'voice'")


async def test_each_takes_one_new_file_and_nothing_else(
    database_for: Callable[[str], Awaitable[Database]], issuer: Issuer, tmp_path: Path
) -> None:
    old_age = (programs.FOLDER / "old_age_allow.toml").read_text(encoding="utf-8")
    heating = with_one_more(tmp_path / "programs", programs.FOLDER, "heating_allow.toml",
                            old_age.replace("高龄津贴", "取暖补贴"), kind="*.toml")  # fmt: skip
    gate = with_one_more(tmp_path / "sources", Path(sources.__file__).parent, "library_gate.toml",
                         NEW.replace("culture_tourism", "library"), kind="*.toml")  # fmt: skip
    voice = with_one_more(tmp_path / "channels", channels.FOLDER, "voice.py", VOICE, kind="inbox.py")

    recognition = Recognition(make_recognition(await database_for("recognition"), programs=programs.load(heating)))
    app = create_app(RECOGNITION, settings_for(RECOGNITION.settings))
    app.state.deps, app.state.platform = recognition.deps, SimpleNamespace(guard=issuer.guard())
    partner = issuer.headers("recognition.check", role="partner", programs=["heating_allow"], client_id="p-1") | WHY
    asks = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://recognition.test", headers=partner)
    notify = make_notify(await database_for("notify"), more={"voice": channels.discover(voice)["voice"]})
    ingest = make_ingest(await database_for("ingest"), issuer, tmp_path)
    with_deps(ingest, sources=sources.load_sources(gate))
    ingest.deps.platform.peers = Peers(asks, None)  # it asks the real recognition which programs there are
    clock = FixedClock(NOW)
    scoring = Scoring(
        database=await database_for("scoring"), clock=clock, outbox=Outbox("scoring", clock, asyncio.Event())
    )
    vault = ingest.deps.platform.database

    async with asks, ingest.client:
        assert (await ingest.enrol(roster([0, 1]), "heating_allow")).json()["new"] == 2
        await recognition.hear(*await said(vault, ENROLMENTS_CHANGED))
        await hear(notify.database, handlers.subscriptions(notify), await said(vault, CONTACTS_CHANGED))

        row = {"读者证件号": [SEEN], "入馆日期": ["2023-05-09"]}
        assert (await ingest.send(csv_of(row), "library_gate")).json()["accepted"] == 1
        await recognition.hear(*await certified(await said(vault, EVIDENCE_ACCEPTED), scoring))
        answers = [
            (await asks.post("/v1/recognitions:check", json={"program": "heating_allow", "citizen_id": each})).json()
            for each in (SEEN, UNSEEN)
        ]
    assert [(each["answer"], each["valid_until"]) for each in answers] == [("recognised", "2024-05-31"),
                                                                          ("not_yet", None)]  # fmt: skip
    person = UUID(bytes=ingest.deps.keys.subject.one(SEEN).bytes)
    assert await told(await said(recognition.deps.database, CERTIFICATES_ISSUED), notify) == [
        {"subject": person, "channel": "voice", "status": "handed"}
    ]
