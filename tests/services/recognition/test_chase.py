"""Whoever has not said what he does with an event is run after, until a person takes over."""

from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest
from prometheus_client import REGISTRY

from services.recognition.app import make_partners
from services.recognition.jobs import ChaseLoop
from services.recognition.settings import RecognitionSettings
from shared.contracts.events.notify import RECEIPT_RECORDED
from shared.contracts.events.recognition import PARTNER_EVENTS_RECORDED
from shared.kit.db import Database
from tests.services.recognition.test_feed import URL, ack, handovers, read, revoke
from tests.services.recognition.test_jobs import ID, person
from tests.services.recognition.world import NOW, WHY, enrolled, enrolment, table_message
from tests.support.settings import settings_for

pytestmark = pytest.mark.db


@pytest.fixture
def officer(issuer):
    return issuer.headers("recognition.manage", role="officer", programs=["*"], client_id="o-1", user="officer-1")


async def test_who_does_not_answer_is_told_again_and_then_shown_to_an_officer(world, http, partner, officer, issuer):
    await world.hear(enrolled(enrolment(person(world))))
    await revoke(world, person(world))
    chase = ChaseLoop(world.deps)
    assert await chase.step() == 0
    for day, tries in ((1, 2), (2, 3)):
        world.deps.clock.move(timedelta(hours=24 * day))
        assert await chase.step() == 1
        assert await handovers(world) == [("p-1", "open", tries)]
    events = (await read(http, partner))["items"]
    assert [each["repeats"] for each in events] == [None, events[0]["event_id"], events[0]["event_id"]]
    world.deps.clock.move(timedelta(hours=72))
    assert await chase.step() == 1
    assert await handovers(world) == [("p-1", "manual", 3)]
    [shown] = (await http.get("/v1/undelivered", headers=officer)).json()["items"]
    elsewhere = issuer.headers("recognition.manage", role="officer", user="officer-1", divisions=["341621"])
    assert (await http.get("/v1/undelivered", headers=elsewhere)).json()["items"] == []
    assert (shown["client_id"], shown["event_id"], shown["state"]) == ("p-1", events[0]["event_id"], "manual")
    async with world.deps.database.write() as tx:  # another partner did not answer either
        await tx.run("CREATE TEMP TABLE other ON COMMIT DROP AS SELECT * FROM handover")
        await tx.run("UPDATE other SET client_id = 'p-2'")
        await tx.run("INSERT INTO handover SELECT * FROM other")
    page = (await http.get("/v1/undelivered?limit=1", headers=officer)).json()
    after = (await http.get(f"/v1/undelivered?limit=1&after={page['next']}", headers=officer)).json()
    assert (sorted(each["client_id"] for each in page["items"]), after["items"]) == (["p-1", "p-2"], [])
    await ack(http, partner, (await read(http, partner))["next"])
    left = (await http.get("/v1/undelivered", headers=officer)).json()["items"]
    assert [each["client_id"] for each in left] == ["p-2"]
    assert await chase.step() == 0


async def test_what_an_endpoint_took_is_told_again_and_shown_until_the_partner_answers(world, http, partner, officer):
    await world.hear(enrolled(enrolment(person(world))))
    await http.post("/v1/subscriptions", json={"url": URL}, headers=partner)
    await revoke(world, person(world))

    async def take():
        """The endpoint answers 200 to whatever was told last, and nobody behind it says a word."""
        row = (await world.said(PARTNER_EVENTS_RECORDED))[-1]
        taken = {name: row[name] for name in ("subject", "event_id")}
        taken |= {"outcome": "delivered", "attempts": 1, "recorded_at": NOW}
        await world.hear(table_message(RECEIPT_RECORDED, [taken], {"client_id": "p-1", "subscription": "s"}))

    for tries in (1, 2, 3):
        await take()
        assert await handovers(world) == [("p-1", "delivered", tries)]
        assert (await http.get("/v1/undelivered", headers=officer)).json()["items"] == []
        world.deps.clock.move(timedelta(hours=24 * tries))
        assert await ChaseLoop(world.deps).step() == 1
    await take()
    [shown] = (await http.get("/v1/undelivered", headers=officer)).json()["items"]
    assert (shown["client_id"], shown["state"], shown["tries"]) == ("p-1", "manual", 3)
    await ack(http, partner, (await read(http, partner))["next"])
    assert (await http.get("/v1/undelivered", headers=officer)).json()["items"] == []


async def test_a_partner_of_an_outside_issuer_is_run_after_once_it_has_asked(world, http, issuer, officer):
    object.__setattr__(world.deps, "partners", make_partners(settings_for(RecognitionSettings), world.deps.database))
    she = person(world)
    await world.hear(enrolled(enrolment(she)), enrolled(enrolment(she), program="old_age_allow"))
    outside = issuer.headers("recognition.check", role="partner", programs=["resident_pension"], client_id="p-5") | WHY
    for _ in range(2):
        await http.post(
            "/v1/recognitions:check", json={"program": "resident_pension", "citizen_id": ID}, headers=outside
        )
    await http.get("/v1/undelivered", headers=officer)
    await revoke(world, she)
    assert await handovers(world) == [("p-5", "open", 1)]
    more = issuer.headers("recognition.check", role="partner", programs=["*"], client_id="p-5")
    await http.get("/v1/programs", headers=more)
    assert [row["programs"] for row in await world.rows("SELECT programs FROM client")] == [["*"]]
    for days in (1, 2, 3):
        world.deps.clock.move(timedelta(days=days))
        await ChaseLoop(world.deps).step()
    [shown] = (await http.get("/v1/undelivered", headers=officer)).json()["items"]
    assert (shown["client_id"], shown["program"]) == ("p-5", "resident_pension")


@pytest.mark.parametrize("named", ["recognition_clients_file", "recognition_issuer_key_file"])
def test_where_a_file_lists_the_clients_nobody_else_becomes_one(named):
    assert make_partners(settings_for(RecognitionSettings, **{named: Path("somewhere")}), cast(Database, None)) is None


async def test_revocations_beyond_the_time_to_answer_are_counted_until_they_are_answered(world, http, partner, issuer):
    async def counted():
        await ChaseLoop(world.deps).measure()
        said = (await http.get("/v1/figures", headers=issuer.headers("operate"))).json()["revocations_unacknowledged"]
        assert REGISTRY.get_sample_value("recognition_revocations_unacknowledged") == said
        return said

    await world.hear(enrolled(enrolment(person(world))))
    await revoke(world, person(world))
    assert await counted() == 0
    world.deps.clock.move(timedelta(hours=24))
    assert await counted() == 1
    [event] = (await read(http, partner))["items"]
    for outcome, left in (("rejected", 1), ("accepted", 0)):
        item = {"event_id": event["event_id"], "outcome": outcome, "reason": "no such account"}
        await http.post("/v1/receipts", json={"items": [item]}, headers=partner)
        assert await counted() == left


async def test_an_acknowledged_event_is_left_alone(world, http, partner):
    await world.hear(enrolled(enrolment(person(world))))
    await revoke(world, person(world))
    await ack(http, partner, (await read(http, partner))["next"])
    world.deps.clock.move(timedelta(days=30))
    assert await ChaseLoop(world.deps).step() == 0
    assert await handovers(world) == [("p-1", "acknowledged", 1)]
