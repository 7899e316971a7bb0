"""What providers say later, twice or in any order, ends each message once."""

import asyncio
import random
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from services.notify.domain.delivery import Outcome, Result
from services.notify.store import deliveries as claims
from services.notify.store import endings as store
from services.notify.usecases import send
from tests.services.notify.world import (
    certify,
    deliveries,
    drain,
    make_deps,
    receipt,
    said,
    sms_settings,
    states,
    subject,
)

pytestmark = pytest.mark.db


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
        by_phone = [row for row in await deliveries(database) if row["channel"] == "sms"]
        assert [row["status"] for row in by_phone] == ["delivered"] * 4 + ["failed"] * 2
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

    @pytest.mark.parametrize(
        ("reached", "ends"),
        [(True, [(1, "delivered"), (2, "merged")]), (False, [(1, "failed"), (2, "failed")])],
    )
    async def test_a_receipt_for_a_lost_answer_stops_the_next_try(self, deps, database, clock, sandbox, reached, ends):
        await certify(deps, subject(1))
        async with database.write() as tx:
            claimed, _ = await send.claim(tx, deps, "sms", legal_only=False)
        ready = send.make_ready(deps, "sms", claimed)
        async with database.write() as tx:
            lost = Result(
                id=ready.outgoing[0].id, outcome=Outcome.AGAIN, provider="gateway_1", reason="late", unsure=True
            )
            await send.record(tx, deps, "sms", [lost], ready)
        async with database.write() as tx:
            told = [receipt(ready.outgoing[0].id, delivered=reached)] * 2
            assert await send.take_receipts(tx, deps, "sms", told) == 1
        clock.move(timedelta(hours=1))
        await drain(deps)
        assert sandbox.state.keep.count_sms()["messages"] == 0
        assert [row[:2] for row in await states(database)] == ends

    async def test_receipts_about_strangers_change_nothing(self, deps, database):
        async with database.write() as tx:
            assert await send.take_receipts(tx, deps, "sms", [receipt(uuid4())]) == 0


_FILL = (
    "INSERT INTO delivery"
    " (message_id, channel, attempt, subject, template, lane, revision, personal, status, due_at, ended_at)"
    " SELECT gen_random_uuid(), 'sms', 1, gen_random_uuid(), 'certified', 2, 1, true, 'delivered', now(), now()"
    " FROM generate_series(1, 20000)"
)


async def test_a_table_that_counts_as_empty_is_not_gone_through_for_each_message_claimed(database):
    async with database.write() as tx:
        await tx.run(_FILL)
        await tx.run("DELETE FROM delivery")
        await tx.run("ANALYZE delivery")  # pages, and no rows: as a first morning looks until it is analysed again
        at = datetime(2023, 11, 1, tzinfo=UTC)
        asked = ("sms", at, 9, 500, True, at, at, at, ["sms", "push"], ["due_90"], "certified")
        plan = await tx.fetch(f"EXPLAIN {claims._CLAIM}", *asked)
    steps = "\n".join(row[0] for row in plan)
    assert "Tid Scan on delivery" in steps
    assert "pk_delivery" not in steps
    assert "ix_delivery_subject" in steps


async def test_no_table_is_gone_through_whole_to_claim_some_messages_of_a_great_queue(database):
    async with database.write() as tx:
        await tx.run(_FILL.replace("'delivered', now(), now()", "'queued', now(), NULL"))
        await tx.run(
            "INSERT INTO message (id, subject, audience, template, version, variables, lane, revision, in_inbox, created_at)"
            " SELECT message_id, subject, 'citizen', template, 1, '{}', lane, 1, false, due_at FROM delivery"
        )
        await tx.run(
            "INSERT INTO do_not_write (subject, reason, recorded_at) SELECT subject, 'visit', due_at FROM delivery LIMIT 5000"
        )
        for table in ("delivery", "message", "do_not_write"):
            await tx.run(f"ANALYZE {table}")
        at = datetime(2100, 1, 1, tzinfo=UTC)
        asked = ("sms", at, 9, 500, True, at, at, at, ["sms", "push"], ["due_90"], "certified")
        plan = await tx.fetch(f"EXPLAIN VERBOSE {claims._CLAIM}", *asked)
    steps = "\n".join(row[0] for row in plan)
    assert "hashed SubPlan" not in steps
    for table in ("delivery", "message", "do_not_write"):
        assert f"Seq Scan on notify.{table}" not in steps


async def test_a_queue_that_has_just_been_filled_is_not_read_whole_for_a_handful_of_receipts(database):
    ids = [uuid4() for _ in range(500)]
    async with database.write() as tx:
        await tx.run(_FILL)
        await tx.run("ANALYZE delivery")  # the statistics of a calm night: nothing waits
        plan = await tx.fetch(
            f"EXPLAIN {store._RECEIPTS}",
            "sms",
            ids,
            [True] * 500,
            [""] * 500,
            datetime(2023, 11, 1, tzinfo=UTC),
            [None] * 500,
        )
    assert "ix_delivery_queue" not in "".join(row[0] for row in plan)
