"""A partner with endpoints, and the events he is told of."""

import asyncio
import base64
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import httpx
import pyarrow as pa
import uvicorn
from fastapi import FastAPI

from services.notify.channels.webhook import Poster, WebhookSettings
from services.notify.domain.signing import new_secret
from services.notify.jobs import Hooks
from services.notify.usecases.deps import Deps
from shared.contracts.events.recognition import PARTNER_EVENTS_RECORDED, SUBSCRIPTION_CHANGED, SubscriptionChanged
from shared.contracts.vocabulary import SubscriptionStatus
from shared.kit.bus import Message
from tests.services.notify.world import MORNING, VAULT, columns, fact_message, subject, table_message

CLIENT = "civil"
SECRET, SECOND = new_secret(b"1" * 32), new_secret(b"2" * 32)
LOCAL = WebhookSettings(allow="127.0.0.0/8", seconds=5)


@asynccontextmanager
async def serving(app: FastAPI, lifespan: Literal["on", "off"] = "on") -> AsyncIterator[str]:
    """The application on a port of its own; without its lifespan it can be served again."""
    config = uvicorn.Config(app, port=0, log_config=None, lifespan=lifespan, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        assert not task.done(), "the server did not start"
        await asyncio.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


def subscription(number: int = 1, *, url: str, secret: str = SECRET, version: int = 1, **values: Any) -> Message:
    """A partner asks for webhooks, or changes what he asked."""
    which = UUID(int=number)
    fact = SubscriptionChanged(
        **{
            "subscription_id": which, "client_id": CLIENT, "url": url, "kinds": [], "programs": [],
            "sealed_secret": base64.b64encode(VAULT.seal(secret.encode(), which.bytes)).decode(),
            "status": SubscriptionStatus.PENDING, "version": version, "changed_at": MORNING, **values,
        }
    )  # fmt: skip
    return fact_message(SUBSCRIPTION_CHANGED, fact)


def event_table(numbers: Iterable[int], *, kind: str = "certificate.issued", at: datetime = MORNING) -> pa.Table:
    rows = [(subject(number), UUID(int=number), kind, number, at) for number in numbers]
    return columns(rows, list(PARTNER_EVENTS_RECORDED.columns), PARTNER_EVENTS_RECORDED)


def recorded(numbers: Iterable[int], *, client: str = CLIENT, program: str = "dibao", **values: Any) -> Message:
    """Events of one program of a partner; the number is event id, version and person."""
    table = event_table(numbers, **values)
    return table_message(PARTNER_EVENTS_RECORDED, table, client_id=client, program=program)


def with_poster(
    deps: Deps, settings: WebhookSettings = LOCAL, transport: httpx.AsyncBaseTransport | None = None
) -> Deps:
    """The same, able to post to this machine, or by `transport` without sockets."""
    channels = {**deps.channels, "webhook": replace(deps.channels["webhook"], settings=settings)}
    return replace(deps, channels=channels, poster=Poster(settings, transport=transport))


def poster_of(deps: Deps) -> Poster:
    assert deps.poster is not None
    return deps.poster


async def post_all(deps: Deps) -> None:
    """Prove and post what is due now."""
    await Hooks(deps, poster_of(deps)).drain()


def heard(sandbox: FastAPI, name: str = "civil") -> list[int]:
    """Numbers of the events a receiver has, in the order in which they came."""
    return [UUID(each["id"]).int for each in sandbox.state.keep.list_hooks(name, 100_000)]
