"""From the queue to a provider and back, with the sandbox gateway as provider."""

import asyncio
import random
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI
from typing_extensions import override

from deploy.sandbox.app import SandboxOptions, create_app
from deploy.sandbox.sms import Behaviour
from services.notify.channels import Channel
from services.notify.channels.inbox import InboxSettings, always_on
from services.notify.domain.delivery import Outcome, Reach, Receipt, Result
from services.notify.domain.schedule import opening_after
from services.notify.jobs import Sender
from services.notify.usecases import send
from services.notify.usecases.deps import Deps
from shared.contracts.events import CERTIFICATES_ISSUED, CERTIFICATIONS_DUE, CONTACTS_CHANGED, SUSPICION_RAISED
from shared.kit.bus import Message
from shared.kit.clock import FixedClock
from shared.kit.db import Database
from tests.services.notify.test_hearing import YEAR, deliveries, hear, said
from tests.services.notify.world import (
    MORNING,
    TODAY,
    certificates,
    contacts,
    drain,
    due,
    make_deps,
    rows_of,
    sms_settings,
    subject,
    suspicions,
    table_message,
)

pytestmark = pytest.mark.db


@pytest.fixture
async def database(database_for):
    return await database_for("notify")


@pytest.fixture
def clock():
    return FixedClock(MORNING)


@pytest.fixture
async def sandbox():
    app = create_app(SandboxOptions())
    yield app
    await app.state.callbacks.close()
    app.state.keep.close()


@pytest.fixture
async def client(sandbox):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(sandbox)) as made:
        yield made


@pytest.fixture
def deps(database, clock, client):
    return make_deps(database, clock=clock, client=client, sms=sms_settings())


@pytest.fixture
def two_gateways(database, clock, client):
    return make_deps(database, clock=clock, client=client, sms=sms_settings(second_url="http://sandbox/sms/2"))


async def certify(deps: Deps, *people: UUID, reachable: str = "phone", certificate: UUID | None = None) -> None:
    await hear(deps, table_message(CONTACTS_CHANGED, contacts([(who, reachable) for who in people])))
    rows = [(who, certificate or uuid4(), YEAR, None) for who in people]
    await hear(deps, table_message(CERTIFICATES_ISSUED, certificates(rows)))


def behave(sandbox: FastAPI, number: int = 1, **how: Any) -> None:
    sandbox.state.gateways.behaviours[number] = Behaviour(**how)


async def states(database: Database) -> list[tuple[Any, ...]]:
    return [(row["attempt"], row["status"], row["reason"]) for row in await deliveries(database)]


class TestHandingOver:
    async def test_the_gateway_gets_the_filled_text_once(self, deps, database, sandbox):
        await certify(deps, subject(1))
        await drain(deps)
        (sent,) = sandbox.state.keep.list_sms(to=None, limit=9)
        assert sent["text"] == (
            "【亳州人社】张建国您好！您的待遇资格已认证，有效期至2024年10月31日，3项待遇通用。在此之前无需办理任何手续。咨询电话12333。"
        )
        assert (sent["to"], sent["approval"]) == ("13900000001", "PLACEHOLDER-CERTIFIED-1")
        (delivery,) = await deliveries(database)
        assert (delivery["status"], delivery["provider"], delivery["parts"]) == ("handed", "gateway_1", 1)
        await drain(deps)
        assert sandbox.state.keep.count_sms() == {"messages": 1, "phones": 1, "again": 0}

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
        await hear(deps, table_message(CERTIFICATIONS_DUE, due([(subject(1), TODAY + timedelta(days=60))])))
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


class TestTrouble:
    async def test_a_gateway_that_refuses_is_tried_again_later_then_given_up(self, deps, database, clock, sandbox):
        behave(sandbox, answer="error")
        await certify(deps, subject(1))
        for _ in range(8):
            await drain(deps)
            clock.move(timedelta(hours=1))
        assert [row[:2] for row in await states(database)] == [(number, "failed") for number in range(1, 7)]

    async def test_another_gateway_takes_over_at_once(self, two_gateways, database, sandbox):
        behave(sandbox, answer="error")
        await certify(two_gateways, subject(1))
        await drain(two_gateways)
        (sent,) = sandbox.state.keep.list_sms(to=None, limit=9)
        assert sent["gateway"] == 2
        (delivery,) = await deliveries(database)
        assert (delivery["attempt"], delivery["status"], delivery["provider"]) == (1, "handed", "gateway_2")

    async def test_a_rejected_message_fails_once_and_is_not_tried_again(self, deps, database, sandbox):
        behave(sandbox, answer="reject")
        await certify(deps, subject(1))
        await drain(deps)
        assert await states(database) == [(1, "failed", "rejected")]

    async def test_a_busy_gateway_gets_it_later_under_the_same_id(self, deps, database, clock, sandbox):
        behave(sandbox, answer="busy")
        await certify(deps, subject(1))
        await drain(deps)
        behave(sandbox)
        clock.move(timedelta(minutes=1))
        await drain(deps)
        assert await states(database) == [(1, "failed", "busy"), (2, "handed", None)]

    @pytest.mark.parametrize("error", [httpx.ReadTimeout, httpx.ReadError, httpx.RemoteProtocolError])
    async def test_an_answer_that_was_lost_is_asked_for_again_from_the_same_gateway(
        self, database, clock, sandbox, error
    ):
        real = httpx.ASGITransport(sandbox)
        lost = [True]

        class Losing(httpx.AsyncBaseTransport):
            @override
            async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
                answer = await real.handle_async_request(request)
                if lost:
                    lost.pop()
                    msg = "the answer was lost"
                    raise error(msg)
                return answer

        async with httpx.AsyncClient(transport=Losing()) as client:
            deps = make_deps(database, clock=clock, client=client, sms=sms_settings(second_url="http://sandbox/sms/2"))
            await certify(deps, subject(1))
            await drain(deps)
            clock.move(timedelta(minutes=1))
            await drain(deps)
        (sent,) = sandbox.state.keep.list_sms(to=None, limit=9)
        assert (sent["gateway"], sent["handed"]) == (1, 2)
        assert [row[:2] for row in await states(database)] == [(1, "failed"), (2, "handed")]

    async def test_an_answer_that_cannot_be_read_is_no_answer(self, database, clock):
        async with httpx.AsyncClient(
            transport=httpx.MockTransport(lambda _: httpx.Response(200, content=b"<html>"))
        ) as client:
            deps = make_deps(database, clock=clock, client=client, sms=sms_settings())
            await certify(deps, subject(1))
            await drain(deps)
        assert [row[2] for row in await states(database)] == ["unreadable_answer", None]

    async def test_a_fault_in_a_channel_counts_as_a_try(self, database, clock):
        def open_sender(_settings, _client):
            async def fail(_batch):
                raise RuntimeError

            return fail

        broken = Channel(
            code="voice", label="v", reference="r", reaches=Reach.PHONE, settings=InboxSettings, off_because=always_on,
            open=open_sender, speaks_like="inbox", waits=(1,),
        )  # fmt: skip
        deps = make_deps(database, clock=clock, more={"voice": broken})
        await certify(deps, subject(1))
        for _ in range(3):
            await drain(deps, "voice")
            clock.move(timedelta(minutes=1))
        assert await states(database) == [(1, "failed", "runtimeerror"), (2, "failed", "runtimeerror")]


def receipt(message_id: UUID, *, delivered: bool = True) -> Receipt:
    return Receipt(id=message_id, delivered=delivered, reason="" if delivered else "unreachable")


class TestReceipts:
    async def test_a_receipt_ends_the_delivery_and_is_said_once(self, deps, database):
        await certify(deps, subject(1))
        await drain(deps)
        (delivery,) = await deliveries(database)
        async with database.write() as tx:
            assert await send.take_receipts(tx, deps, "sms", [receipt(delivery["message_id"])] * 2) == 1
        async with database.write() as tx:
            assert await send.take_receipts(tx, deps, "sms", [receipt(delivery["message_id"])]) == 0
        assert await states(database) == [(1, "delivered", None)]
        assert [row["channel"] for row in await said(database)] == ["inbox", "sms"]

    @pytest.mark.parametrize("seed", range(4))
    async def test_receipts_in_any_order_give_the_same_end(self, deps, database, seed):
        people = [subject(number) for number in range(1, 7)]
        await certify(deps, *people)
        await drain(deps)
        ids = {row["subject"]: row["message_id"] for row in await deliveries(database)}
        receipts = [receipt(ids[who]) for who in people[:4]]
        receipts += [receipt(ids[who], delivered=False) for who in people[2:]]
        receipts += receipts
        random.Random(seed).shuffle(receipts)
        while receipts:
            async with database.write() as tx:
                await send.take_receipts(tx, deps, "sms", receipts[:3])
            receipts = receipts[3:]
        assert [row["status"] for row in await deliveries(database)] == ["delivered"] * 4 + ["failed"] * 2
        told = [row["subject"] for row in await said(database) if row["channel"] == "sms"]
        assert sorted(told) == [who.bytes for who in people[:4]]

    async def test_a_receipt_before_the_answer_is_not_overwritten_by_it(self, deps, database):
        await certify(deps, subject(1))
        async with database.write() as tx:
            claimed, _ = await send.claim(tx, deps, "sms", legal_only=False)
        ready = send.make_ready(deps, "sms", claimed)
        async with database.write() as tx:
            await send.take_receipts(tx, deps, "sms", [receipt(ready.outgoing[0].id)])
        async with database.write() as tx:
            late = [Result(id=ready.outgoing[0].id, outcome=Outcome.AGAIN, reason="readtimeout")]
            await send.record(tx, deps, "sms", late, ready)
        assert await states(database) == [(1, "delivered", None)]

    @pytest.mark.parametrize("outcome", [Outcome.HANDED, Outcome.AGAIN])
    async def test_a_receipt_at_the_very_moment_of_the_answer_is_not_lost(
        self, committing_database_for, client, outcome
    ):
        database = await committing_database_for("notify")
        deps = make_deps(database, client=client, sms=sms_settings())
        await certify(deps, *(subject(number) for number in range(1, 51)))
        async with database.write() as tx:
            claimed, _ = await send.claim(tx, deps, "sms", legal_only=False)
        ready = send.make_ready(deps, "sms", claimed)
        receipts = [receipt(each.id) for each in reversed(ready.outgoing)]

        async def take() -> int:
            async with database.write() as tx:
                return await send.take_receipts(tx, deps, "sms", receipts)

        async with database.write() as tx:
            results = [Result(id=each.id, outcome=outcome) for each in ready.outgoing]
            await send.record(tx, deps, "sms", results, ready)
            callback = asyncio.create_task(take())
            await asyncio.sleep(0.3)
        assert await callback == 50
        found = [row[:2] for row in await states(database)]
        assert found.count((1, "delivered")) == 50
        assert found.count((2, "merged")) == (50 if outcome is Outcome.AGAIN else 0)

    async def test_a_receipt_for_a_lost_answer_stops_the_next_try(self, deps, database, clock, sandbox):
        await certify(deps, subject(1))
        async with database.write() as tx:
            claimed, _ = await send.claim(tx, deps, "sms", legal_only=False)
        ready = send.make_ready(deps, "sms", claimed)
        async with database.write() as tx:
            lost = [Result(id=ready.outgoing[0].id, outcome=Outcome.AGAIN, reason="readtimeout")]
            await send.record(tx, deps, "sms", lost, ready)
        async with database.write() as tx:
            await send.take_receipts(tx, deps, "sms", [receipt(ready.outgoing[0].id)])
        clock.move(timedelta(hours=1))
        await drain(deps)
        assert sandbox.state.keep.count_sms()["messages"] == 0
        assert [row[:2] for row in await states(database)] == [(1, "delivered"), (2, "merged")]

    async def test_receipts_about_strangers_change_nothing(self, deps, database):
        async with database.write() as tx:
            assert await send.take_receipts(tx, deps, "sms", [receipt(uuid4())]) == 0


class TestDeadAreNeverWrittenTo:
    @pytest.mark.parametrize("seed", range(5))
    async def test_nobody_is_handed_over_after_the_record(self, deps, clock, sandbox, seed):
        """Events, sends, failures and time in a random order: after a record, no hand-over of that person."""
        chance = random.Random(seed)
        people = [subject(number) for number in range(1, 11)]
        handed_before: dict[UUID, int] = {}
        for step in range(40):
            who = chance.choice(people)
            message = random_event(chance, who, people, step)
            if message is not None:
                await hear(deps, message)
                if message.event is SUSPICION_RAISED:
                    handed_before.setdefault(who, handed(sandbox, who))
            elif chance.random() < 0.3:
                behave(sandbox, answer=chance.choice(["accept", "error", "busy"]))
            elif chance.random() < 0.3:
                clock.move(timedelta(hours=chance.choice([1, 5, 30])))
            else:
                await drain(deps)
        behave(sandbox)
        clock.move(opening_after(clock.now() + timedelta(days=1), deps.hours) - clock.now())
        await drain(deps)
        assert handed_before
        assert {who: handed(sandbox, who) for who in handed_before} == handed_before


def random_event(chance: random.Random, who: UUID, people: list[UUID], step: int) -> Message | None:
    """Something that happens, or None for a turn of sender, gateway or clock."""
    what = chance.choice(["certify", "due", "contact", "die", None, None, None])
    if what == "certify":
        row = (who, UUID(int=step + 1000), YEAR + timedelta(days=step), None)
        return table_message(CERTIFICATES_ISSUED, certificates([row]))
    if what == "due":
        return table_message(CERTIFICATIONS_DUE, due([(who, date(2024, 1, 1 + step % 28))]))
    if what == "contact":
        return table_message(CONTACTS_CHANGED, contacts([(each, "phone") for each in people]))
    if what == "die":
        kind = chance.choice(["suspected_death", "conflict"])
        return table_message(SUSPICION_RAISED, suspicions([(who, UUID(int=step), kind, 1)]))
    return None


def handed(sandbox: FastAPI, who: UUID) -> int:
    """How often anything for a person was handed over."""
    return sum(row["handed"] for row in sandbox.state.keep.list_sms(to=f"139{who.int:08d}", limit=99))


class TestTheLoop:
    async def test_the_sender_wakes_for_new_messages_and_stops_cleanly(self, committing_database_for, client, sandbox):
        database = await committing_database_for("notify")
        deps = make_deps(database, client=client, sms=sms_settings())
        loop = asyncio.create_task(Sender(deps, "sms").run())
        await certify(deps, *(subject(number) for number in range(1, 1201)))
        for _ in range(200):
            found = await rows_of(database, "SELECT count(*) AS n FROM delivery WHERE status = 'handed'")
            if found[0]["n"] == 1200:
                break
            await asyncio.sleep(0.02)
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)
        assert sandbox.state.keep.count_sms() == {"messages": 1200, "phones": 1200, "again": 0}

    async def test_two_senders_never_take_the_same_delivery(self, committing_database_for, client, sandbox):
        database = await committing_database_for("notify")
        deps = make_deps(database, client=client, sms=sms_settings())
        await certify(deps, *(subject(number) for number in range(1, 2001)))
        await asyncio.gather(*(Sender(deps, "sms").drain() for _ in range(3)))
        assert sandbox.state.keep.count_sms() == {"messages": 2000, "phones": 2000, "again": 0}
