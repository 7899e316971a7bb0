"""Webhooks to a partner's real socket: proved first, signed for any library, repeated until heard, never to a private net."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import httpx
import orjson
import pytest
from standardwebhooks.webhooks import Webhook

from deploy.sandbox.hooks import Reception
from services.notify.channels.webhook import Answer
from services.notify.domain.endpoints import WAITS
from services.notify.store import endpoints
from services.notify.usecases import webhooks
from shared.contracts.events.notify import RECEIPT_RECORDED
from shared.contracts.events.recognition import SubscriptionChanged
from shared.contracts.vocabulary import SubscriptionStatus
from shared.kit import trace
from shared.kit.bus import PoisonError
from shared.kit.clock import wall
from tests.services.notify.hooks import (
    CLIENT,
    LOCAL,
    SECOND,
    SECRET,
    heard,
    post_all,
    poster_of,
    recorded,
    subscription,
    with_poster,
)
from tests.services.notify.world import MORNING, hear, make_deps, rows_of, said

pytestmark = pytest.mark.db


@pytest.fixture
def deps(posting):
    return posting


def behave(sandbox, name="civil", **how) -> None:
    sandbox.state.receivers.behaviours[name] = Reception(**how)


async def state(database) -> tuple[str, str]:
    (row,) = await rows_of(database, "SELECT status, reason FROM endpoint")
    return row["status"], row["reason"]


async def changes(database) -> list[tuple[str, str]]:
    rows = await rows_of(database, "SELECT body FROM outbox WHERE subject = 'notify.endpoint.changed.v1' ORDER BY seq")
    facts = [orjson.loads(row["body"]) for row in rows]
    return [(fact["status"], fact["reason"]) for fact in facts]


class TestProving:
    async def test_an_endpoint_that_answers_its_challenge_hears_everything_since_it_was_asked_for(
        self, deps, database, sandbox, receiver
    ):
        await hear(deps, recorded([1]))
        deps.clock.move(timedelta(seconds=1))
        await hear(deps, subscription(url=receiver))
        await hear(deps, recorded([2, 3]))
        await post_all(deps)
        await hear(deps, recorded([3, 4]))
        await post_all(deps)
        assert heard(sandbox) == [2, 3, 4]
        assert await changes(database) == [("active", "challenge_answered")]

    async def test_one_that_does_not_is_disabled_after_some_tries_and_hears_nothing(
        self, deps, database, clock, sandbox, receiver
    ):
        behave(sandbox, proves=False)
        await hear(deps, subscription(url=receiver))
        await hear(deps, recorded([1]))
        for _ in range(6):
            await post_all(deps)
            clock.move(timedelta(hours=1))
        assert heard(sandbox) == []
        assert await changes(database) == [("disabled", "challenge_not_answered")]
        (told,) = await rows_of(database, "SELECT audience, recipient, template FROM message")
        assert told == {"audience": "partner", "recipient": CLIENT, "template": "endpoint_stopped"}

    async def test_a_moved_endpoint_is_proved_again_and_a_changed_one_is_not(self, deps, database, sandbox, receiver):
        await hear(deps, subscription(url=receiver))
        await post_all(deps)
        await hear(deps, subscription(url=receiver, version=2, kinds=["enrolment.suspended"]))
        assert (await state(database))[0] == "active"
        await hear(deps, subscription(url=receiver + "2", version=3))
        assert (await state(database))[0] == "pending"
        await hear(deps, subscription(url=receiver, version=2))
        (row,) = await rows_of(database, "SELECT url, version FROM endpoint")
        assert row == {"url": receiver + "2", "version": 3}
        await hear(deps, subscription(url=receiver, version=4, status=SubscriptionStatus.ENDED))
        await hear(deps, recorded([1]))
        await post_all(deps)
        assert heard(sandbox) == []

    async def test_only_kinds_and_programs_that_were_asked_for_are_posted(self, deps, sandbox, receiver):
        await hear(deps, subscription(url=receiver, kinds=["enrolment.suspended"], programs=["dibao"]))
        await hear(deps, subscription(2, url=receiver.replace("civil", "all"), programs=["*"]))
        await post_all(deps)
        await hear(deps, recorded([1], kind="enrolment.suspended"))
        await hear(deps, recorded([2], kind="certificate.issued"))
        await hear(deps, recorded([3], kind="enrolment.suspended", program="orphan"))
        await hear(deps, recorded([4], kind="enrolment.suspended", client="health"))
        await post_all(deps)
        assert (heard(sandbox), sorted(heard(sandbox, "all"))) == ([1], [1, 2, 3])

    async def test_a_secret_sealed_for_another_subscription_is_poison(self, deps, receiver):
        message = subscription(1, url=receiver)
        moved = message.fact(SubscriptionChanged).model_copy(update={"subscription_id": UUID(int=2)})
        with pytest.raises(PoisonError):
            await hear(deps, type(message)(**{**_parts(message), "body": moved.model_dump_json().encode()}))


def _parts(message):
    return {name: getattr(message, name) for name in ("id", "event", "shard", "attributes", "happened_at", "body")}


class TestSignatures:
    async def test_the_public_library_verifies_every_webhook_and_bodies_are_thin(self, deps, sandbox, receiver):
        behave(sandbox, secrets=[SECRET])
        await hear(deps, subscription(url=receiver))
        await post_all(deps)
        await hear(deps, recorded(range(1, 31)))
        await post_all(deps)
        got = sandbox.state.keep.list_hooks("civil", 99)
        assert len(got) == 30
        for each in got:
            body = Webhook(SECRET).verify(each["body"].encode(), each["headers"])
            number = UUID(each["id"]).int
            assert body == {
                "type": "certificate.issued", "timestamp": "2023-11-01T01:00:00+00:00",
                "data": {"event_id": each["id"], "program": "dibao", "version": number},
            }  # fmt: skip

    async def test_each_try_is_signed_anew_at_its_own_time_and_keeps_the_trace_of_its_event(
        self, deps, clock, monkeypatch
    ):
        calls: list[httpx.Request] = []

        def answer(request: httpx.Request) -> httpx.Response:
            said = orjson.loads(request.content)
            if "challenge" in said["data"]:
                return httpx.Response(200, stream=httpx.ByteStream(orjson.dumps(said["data"])))
            calls.append(request)
            return httpx.Response(500 if len(calls) == 1 else 200, stream=httpx.ByteStream(b""))

        made = with_poster(deps, LOCAL, httpx.MockTransport(answer))
        await hear(made, subscription(url="http://127.0.0.1/hooks/civil"))
        await post_all(made)
        event = trace.start()
        await hear(made, recorded([1]))
        trace.start()
        now = wall()
        for seconds_ago in (90, 0):
            monkeypatch.setattr("services.notify.jobs.webhooks.wall", lambda at=now - seconds_ago: at)
            await post_all(made)
            clock.move(timedelta(minutes=1))
        await poster_of(made).close()
        first, second = (each.headers for each in calls)
        assert int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]) == 90
        assert first["webhook-signature"] != second["webhook-signature"]
        for each in calls:
            Webhook(SECRET).verify(each.content, dict(each.headers))
            assert each.headers["traceparent"][3:35] == event[3:35]

    async def test_while_a_secret_changes_both_are_valid_then_only_the_new_one(self, deps, clock, sandbox, receiver):
        await hear(deps, subscription(url=receiver))
        await post_all(deps)
        await hear(deps, subscription(url=receiver, secret=SECOND, version=2))
        for number, hours in ((1, 23), (2, 2)):
            await hear(deps, recorded([number]))
            await post_all(deps)
            clock.move(timedelta(hours=hours))
        await hear(deps, recorded([3]))
        await post_all(deps)
        marks = [each["headers"]["webhook-signature"].split(" ") for each in sandbox.state.keep.list_hooks("civil", 9)]
        assert [len(each) for each in marks] == [2, 2, 1]
        for each in sandbox.state.keep.list_hooks("civil", 9):
            Webhook(SECOND).verify(each["body"].encode(), each["headers"])

    async def test_the_same_secret_sealed_anew_is_no_change(self, deps, database, receiver):
        await hear(deps, subscription(url=receiver))
        await hear(deps, subscription(url=receiver, version=2))
        (row,) = await rows_of(database, "SELECT previous_secret FROM endpoint")
        assert row["previous_secret"] is None


class TestFailing:
    @pytest.mark.parametrize("jitter", [0.0, 0.999])
    async def test_a_receiver_that_fails_for_a_day_gets_all_events_in_order_without_doubles(
        self, database, clock, sandbox, jitter
    ):
        # No sockets and no deadline of seconds: only the business clock moves.
        patient = LOCAL.model_copy(update={"seconds": 3600})
        made = replace(make_deps(database, clock=clock), jitter=lambda: jitter)
        deps = with_poster(made, patient, httpx.ASGITransport(sandbox))
        await hear(deps, subscription(url="http://127.0.0.1/hooks/civil"))
        await post_all(deps)
        behave(sandbox, status=500)
        for hour in range(24):
            await hear(deps, recorded(range(hour * 10 + 1, hour * 10 + 11)))
            await post_all(deps)
            clock.move(timedelta(hours=1))
        assert (await state(database))[0] == "active"
        behave(sandbox)
        # The longest rest is a day and a tenth.
        for _ in range(9):
            clock.move(timedelta(hours=3))
            await post_all(deps)
        events = heard(sandbox)
        assert sorted(events) == list(range(1, 241))
        # Oldest first, in lots of 64; only the one that found it well again may come before older ones.
        later = events[1:]
        lots = [set(later[at : at + 64]) for at in range(0, len(later), 64)]
        assert lots == [set(sorted(later)[at : at + 64]) for at in range(0, len(later), 64)]
        assert {each["handed"] for each in sandbox.state.keep.list_hooks("civil", 999)} == {1}

    async def test_after_the_last_try_it_is_paused_and_the_owner_is_told_then_resumed_it_hears_all(
        self, deps, database, clock, sandbox, receiver
    ):
        await hear(deps, subscription(url=receiver))
        await post_all(deps)
        behave(sandbox, status=503)
        await hear(deps, recorded([1, 2]))
        calls = []
        for wait in (0, *WAITS):
            clock.move(timedelta(seconds=wait * 1.11))
            await post_all(deps)
            calls.append((await state(database))[0])
        assert calls == ["active"] * 8 + ["paused"]
        assert await changes(database) == [("active", "challenge_answered"), ("paused", "http_503")]
        assert len(await rows_of(database, "SELECT FROM message WHERE template = 'endpoint_stopped'")) == 1
        await hear(deps, recorded([3]))
        behave(sandbox)
        async with database.write() as tx:
            endpoint = await endpoints.find(tx, UUID(int=1))
            assert endpoint is not None
            await webhooks.resume(tx, deps, endpoint)
        await post_all(deps)
        clock.move(timedelta(days=2))
        await post_all(deps)
        assert sorted(heard(sandbox)) == [1, 2, 3]

    async def test_one_event_a_receiver_cannot_take_holds_no_other_up_and_is_given_up(
        self, deps, database, clock, sandbox, receiver
    ):
        await hear(deps, subscription(url=receiver))
        await post_all(deps)
        behave(sandbox, fail_ids=[str(UUID(int=1))])
        for number in range(1, 40):
            await hear(deps, recorded([number]))
            await post_all(deps)
            clock.move(timedelta(hours=13))
        rows = await rows_of(database, "SELECT event_id, attempts FROM post WHERE status = 'failed'")
        assert [(row["event_id"].int, row["attempts"]) for row in rows] == [(1, 9)]
        assert (await state(database))[0] == "active"
        assert sorted(heard(sandbox)) == list(range(2, 40))

    async def test_what_comes_while_a_quiet_receiver_refuses_one_event_does_not_wait_for_it(
        self, deps, database, clock, sandbox, receiver
    ):
        await hear(deps, subscription(url=receiver))
        await post_all(deps)
        behave(sandbox, fail_ids=[str(UUID(int=1))])
        await hear(deps, recorded([1]))
        for number in range(2, 8):
            # Nothing else is said for hours: only the one that is refused is tried, again and again.
            for _ in range(60):
                await post_all(deps)
                clock.move(timedelta(minutes=5))
            await hear(deps, recorded([number], kind="enrolment.terminated"))
            await post_all(deps)
            assert heard(sandbox)[-1] == number
        assert (await state(database))[0] == "active"
        assert await rows_of(database, "SELECT status FROM post WHERE status = 'failed'") == []

    @pytest.mark.parametrize(("others", "ends"), [(True, ("active", "failed")), (False, ("paused", "queued"))])
    async def test_after_its_last_try_an_event_is_given_up_or_where_nothing_else_was_taken_the_endpoint_rests(
        self, deps, sandbox, receiver, others, ends
    ):
        database, clock = deps.database, deps.clock
        await hear(deps, subscription(url=receiver))
        await post_all(deps)
        behave(sandbox, fail_ids=[str(UUID(int=1))])
        await hear(deps, recorded([1]))
        for wait in (0, *WAITS):
            clock.move(timedelta(seconds=wait * 1.11))
            await post_all(deps)
            if others:
                await hear(deps, recorded([round(wait) + 2]))
                await post_all(deps)
        (row,) = await rows_of(database, "SELECT status, attempts FROM post WHERE status <> 'delivered'")
        assert ((await state(database))[0], row["status"], row["attempts"]) == (*ends, 9)
        told = await rows_of(database, "SELECT FROM message WHERE template = 'endpoint_stopped'")
        assert len(told) == (not others)

    async def test_a_call_that_fails_after_its_owner_moved_the_url_is_not_held_against_the_new_one(
        self, deps, database, receiver
    ):
        await hear(deps, subscription(url=receiver))
        await post_all(deps)
        await hear(deps, recorded([1]))
        async with database.write() as tx:
            batch = await webhooks.claim(tx, deps, UUID(int=1))
        await hear(deps, subscription(url=f"{receiver}/moved", version=2))
        async with database.write() as tx:
            assert batch is not None
            await webhooks.record(tx, deps, batch, [Answer(status=503, reason="http_503")])
        assert await rows_of(database, "SELECT failures FROM endpoint") == [{"failures": 0}]

    async def test_gone_disables_at_once_and_keeps_what_waits(self, deps, database, sandbox, receiver):
        await hear(deps, subscription(url=receiver))
        await post_all(deps)
        behave(sandbox, status=410)
        await hear(deps, recorded([1]))
        await post_all(deps)
        assert await state(database) == ("disabled", "gone")
        assert [row["status"] for row in await rows_of(database, "SELECT status FROM post")] == ["queued"]

    @pytest.mark.parametrize(
        ("how", "reason"),
        [({"location": "http://127.0.0.1:1/"}, "http_307"), ({"status": 404}, "http_404"), ({"seconds": 9}, "timeout")],
    )
    async def test_redirects_refusals_and_silence_are_failures(self, deps, database, sandbox, receiver, how, reason):
        await hear(deps, subscription(url=receiver))
        await post_all(deps)
        behave(sandbox, **how)
        await hear(deps, recorded([1]))
        hasty = with_poster(deps, LOCAL.model_copy(update={"seconds": 0.2 if reason == "timeout" else 20}))
        await post_all(hasty)
        assert await state(database) == ("active", reason)
        await poster_of(hasty).close()

    @pytest.mark.parametrize("asked", ["nan", "-inf", "-5", "inf", "1e400", "soon"])
    async def test_a_wait_that_is_none_is_no_fault(self, deps, database, asked):
        def answer(request: httpx.Request) -> httpx.Response:
            said = orjson.loads(request.content)
            if "challenge" in said["data"]:
                return httpx.Response(200, stream=httpx.ByteStream(orjson.dumps(said["data"])))
            return httpx.Response(503, headers={"retry-after": asked}, stream=httpx.ByteStream(b""))

        made = with_poster(deps, LOCAL, httpx.MockTransport(answer))
        await hear(made, subscription(url="http://127.0.0.1/hooks/civil"))
        await post_all(made)
        await hear(made, recorded([1]))
        await post_all(made)
        await poster_of(made).close()
        (row,) = await rows_of(database, "SELECT failures, due_at FROM endpoint")
        assert row["failures"] == 1
        assert MORNING < row["due_at"] <= MORNING + timedelta(days=1)
        assert [each["status"] for each in await rows_of(database, "SELECT status FROM post")] == ["queued"]

    async def test_a_receiver_that_asks_for_time_gets_it(self, deps, database, sandbox, receiver):
        await hear(deps, subscription(url=receiver))
        await post_all(deps)
        behave(sandbox, status=429, retry_after=600)
        await hear(deps, recorded([1]))
        await post_all(deps)
        (row,) = await rows_of(database, "SELECT due_at FROM endpoint")
        assert row["due_at"] == MORNING + timedelta(seconds=600)

    async def test_what_a_dead_process_held_is_posted_by_another(self, deps, database, sandbox, receiver):
        await hear(deps, subscription(url=receiver))
        await post_all(deps)
        await hear(deps, recorded([1]))
        async with database.write() as tx:
            assert await webhooks.claim(tx, deps, UUID(int=1)) is not None
        await post_all(deps)
        assert heard(sandbox) == []
        async with database.write() as tx:
            await tx.run("UPDATE post SET leased_until = now() - interval '1 second'")
            await webhooks.tidy(tx, deps)
        await post_all(deps)
        assert heard(sandbox) == [1]


class TestReceipts:
    async def test_each_event_has_one_receipt_a_subscription(self, deps, database, receiver):
        await hear(deps, subscription(1, url=receiver))
        await hear(deps, subscription(2, url=receiver + "-two"))
        await post_all(deps)
        await hear(deps, recorded(range(1, 6)))
        await post_all(deps)
        for expected in (10, 0):
            async with database.write() as tx:
                assert await webhooks.say_receipts(tx, deps) == expected
        rows = await said(database, RECEIPT_RECORDED)
        assert sorted(UUID(bytes=row["event_id"]).int for row in rows) == sorted([*range(1, 6)] * 2)
        assert {(row["outcome"], row["attempts"]) for row in rows} == {("delivered", 1)}
