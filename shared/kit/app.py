"""The application factory: builds what every service runs on, starts it in order and stops it in reverse."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any

import httpx
import sqlalchemy as sa
import structlog
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from shared.kit import answering, described, docs_page, keeping, problems, schema, telemetry, trace
from shared.kit.auth import Guard, Keys
from shared.kit.bus import Bus, Consumers, Subscription, prove_synced
from shared.kit.clock import Clock, clock_from, wall
from shared.kit.db import Database, wait_for_database
from shared.kit.db_errors import is_operational
from shared.kit.edge import Edge
from shared.kit.http import Peers, TokenSource, load_key
from shared.kit.outbox import Outbox, Relay
from shared.kit.settings import KitSettings

log = structlog.get_logger(__name__)

_PARTITION_SECONDS = 6 * 3600.0
_MEASURE_SECONDS = 10.0

Background = Callable[[], Awaitable[None]]


@dataclass(slots=True, kw_only=True)
class Platform:
    """What every service runs on; handed to its `build`."""

    settings: KitSettings
    clock: Clock
    database: Database
    bus: Bus
    outbox: Outbox
    peers: Peers
    guard: Guard
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    consumers: Consumers | None = None


@dataclass(slots=True, kw_only=True)
class Parts:
    """What a service adds to the platform.

    Attributes:
        deps: the service's own dependencies, found by its routes at `request.app.state.deps`.
        subscriptions: what it hears.
        background: loops that run until cancelled; one that fails is started again.
        working: units of work those loops still have to do, for whoever waits until all is quiet.
    """

    deps: Any
    subscriptions: Sequence[Subscription] = ()
    background: Sequence[Background] = ()
    working: Callable[[], Awaitable[int]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LookLog:
    """The table `look` of a service, as auditors read it.

    Attributes:
        columns: what to select of it as seq, at, client_id, user, subject and what.
        note: statement that notes a look at $1, by client $2 and person $3, at whom $4.
    """

    columns: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A service as its `app.py` declares it.

    Attributes:
        name: also its schema, role and stream.
        settings: its settings class.
        metadata: its tables.
        routers: HTTP in.
        build: makes the parts on a running platform and cleans up after.
        streamed: path patterns whose handlers read large bodies piece by piece.
        partitioned: tables partitioned by month, beside the outbox.
        looks: where it keeps who looked at whom, unless it has a route of its own for it.
        description: for the OpenAPI document.
    """

    name: str
    settings: type[KitSettings]
    metadata: sa.MetaData
    routers: Sequence[APIRouter]
    build: Callable[[Platform], AbstractAsyncContextManager[Parts]]
    streamed: Sequence[str] = ()
    partitioned: Sequence[str] = ()
    looks: LookLog | None = None
    description: str = ""


async def supervise(name: str, work: Background) -> None:
    """Run a loop for ever: when it fails, say so and start it again."""
    while True:
        try:
            await work()
        except asyncio.CancelledError:
            raise
        except Exception as error:
            if is_operational(error):
                log.warning("background_waits", loop=name, reason=type(error).__name__)
            else:
                log.exception("background_failed", loop=name)
        await asyncio.sleep(1.0)


@asynccontextmanager
async def platform(service: Service, settings: KitSettings) -> AsyncIterator[Platform]:
    """Everything below the service's own parts, connected."""
    async with AsyncExitStack() as stack:
        database = Database(
            settings.database_url.get_secret_value(),
            schema=service.name,
            pool_size=settings.db_pool_size,
            quick_size=settings.db_quick_size,
            acquire_seconds=settings.db_acquire_seconds,
            statement_seconds=settings.db_statement_seconds,
        )
        stack.push_async_callback(database.close)
        await wait_for_database(database)
        bus = Bus(
            settings.nats_url.get_secret_value(),
            name=f"wugan-{service.name}",
            on_closed=_end_process,
            ca_file=settings.nats_ca_file,
        )
        stack.push_async_callback(bus.close)
        await bus.connect()
        client = await stack.enter_async_context(httpx.AsyncClient(limits=httpx.Limits(max_connections=20)))
        monitors = [each for each in settings.nats_monitor_urls.split(",") if each]
        await prove_synced(client, monitors, unproved=settings.nats_unproved)
        clock = clock_from(settings.clock_file)
        yield Platform(
            settings=settings,
            clock=clock,
            database=database,
            bus=bus,
            outbox=Outbox(service.name, clock, asyncio.Event()),
            peers=Peers(client, tokens_of(settings, client)),
            guard=Guard(
                Keys(settings.effective_jwks_url, client),
                issuer=settings.issuer_url,
                audience=settings.audience,
                gateways=settings.gateways.split(","),
            ),
        )


def tokens_of(settings: KitSettings, client: httpx.AsyncClient) -> TokenSource | None:
    """Tokens of the service's own client; None where it has none."""
    if not (settings.client_id and settings.client_key_file):
        return None
    return TokenSource(
        client,
        issuer_url=settings.issuer_url,
        client_id=settings.client_id,
        key=load_key(settings.client_key_file),
        token_url=settings.token_url,
    )


async def _nothing() -> int:
    return 0


def _end_process() -> None:
    # The broker connection is gone for good: only a new process gets a new one.
    os.kill(os.getpid(), signal.SIGTERM)


async def _keep_partitions(database: Database, service: Service) -> None:
    for table in ("outbox", *service.partitioned):
        await schema.ensure_partitions(database, table)


async def _keep_house(database: Database, service: Service, settings: KitSettings) -> None:
    """Partitions are made months before they are needed, and the plumbing forgets what it no longer needs."""
    while True:
        await asyncio.sleep(_PARTITION_SECONDS)
        await _keep_partitions(database, service)
        now = datetime.fromtimestamp(wall(), UTC)
        await keeping.forget(database, now, outbox_days=settings.outbox_days, inbox_days=settings.inbox_days)


async def _measure(database: Database, consumers: Consumers) -> None:
    """How far behind this service is, for whoever scrapes its metrics."""
    while True:
        for consumer, (undelivered, unacknowledged) in (await consumers.lag()).items():
            telemetry.CONSUMER_PENDING.labels(consumer).set(undelivered)
            telemetry.CONSUMER_UNACKNOWLEDGED.labels(consumer).set(unacknowledged)
        async with database.read() as tx:
            rows = await tx.fetch("SELECT count(*) AS waiting FROM dead_letter WHERE redriven_at IS NULL")
        telemetry.DEAD_LETTERS_WAITING.set(rows[0]["waiting"])
        await asyncio.sleep(_MEASURE_SECONDS)


@asynccontextmanager
async def running(service: Service, settings: KitSettings, app: FastAPI) -> AsyncIterator[None]:
    """Platform, parts, consumers and loops, started in order and stopped in reverse."""
    async with platform(service, settings) as base, service.build(base) as parts:
        await _keep_partitions(base.database, service)
        app.state.platform, app.state.deps = base, parts.deps
        app.state.working = parts.working or _nothing
        base.consumers = Consumers(
            service=service.name,
            bus=base.bus,
            database=base.database,
            subscriptions=parts.subscriptions,
            concurrency=settings.messages_at_once,
        )
        relay = Relay(base.database, base.bus, base.outbox.wake)
        loops: list[Background] = [relay.run, partial(_keep_house, base.database, service, settings)]
        if settings.consumers_enabled:
            await base.consumers.start()
            loops.append(partial(_measure, base.database, base.consumers))
            loops.extend(parts.background)
        tasks = [asyncio.create_task(supervise(getattr(loop, "__qualname__", "house"), loop)) for loop in loops]
        log.info("started", port=settings.port)
        try:
            yield
        finally:
            base.stopping.set()
            await base.consumers.stop()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            log.info("stopped")


@contextmanager
def _spans(name: str, settings: KitSettings) -> Iterator[None]:
    """Keep spans where the settings ask for it."""
    if not settings.traces:
        yield
        return
    from shared.kit import spans  # noqa: PLC0415  (OpenTelemetry is loaded only where it is asked for)

    recorder = spans.make(name, settings.traces, settings.traces_share)
    trace.record_with(recorder)
    try:
        yield
    finally:
        trace.record_with(None)
        recorder.close()


def create_app(service: Service, settings: KitSettings) -> FastAPI:
    """The ASGI application of a service."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with _spans(service.name, settings):
            async with running(service, settings, app):
                yield

    app = FastAPI(
        title=f"wugan {service.name}",
        version="1",
        description=service.description,
        lifespan=lifespan,
        openapi_url="/openapi.json",
        docs_url=None,
        redoc_url=None,
        separate_input_output_schemas=False,
    )
    answering.install(app)
    app.add_middleware(Edge, max_body_bytes=settings.max_body_bytes, streamed=service.streamed)
    # Routes are tried in their order: what the service is for comes first.
    for router in (*service.routers, *_shared_routers(service), _health(service)):
        app.include_router(router)
    _describe(app, service.name)
    _document(app)
    return app


def _shared_routers(service: Service) -> Sequence[APIRouter]:
    from shared.kit import looks, operations  # noqa: PLC0415  (they need the platform declared above)

    return (operations.router, *([looks.router_of(service.looks)] if service.looks else []))


def _describe(app: FastAPI, service: str) -> None:
    original = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = original()
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            schemas["Problem"] = deepcopy(problems.PROBLEM_SCHEMA)
            for unused in ("HTTPValidationError", "ValidationError"):
                schemas.pop(unused, None)
            described.complete(document, service)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own documented way


def _document(app: FastAPI) -> None:
    # Not the framework's page: it loads its scripts from the internet and does not know the gateway's prefix.
    made = cache(lambda: docs_page.page(app.openapi()))

    async def docs(_request: Request) -> HTMLResponse:
        return HTMLResponse(made(), headers=docs_page.HEADERS)

    app.add_route("/docs", docs, include_in_schema=False)


def _health(service: Service) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    cached: list[tuple[float, dict[str, bool]]] = [(0.0, {})]

    @router.get("/livez")
    async def livez() -> dict[str, str]:
        return {"status": "alive"}

    @router.get("/readyz")
    async def readyz(request: Request) -> JSONResponse:
        # By the request: FastAPI remembers every handler for good, and with it an application the handler closes over.
        if wall() - cached[0][0] > 2.0 or not all(cached[0][1].values()):  # noqa: PLR2004  (seconds)
            cached[0] = (wall(), await _checks(request.app, service))
        checks = cached[0][1]
        return JSONResponse({"ready": all(checks.values()), "checks": checks}, 200 if all(checks.values()) else 503)

    @router.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return router


async def _checks(app: FastAPI, service: Service) -> dict[str, bool]:
    base: Platform | None = getattr(app.state, "platform", None)
    if base is None or base.stopping.is_set():
        return {"started": False}
    try:
        await base.database.ping()
        fits = schema.serves(service.name, await schema.current(base.database))
    except Exception as error:  # noqa: BLE001  (not ready, whatever the reason)
        log.warning("not_ready", reason=type(error).__name__)
        return {"database": False}
    return {"database": True, "schema": fits, "bus": await base.bus.healthy()}


__all__ = ["Parts", "Platform", "Service", "create_app", "platform", "running", "supervise"]
