"""A year of a small city: what was told equals what happened, nobody recorded as dead is told, stops are tried twice."""

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta
from uuid import UUID

import httpx
import pytest

from deploy.sandbox.app import SandboxOptions, create_app
from deploy.sandbox.sms import Behaviour
from services.notify.domain.delivery import Receipt
from services.notify.usecases import send
from services.notify.usecases.deps import Deps
from shared.contracts.events import (
    CERTIFICATES_ISSUED,
    CERTIFICATIONS_DUE,
    CONTACTS_CHANGED,
    MESSAGE_DELIVERED,
    SUSPICION_RAISED,
)
from shared.contracts.events.notify import MESSAGE_FAILED
from shared.contracts.vocabulary import NoticeKind
from shared.kit.clock import FixedClock
from tests.services.notify.world import (
    MORNING,
    certificates,
    contacts,
    drain,
    due,
    hear,
    make_deps,
    notice,
    rows_of,
    said,
    sms_settings,
    subject,
    suspicions,
    table_message,
)

pytestmark = pytest.mark.db

PEOPLE = 40
FORTNIGHTS = 26


@dataclass
class City:
    """What has happened, as the other services have said it."""

    chance: random.Random
    certified: Counter[UUID] = field(default_factory=Counter)
    warned: set[tuple[UUID, date]] = field(default_factory=set)
    stops: dict[UUID, UUID] = field(default_factory=dict)
    handed_when_recorded: dict[UUID, int] = field(default_factory=dict)


async def fortnight(deps: Deps, city: City, sandbox, number: int) -> None:
    """Some are certified, some warned, some die, some are about to be stopped; each event comes twice."""
    today = deps.clock.today()
    alive = [subject(each) for each in range(1, PEOPLE + 1) if subject(each) not in city.handed_when_recorded]
    events = []
    chosen = city.chance.sample(alive, 3)
    rows = [(who, UUID(int=number * 1000 + who.int), today + timedelta(days=365), None) for who in chosen]
    events.append(table_message(CERTIFICATES_ISSUED, certificates(rows), issued_on=today.isoformat()))
    city.certified.update(chosen)
    warned = [(who, today + timedelta(days=25)) for who in city.chance.sample(alive, 2)]
    events.append(table_message(CERTIFICATIONS_DUE, due(warned), run_on=today.isoformat()))
    city.warned.update(warned)
    dying = city.chance.sample(alive, city.chance.choice([0, 0, 1]))
    if dying:
        rows_of_death = [(who, UUID(int=number), "suspected_death", 1) for who in dying]
        events.append(table_message(SUSPICION_RAISED, suspicions(rows_of_death)))
    if city.chance.random() < 0.4:
        stop = UUID(int=500_000 + number)
        city.stops[stop] = city.chance.choice([subject(each) for each in range(1, PEOPLE + 1)])
        events.append(notice(stop.int, city.stops[stop], NoticeKind.INTENDED_STOP))
    for event in events:
        await hear(deps, event)
        await hear(deps, event)
        if event.event is SUSPICION_RAISED:
            city.handed_when_recorded.update({who: handed(sandbox, who) for who in dying})
    await day_of_sending(deps)


async def day_of_sending(deps: Deps, *, all_answer: bool = False) -> None:
    """The senders work, the gateway says what became of texts, villages of what they brought; some never answer."""
    for channel in ("sms", "letter", "loudspeaker"):
        await drain(deps, channel)
    waiting = await rows_of(deps.database, "SELECT message_id, channel FROM delivery WHERE status = 'handed'")
    for channel in ("sms", "letter", "loudspeaker"):
        receipts = [
            Receipt(id=row["message_id"], delivered=row["message_id"].int % 7 != 0, reason="unreachable")
            for row in waiting
            if row["channel"] == channel and (all_answer or row["message_id"].int % 5 != 0)
        ]
        for _ in range(2):
            async with deps.database.write() as tx:
                await send.take_receipts(tx, deps, channel, receipts)


def handed(sandbox, who: UUID) -> int:
    return sum(row["handed"] for row in sandbox.state.keep.list_sms(to=f"139{who.int:08d}", limit=999))


async def test_a_year_adds_up(database):
    clock, city = FixedClock(MORNING), City(chance=random.Random(1))
    sandbox = create_app(SandboxOptions())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(sandbox)) as client:
        deps = make_deps(database, clock=clock, client=client, sms=sms_settings(second_url="http://sandbox/sms/2"))
        people = [(subject(each), city.chance.choice(["phone", "phone", "none"])) for each in range(1, PEOPLE + 1)]
        await hear(deps, table_message(CONTACTS_CHANGED, contacts(people)))
        for number in range(FORTNIGHTS):
            failing = city.chance.choice(["accept", "error", "busy"])
            sandbox.state.gateways.behaviours[1] = Behaviour(answer=failing)
            await fortnight(deps, city, sandbox, number)
            clock.move(timedelta(days=14))
            async with database.write() as tx:
                await send.tidy(tx, deps)
        clock.move(timedelta(days=40))
        sandbox.state.gateways.behaviours[1] = Behaviour()
        for _ in range(10):  # one a day and person, until nothing is held any more
            await day_of_sending(deps, all_answer=True)
            clock.move(timedelta(days=1))
        clock.move(timedelta(days=40))
        async with database.write() as tx:
            await send.tidy(tx, deps)
    await check(database, sandbox, city)


async def check(database, sandbox, city: City) -> None:
    told = await rows_of(database, "SELECT subject, template, refused, about FROM message")
    certified = Counter(row["subject"] for row in told if row["template"] == "certified")
    assert certified == city.certified  # one notice a certificate, no less, no more
    assert sum(row["template"] == "due_30" for row in told) == len(city.warned)
    assert {row["about"] for row in told if row["template"] == "notice_intended_stop"} == set(city.stops)
    # And it is told on paper or by phone, not only written down.
    brought = await rows_of(
        database, "SELECT DISTINCT subject FROM delivery WHERE template = 'certified' AND channel = 'letter'"
    )
    sent = [row for row in sandbox.state.keep.list_sms(to=None, limit=9999) if "健在认证" in row["text"]]
    assert len({(row["to"], row["text"]) for row in sent}) == len(sent)  # nobody is told one end twice
    texts = Counter(row["to"] for row in sent)
    for who in certified.keys() - city.handed_when_recorded.keys():
        letters = sum(row["subject"] == who for row in brought)
        assert 1 <= texts[f"139{who.int:08d}"] + letters <= certified[who] + 1
    # Nobody was written to after the record; what the law wants said went to others.
    assert city.handed_when_recorded
    assert {who: handed(sandbox, who) for who in city.handed_when_recorded} == city.handed_when_recorded
    assert any(who in city.handed_when_recorded for who in city.stops.values())
    # Each attempt ended once, and each stop has two channels of proof at least.
    states = await rows_of(database, "SELECT status, count(*) AS n FROM delivery GROUP BY status")
    assert {row["status"] for row in states} <= {"delivered", "failed", "refused", "merged"}
    proofs: dict[bytes, set[str]] = {}
    for event in (MESSAGE_DELIVERED, MESSAGE_FAILED):
        for row in await said(database, event):
            if row["about"]:
                proofs.setdefault(row["about"], set()).add(row["channel"])
    assert city.stops
    for stop, who in city.stops.items():
        assert len(proofs[stop.bytes]) >= 2, (stop, who in city.handed_when_recorded, proofs[stop.bytes])
