"""One trace from a request through outbox, broker and handler to what follows from it, seen in every log line."""

import asyncio
import io
import logging
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import httpx
import orjson
import pytest
import structlog
from fastapi import FastAPI
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared.contracts.events import BATCH_COMPLETED, BatchCompleted, FactEvent
from shared.kit import spans, trace
from shared.kit.bus import Consumers, PoisonError, Subscription
from shared.kit.edge import Edge
from shared.kit.outbox import Relay
from shared.kit.settings import KitSettings
from shared.kit.telemetry import configure_logging
from tests.shared.kit.test_bus import batch, name, outbox, until

__all__ = ["outbox"]  # a fixture
PERSON = "11010519491231002X"
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
    async with asyncio.timeout(50):
        # Acknowledgements are not waited for: the broker counts them when it comes to them.
        while await consumers.pending() != (0, 0):
            await asyncio.sleep(0.02)
    await consumers.stop()
    assert [seen[number] for number in said] == afterwards == ids
    first, links = joint.pick_up("here")
    assert first is not None
    assert [each[3:35] for each in (first, *links)] == ids


def test_joined_work_goes_on_with_the_oldest_trace_kept_and_knows_the_others():
    joint = trace.Joint(most=2)
    assert joint.pick_up("empty") == (None, [])
    trace.start()
    joint.leave("full")
    last = trace.start()
    joint.leave("full")
    joint.leave("full")
    assert joint.pick_up("full") == (last, [])
    assert joint.pick_up("full") == (None, [])


def test_a_piece_of_work_ends_with_its_trace():
    outer = trace.start()
    with trace.span("within", parent=outer):
        assert trace.current() not in {None, outer}
        assert trace.trace_id() == outer[3:35]
        with trace.span("of its own", parent="00-garbage"):
            assert trace.trace_id() != outer[3:35]
    assert trace.current() == outer


@pytest.fixture
def kept() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    recorder = spans.Spans("test", SimpleSpanProcessor(exporter))
    trace.record_with(recorder)
    yield exporter
    trace.record_with(None)
    recorder.close()


@pytest.mark.db
@pytest.mark.bus
async def test_spans_hang_together_from_the_request_to_what_its_message_caused(database, bus, outbox, kept):
    app, event, done = FastAPI(), own_event(), asyncio.Event()

    @app.post("/people/{person}")
    async def say(person: str) -> None:
        async with database.write() as tx:
            await outbox.say(tx, event, batch(len(person)))

    async def on_batch(_tx, _message):
        done.set()
        raise PoisonError(PERSON)

    app.add_middleware(Edge, max_body_bytes=1024)
    service = name()
    consumers = Consumers(
        service=service, bus=bus, database=database, subscriptions=[Subscription(event=event, handler=on_batch)]
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://a.test") as http:
        await http.post(f"/people/{PERSON}", headers={"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"})
    await Relay(database, bus, outbox.wake).drain()
    await consumers.start()
    await done.wait()
    await consumers.stop()
    request, published, handled = sorted(kept.get_finished_spans(), key=lambda each: each.start_time)
    assert [f"{each.context.trace_id:032x}" for each in (request, published, handled)] == [TRACE] * 3
    assert [f"{each.parent.span_id:016x}" for each in (request, published, handled)] == [
        "b7ad6b7169203331", f"{request.context.span_id:016x}", f"{published.context.span_id:016x}",
    ]  # fmt: skip
    durable = f"{service}-{event.name.replace('.', '-')}"
    assert [each.name for each in (request, published, handled)] == [
        "POST /people/{person}", f"publish {event.name}", f"handle {durable}",
    ]  # fmt: skip
    assert handled.status.status_code.name == "ERROR"
    assert handled.attributes["error.type"] == "PoisonError"
    assert PERSON not in "".join(each.to_json() for each in (request, published, handled))


def test_joined_work_is_linked_to_the_others(kept):
    others = [trace.start() for _ in range(2)]
    with trace.span("sweep", parent=None, links=others):
        pass
    [swept] = kept.get_finished_spans()
    assert [f"{each.context.trace_id:032x}" for each in swept.links] == [each[3:35] for each in others]
    assert swept.parent is None
    assert swept.resource.attributes["service.name"] == "wugan-test"


def test_spans_are_lines_on_the_console_and_nobodys_by_default(capsys):
    assert KitSettings.model_fields["traces"].default == ""
    recorder = spans.make("test", "console", 1.0)
    trace.record_with(recorder)
    with trace.span("one", parent=None):
        pass
    trace.record_with(None)
    recorder.close()
    [line] = capsys.readouterr().out.splitlines()
    assert orjson.loads(line)["name"] == "one"


def test_spans_are_sent_by_otlp_where_the_environment_says(monkeypatch):
    heard = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self):
            heard.append((self.path, self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_said):  # type: ignore[explicit-override]  # typing knows @override from 3.12 on
            """Silent."""

    with HTTPServer(("127.0.0.1", 0), Collector) as server:
        serving = Thread(target=server.handle_request)
        serving.start()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        recorder = spans.make("test", "otlp", 1.0)
        trace.record_with(recorder)
        with trace.span("far away", parent=None):
            pass
        trace.record_with(None)
        recorder.close()
        serving.join()
    [(path, body)] = heard
    assert path == "/v1/traces"
    assert b"far away" in body
