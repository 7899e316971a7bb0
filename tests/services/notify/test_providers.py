"""A provider that refuses, hangs, answers late or not at all: each message ends once, by another way in time."""

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from typing_extensions import override

from services.notify.channels import Channel
from services.notify.channels.inbox import InboxSettings, always_on
from services.notify.domain.delivery import Reach
from services.notify.usecases import send
from shared.contracts.events.notify import MESSAGE_FAILED
from shared.kit.db import Database
from tests.services.notify.world import (
    MORNING,
    behave,
    certify,
    deliveries,
    drain,
    make_deps,
    receipt,
    rows_of,
    said,
    sms_settings,
    states,
    subject,
)

pytestmark = pytest.mark.db

FAIL_OVER_SECONDS = 220
"""Three calls of ten seconds to the first gateway, and the waits of 5, 30 and 120 s after them, spread by a fifth."""


@pytest.fixture
def two_gateways(database, clock, client):
    return make_deps(database, clock=clock, client=client, sms=sms_settings(second_url="http://sandbox/sms/2"))


class TestTrouble:
    async def test_a_gateway_that_refuses_is_tried_again_later_then_given_up(self, deps, database, clock, sandbox):
        behave(sandbox, answer="error")
        await certify(deps, subject(1))
        for _ in range(8):
            await drain(deps)
            clock.move(timedelta(hours=1))
        assert [row[:2] for row in await states(database)] == [(number, "failed") for number in range(1, 7)]

    async def test_where_one_gateway_certainly_took_nothing_another_has_it_at_once(
        self, two_gateways, database, sandbox
    ):
        behave(sandbox, answer="refuse")
        await certify(two_gateways, subject(1))
        await drain(two_gateways)
        (sent,) = sandbox.state.keep.list_sms(to=None, limit=9)
        assert sent["gateway"] == 2
        (delivery,) = await deliveries(database)
        assert (delivery["attempt"], delivery["status"], delivery["provider"]) == (1, "handed", "gateway_2")

    @pytest.mark.parametrize("receipts", [True, False])
    async def test_what_a_gateway_may_have_taken_is_left_to_it_until_its_receipts_should_have_come(
        self, two_gateways, database, clock, sandbox, receipts
    ):
        behave(sandbox, answer="accept_and_error")
        await certify(two_gateways, subject(1))
        for seconds in (7, 37):
            await drain(two_gateways)
            clock.move(timedelta(seconds=seconds))
        behave(sandbox, answer="refuse")
        await drain(two_gateways)
        assert sandbox.state.keep.count_sms() == {"messages": 1, "phones": 1, "again": 1, "twice": 0}
        if receipts:
            (sent,) = sandbox.state.keep.list_sms(to=None, limit=9)
            async with database.write() as tx:
                await send.take_receipts(tx, two_gateways, "sms", [receipt(UUID(sent["id"]))])
        clock.move(timedelta(seconds=150))
        await drain(two_gateways)
        assert sandbox.state.keep.count_sms()["twice"] == (0 if receipts else 1)
        ended = await rows_of(database, "SELECT status FROM delivery WHERE status <> 'failed'")
        assert [row["status"] for row in ended] == (["delivered", "merged"] if receipts else ["handed"])

    @pytest.mark.parametrize("status", [202, 302, 500, 502, 503, 504])
    async def test_no_other_gateway_is_asked_after_an_answer_that_proves_nothing(self, database, clock, status):
        asked = []

        def answer(request: httpx.Request) -> httpx.Response:
            asked.append(request.url.path)
            return httpx.Response(status)

        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
            deps = make_deps(database, clock=clock, client=client, sms=sms_settings(second_url="http://sandbox/sms/2"))
            await certify(deps, subject(1))
            await drain(deps)
        assert asked == ["/sms/1/messages"]
        assert [row[1:] for row in await states(database)] == [("failed", f"http_{status}"), ("queued", None)]

    async def test_after_a_lost_sender_no_other_gateway_is_asked_at_once(self, two_gateways, database, sandbox):
        await certify(two_gateways, subject(1))
        async with database.write() as tx:
            claimed, _ = await send.claim(tx, two_gateways, "sms", legal_only=False)
            await tx.run("UPDATE delivery SET leased_until = now() - interval '1 s'")
            await send.tidy(tx, two_gateways)
        await two_gateways.senders["sms"](send.make_ready(two_gateways, "sms", claimed).outgoing)
        behave(sandbox, answer="refuse")
        await drain(two_gateways)
        assert sandbox.state.keep.count_sms()["twice"] == 0

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
        # What it bills is counted once, at the call of which nobody knows whether it was the one.
        assert [row["parts"] for row in await deliveries(database)] == [1, 0]

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

    async def test_where_one_gateway_hangs_the_other_has_it_before_the_deadline(self, database, clock, sandbox):
        real = httpx.ASGITransport(sandbox)
        settings = sms_settings(second_url="http://sandbox/sms/2")

        class Hanging(httpx.AsyncBaseTransport):
            @override
            async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
                if request.url.path.startswith("/sms/1"):
                    clock.move(timedelta(seconds=settings.seconds))
                    msg = "no answer"
                    raise httpx.ReadTimeout(msg)
                return await real.handle_async_request(request)

        async with httpx.AsyncClient(transport=Hanging()) as client:
            # The longest spread there is.
            deps = replace(make_deps(database, clock=clock, client=client, sms=settings), jitter=lambda: 0.999)
            await certify(deps, subject(1))
            while sandbox.state.keep.count_sms()["messages"] == 0:
                await drain(deps)
                clock.move(timedelta(seconds=1))
                assert clock.now() - MORNING < timedelta(seconds=FAIL_OVER_SECONDS)
        assert [row[:2] for row in await states(database)] == [
            (1, "failed"), (2, "failed"), (3, "failed"), (4, "handed"),
        ]  # fmt: skip


DONE_BY_THE_SANDBOX = ("busy", "reject", "refuse", "error", "accept_and_error")
FATES = ("well", "well", *DONE_BY_THE_SANDBOX, "hangs", "lost", "late", "away", "504")


class Weather(httpx.AsyncBaseTransport):
    """Providers on a bad day: each call ends in some other way, taken or not."""

    def __init__(self, app: FastAPI, chance: random.Random, late: Callable[[], Awaitable[None]]) -> None:
        self._real = httpx.ASGITransport(app)
        self._app = app
        self._chance = chance
        self._late = late

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        fate = self._chance.choice(FATES)
        for number in (1, 2):
            behave(self._app, number, answer=fate if fate in DONE_BY_THE_SANDBOX else "accept")
        if fate == "away":
            raise httpx.ConnectError(fate)
        if fate == "hangs":
            raise httpx.ReadTimeout(fate)
        answer = await self._real.handle_async_request(request)
        if fate == "lost":
            raise httpx.ReadTimeout(fate)
        if fate == "late":
            await self._late()
        return httpx.Response(504) if fate == "504" else answer


@pytest.mark.parametrize("seed", range(2))
async def test_on_a_bad_day_each_message_ends_once_and_nobody_has_it_twice(database, clock, sandbox, seed):
    """Time-outs, 500, late answers after the lease, receipts lost, twice and in any order: one end, said once."""
    chance = random.Random(seed)

    async def late() -> None:
        # The lease has ended before the answer comes: another sender has the delivery by then.
        async with database.write() as tx:
            await tx.run("UPDATE delivery SET leased_until = now() - interval '1 s' WHERE status = 'sending'")
            await send.tidy(tx, deps)

    async with httpx.AsyncClient(transport=Weather(sandbox, chance, late)) as client:
        deps = make_deps(database, clock=clock, client=client, sms=sms_settings(second_url="http://sandbox/sms/2"))
        # A few at a time, so that each meets another fate.
        small = replace(deps.channels["sms"].channel, batch=3)
        deps = replace(deps, channels={**deps.channels, "sms": replace(deps.channels["sms"], channel=small)})
        people = [subject(number) for number in range(1, 31)]
        for who in people:
            await certify(deps, who)
        for _ in range(14):
            await drain(deps)
            taken = [UUID(row["id"]) for row in sandbox.state.keep.list_sms(to=None, limit=99)]
            told = [receipt(each, delivered=each.int % 3 != 0) for each in taken if chance.random() < 0.4] * 2
            chance.shuffle(told)
            for at in range(0, len(told), 7):
                async with database.write() as tx:
                    await send.take_receipts(tx, deps, "sms", told[at : at + 7])
            clock.move(timedelta(minutes=chance.choice([1, 20, 60])))
        clock.move(timedelta(days=4))
        async with database.write() as tx:
            await send.tidy(tx, deps)
    await check_that_each_ended_once(database, people)
    await check_that_nobody_has_it_twice(database, sandbox)


async def check_that_nobody_has_it_twice(database: Database, sandbox: FastAPI) -> None:
    """A second gateway has only what the first one left unanswered, without a receipt, for all of its tries."""
    taken = Counter(UUID(row["id"]) for row in sandbox.state.keep.list_sms(to=None, limit=999))
    waited = await rows_of(database, "SELECT message_id, max(attempt) AS tries FROM delivery GROUP BY 1")
    late = {row["message_id"] for row in waited if row["tries"] > 3}
    assert {message_id for message_id, gateways in taken.items() if gateways > 1} <= late


async def check_that_each_ended_once(database: Database, people: Sequence[UUID]) -> None:
    rows = [row for row in await deliveries(database) if row["channel"] == "sms"]
    assert {row["subject"] for row in rows} == set(people)
    assert {row["status"] for row in rows} <= {"delivered", "failed", "merged"}
    reached = Counter(row["message_id"] for row in rows if row["status"] == "delivered")
    assert len(reached) > len(people) / 4
    proved, given_up = [
        Counter(UUID(bytes=row["message_id"]) for row in told if row["channel"] == "sms")
        for told in (await said(database), await said(database, MESSAGE_FAILED))
    ]
    assert proved == reached == dict.fromkeys(reached, 1)
    # One that was given up before its receipt came was told as failed, once, and is delivered all the same.
    assert {row["message_id"] for row in rows} - set(reached) <= set(given_up)
    assert max(given_up.values()) == 1
    # What a receipt calls lost is never told as delivered.
    assert all(each.int % 3 != 0 for each in reached)
