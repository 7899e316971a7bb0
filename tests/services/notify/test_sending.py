"""From the queue to a provider and back, with the sandbox gateway as provider."""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest

from services.notify.domain.delivery import Outcome, Result
from services.notify.jobs import Sender
from services.notify.usecases import send
from shared.contracts.events import CERTIFICATES_ISSUED, CERTIFICATIONS_DUE, SUSPICION_RAISED
from tests.services.notify.world import (
    MORNING,
    YEAR,
    behave,
    certificates,
    certify,
    deliveries,
    drain,
    due,
    hear,
    make_deps,
    receipt,
    rows_of,
    sms_settings,
    states,
    subject,
    suspicions,
    table_message,
)

pytestmark = pytest.mark.db


class TestHandingOver:
    @pytest.mark.parametrize("told", [[False, True], [True]], ids=["handed", "read"])
    async def test_what_has_been_handed_over_or_read_is_not_changed_beneath_its_text(
        self, deps, database, clock, sandbox, told
    ):
        later, middle = YEAR + timedelta(days=61), YEAR + timedelta(days=30)
        await certify(deps, subject(1))
        if False in told:
            await drain(deps)
        else:  # before anybody had handed it over
            async with database.write() as tx:
                await tx.run("UPDATE message SET read_at = $1", clock.now())
        for end in (later, later, middle):
            await hear(deps, table_message(CERTIFICATES_ISSUED, certificates([(subject(1), uuid4(), end, YEAR)])))
        clock.move(timedelta(days=1))
        await drain(deps)
        rows = await rows_of(database, "SELECT variables FROM message ORDER BY revision")
        assert [row["variables"]["valid_until"] for row in rows] == [YEAR.isoformat(), later.isoformat()]
        texts = [row["text"] for row in sandbox.state.keep.list_sms(to=None, limit=9)]
        assert sorted("2024年12月31日" in text for text in texts) == told

    async def test_the_gateway_gets_the_filled_text_once(self, deps, database, sandbox):
        await certify(deps, subject(1))
        await drain(deps)
        (sent,) = sandbox.state.keep.list_sms(to=None, limit=9)
        assert sent["text"] == (
            "【亳州人社】张建国您好！您已通过健在认证，有效期至2024年10月31日，3项待遇在此前无需办手续，还要核对的另行告知。电话12333。"
        )
        assert (sent["to"], sent["approval"]) == ("13900000001", "PLACEHOLDER-CERTIFIED-3")
        (delivery,) = await deliveries(database)
        assert (delivery["status"], delivery["provider"], delivery["parts"]) == ("handed", "gateway_1", 1)
        await drain(deps)
        assert sandbox.state.keep.count_sms() == {"messages": 1, "phones": 1, "again": 0, "twice": 0}

    async def test_who_has_no_phone_is_told_through_the_family(self, deps, sandbox):
        await certify(deps, subject(1), reachable="family")
        await drain(deps)
        (sent,) = sandbox.state.keep.list_sms(to=None, limit=9)
        assert sent["to"] == "13800000001"
        assert "您家人张建国" in sent["text"]

    async def test_a_contact_moved_from_another_person_is_not_opened(self, deps, database, sandbox):
        await certify(deps, subject(1))
        async with database.write() as tx:
            await tx.run("UPDATE delivery SET subject = $1", subject(2))
            await tx.run("UPDATE contact SET subject = $1", subject(2))
        await drain(deps)
        assert sandbox.state.keep.count_sms()["messages"] == 0
        assert await states(database) == [(1, "failed", "seal_broken")]

    async def test_legal_notices_leave_before_the_bulk(self, deps, sandbox):
        await certify(deps, *(subject(number) for number in range(1, 5)))
        async with deps.database.write() as tx:
            await tx.run("UPDATE delivery SET lane = 0 WHERE subject = $1", subject(3))
        async with deps.database.write() as tx:
            claimed, _ = await send.claim(tx, deps, "sms", legal_only=True)
        assert [each.subject for each in claimed] == [subject(3)]
        await drain(deps)
        assert {each["to"] for each in sandbox.state.keep.list_sms(to=None, limit=9)} == {
            "13900000001", "13900000002", "13900000004",
        }  # fmt: skip

    async def test_a_claimed_delivery_is_nobody_elses_until_its_lease_ends(self, deps, database):
        await certify(deps, subject(1))
        async with database.write() as tx:
            first, _ = await send.claim(tx, deps, "sms", legal_only=False)
        async with database.write() as tx:
            second, _ = await send.claim(tx, deps, "sms", legal_only=False)
        assert (len(first), len(second)) == (1, 0)
        async with database.write() as tx:
            assert await send.tidy(tx, deps) == 0
            await tx.run("UPDATE delivery SET leased_until = now() - interval '1 second'")
            assert await send.tidy(tx, deps) == 1
        await drain(deps)
        assert await states(database) == [(1, "handed", None)]

    async def test_outside_the_hours_only_legal_notices_leave(self, deps, database, clock, sandbox):
        await certify(deps, subject(1), subject(2))
        async with database.write() as tx:
            await tx.run("UPDATE delivery SET lane = 0 WHERE subject = $1", subject(2))
        clock.move(timedelta(hours=14))
        await drain(deps)
        assert [each["to"] for each in sandbox.state.keep.list_sms(to=None, limit=9)] == ["13900000002"]
        async with database.read() as tx:
            assert await send.count_working(tx, deps) == 0
        clock.move(timedelta(hours=10))
        async with database.read() as tx:
            assert await send.count_working(tx, deps) == 1

    async def test_one_text_message_a_day_and_person(self, deps, database, clock, sandbox):
        await certify(deps, subject(1), certificate=UUID(int=1))
        await hear(deps, table_message(CERTIFICATIONS_DUE, due([(subject(1), YEAR + timedelta(days=60))])))
        await drain(deps)
        assert sandbox.state.keep.count_sms()["messages"] == 1
        held = [row for row in await deliveries(database) if row["status"] == "queued"]
        assert [(row["reason"], row["due_at"]) for row in held] == [
            ("one_a_day", datetime.fromisoformat("2023-11-02T08:00+08:00"))
        ]
        clock.move(timedelta(days=1))
        await drain(deps)
        assert sandbox.state.keep.count_sms()["messages"] == 2

    async def test_a_late_death_record_stops_what_was_to_be_tried_again(self, deps, database, clock, sandbox):
        behave(sandbox, answer="error")
        await certify(deps, subject(1))
        await drain(deps)
        assert await states(database) == [(1, "failed", "http_500"), (2, "queued", None)]
        await hear(deps, table_message(SUSPICION_RAISED, suspicions([(subject(1), uuid4(), "suspected_death", 1)])))
        behave(sandbox)
        clock.move(timedelta(hours=1))
        await drain(deps)
        assert sandbox.state.keep.count_sms()["messages"] == 0
        assert await states(database) == [(1, "failed", "http_500"), (2, "refused", "recorded_dead")]

    async def test_a_death_recorded_while_the_gateway_is_asked_stops_the_next_try(self, deps, database, clock):
        await certify(deps, subject(1))
        async with database.write() as tx:
            claimed, _ = await send.claim(tx, deps, "sms", legal_only=False)
        ready = send.make_ready(deps, "sms", claimed)
        await hear(deps, table_message(SUSPICION_RAISED, suspicions([(subject(1), uuid4(), "suspected_death", 1)])))
        async with database.write() as tx:
            again = [Result(id=ready.outgoing[0].id, outcome=Outcome.AGAIN, reason="busy")]
            await send.record(tx, deps, "sms", again, ready)
        assert await states(database) == [(1, "failed", "busy"), (2, "refused", "recorded_dead")]


class TestRedriving:
    async def test_what_no_provider_took_is_tried_once_more_when_its_cause_is_mended(
        self, http, deps, database, clock, sandbox, issuer
    ):
        operator = issuer.headers("operate")
        behave(sandbox, answer="reject")
        await certify(deps, subject(1), subject(2), subject(3))
        await drain(deps)
        assert await states(database) == [(1, "failed", "rejected")] * 3
        death = table_message(SUSPICION_RAISED, suspicions([(subject(3), uuid4(), "suspected_death", 1)]))
        await hear(deps, death)
        behave(sandbox)
        clock.move(timedelta(hours=12))
        since = {"channel": "sms", "since": MORNING.isoformat()}
        for asked, queued in (
            ({**since, "reason": "http_500"}, 0),
            ({**since, "since": (MORNING + timedelta(seconds=1)).isoformat()}, 0),
            (since, 2),
            (since, 0),
        ):
            answer = await http.post("/v1/deliveries:redrive", json=asked, headers=operator)
            assert (answer.status_code, answer.json()) == (202, {"queued": queued}), asked
        await drain(deps)
        assert sandbox.state.keep.count_sms()["messages"] == 0, "it is night"
        clock.move(timedelta(hours=12))
        await drain(deps)
        assert [row[:2] for row in await states(database)] == [
            (1, "failed"), (2, "handed"), (1, "failed"), (2, "handed"), (1, "failed"),
        ]  # fmt: skip
        taken = [receipt(row["message_id"], delivered=False) for row in await deliveries(database)]
        async with database.write() as tx:
            await send.take_receipts(tx, deps, "sms", taken)
        # The provider took them: under the same id it would send nothing.
        again = await http.post("/v1/deliveries:redrive", json=since, headers=operator)
        assert again.json() == {"queued": 0}

    async def test_only_the_operator_and_only_where_it_sends(self, http, issuer):
        body = {"channel": "email", "since": MORNING.isoformat()}
        off = await http.post("/v1/deliveries:redrive", json=body, headers=issuer.headers("operate"))
        assert (off.status_code, off.json()["code"]) == (409, "channel_off")
        reader = issuer.headers("notify.read")
        assert (await http.post("/v1/deliveries:redrive", json=body, headers=reader)).status_code == 403


class TestTheLoop:
    async def test_the_sender_wakes_for_new_messages_and_stops_cleanly(self, committing_database_for, client, sandbox):
        database = await committing_database_for("notify")
        deps = make_deps(database, client=client, sms=sms_settings())
        loop = asyncio.create_task(Sender(deps, "sms").run())
        await certify(deps, *(subject(number) for number in range(1, 1201)))
        async with asyncio.timeout(60):
            while (await rows_of(database, "SELECT count(*) FROM delivery WHERE status = 'handed'"))[0]["count"] < 1200:
                await asyncio.sleep(0.02)
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)
        assert sandbox.state.keep.count_sms() == {"messages": 1200, "phones": 1200, "again": 0, "twice": 0}

    async def test_two_senders_never_take_the_same_delivery(self, committing_database_for, client, sandbox):
        database = await committing_database_for("notify")
        deps = make_deps(database, client=client, sms=sms_settings())
        await certify(deps, *(subject(number) for number in range(1, 2001)))
        await asyncio.gather(*(Sender(deps, "sms").drain() for _ in range(3)))
        assert sandbox.state.keep.count_sms() == {"messages": 2000, "phones": 2000, "again": 0, "twice": 0}
