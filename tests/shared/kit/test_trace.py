"""One trace from a request through outbox, broker and handler to what follows from it, seen in every log line."""

import asyncio
import io
import logging
from collections.abc import Iterator
from dataclasses import replace

import httpx
import orjson
import pytest
import structlog
from fastapi import FastAPI

from shared.contracts.events import BATCH_COMPLETED, BatchCompleted, FactEvent
from shared.kit import trace
from shared.kit.bus import Consumers, Subscription
from shared.kit.edge import Edge
from shared.kit.outbox import Relay
from shared.kit.telemetry import configure_logging
from tests.shared.kit.test_bus import batch, name, outbox, until

__all__ = ["outbox"]  # a fixture
TRACE = "0af7651916cd43dd8448eb211c80319c"


def own_event() -> FactEvent:
    """An event on a subject nobody else of the suite says anything on."""
    return replace(BATCH_COMPLETED, name=f"ingest.{name()}.completed")


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    configure_logging("test", "INFO")
    sink = io.StringIO()
    handler = root.handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(sink)
    yield sink
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.db
@pytest.mark.bus
async def test_a_request_its_message_and_what_follows_share_one_trace(database, bus, outbox, lines):
    app, event, heard, first, second = FastAPI(), own_event(), [], 1, 2

    @app.post("/say")
    async def say() -> None:
        async with database.write() as tx:
            await outbox.say(tx, event, batch(first))

    async def on_batch(tx, message):
        number = message.fact(BatchCompleted).batch_no
        if number == first:
            await outbox.say(tx, event, batch(second))
        heard.append(number)
        logging.getLogger("some.library").warning("heard %s", number)

    app.add_middleware(Edge, max_body_bytes=1024)
    consumers = Consumers(
        service=name(),
        bus=bus,
        database=database,
        subscriptions=[Subscription(event=event, handler=on_batch)],
    )
    relaying = asyncio.create_task(Relay(database, bus, outbox.wake).run())
    await consumers.start()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://a.test") as http:
        await http.post("/say", headers={"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"})
    await until(lambda: heard == [first, second])
    await consumers.stop()
    relaying.cancel()
    await asyncio.gather(relaying, return_exceptions=True)
    async with database.read() as tx:
        rows = await tx.fetch("SELECT headers->>'traceparent' AS context FROM outbox ORDER BY seq DESC LIMIT 2")
    contexts = [row["context"] for row in rows]
    assert {context[3:35] for context in contexts} == {TRACE}
    assert len({context[36:52] for context in contexts} | {"b7ad6b7169203331"}) == 3
    found = [line for line in map(orjson.loads, lines.getvalue().splitlines()) if line.get("trace_id") == TRACE]
    # The request's own line comes when it is answered, which may be after its message was heard.
    assert sorted(line["event"] for line in found) == [
        f"heard {first}", f"heard {second}", "message_handled", "message_handled", "request",
    ]  # fmt: skip


@pytest.mark.db
@pytest.mark.bus
async def test_messages_of_one_transaction_keep_their_own_traces(database, bus, outbox):
    event, said, ids = own_event(), [1, 2, 3], []
    for number in said:
        ids.append(trace.start()[3:35])
        async with database.write() as tx:
            await outbox.say(tx, event, batch(number))
    seen: dict[int, str | None] = {}

    async def on_batch(_tx: object, message) -> None:
        seen[message.fact(BatchCompleted).batch_no] = trace.trace_id()

    joint, afterwards = trace.Joint(), []

    def after(message) -> None:
        assert message.fact(BatchCompleted).batch_no in said
        joint.leave("here")
        afterwards.append(trace.trace_id())

    consumers = Consumers(
        service=name(), bus=bus, database=database,
        subscriptions=[Subscription(event=event, handler=on_batch, after=after, together=16)],
    )  # fmt: skip
    await Relay(database, bus, outbox.wake).drain()
    await consumers.start()
    await until(lambda: len(afterwards) == 3)
    async with asyncio.timeout(20):
        # Acknowledgements are not waited for: the broker counts them when it comes to them.
        while await consumers.pending() != (0, 0):
            await asyncio.sleep(0.02)
    await consumers.stop()
    assert [seen[number] for number in said] == afterwards == ids
    links = joint.pick_up("here")
    assert trace.trace_id() == ids[0]
    assert links == ids[1:]


def test_joined_work_without_askers_begins_a_trace_of_its_own():
    joint = trace.Joint(most=2)
    mine = trace.start()[3:35]
    assert joint.pick_up("empty") == []
    assert trace.trace_id() != mine
    for _ in range(3):
        trace.start()
        joint.leave("full")
    last = trace.trace_id()
    assert len(joint.pick_up("full")) == 1
    assert trace.trace_id() != last
    assert trace.start("00-garbage")[3:35] != "garbage"
