"""The sandbox as one ASGI application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI

from deploy.sandbox import face, hooks, push, sms
from deploy.sandbox.keep import Keep


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOptions:
    """What the sandbox is started with.

    Attributes:
        data: folder that keeps what was sent; None keeps it in memory.
        callback: URL receipts are posted to; empty: none are.
        secret: `whsec_…` receipts are signed with.
        token: bearer token senders must show; empty: anyone may send.
    """

    data: Path | None = None
    callback: str = ""
    secret: str = ""
    token: str = ""


def create_app(options: SandboxOptions) -> FastAPI:
    """The application; `app.state` holds its parts for tests that look inside."""
    keep = Keep(options.data)
    gateways, receivers = sms.Gateways(), hooks.Receivers()
    callbacks = sms.Callbacks(options.callback, options.secret)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await callbacks.close()
        keep.close()

    app = FastAPI(title="wugan sandbox", version="1", lifespan=lifespan)
    app.state.keep, app.state.gateways, app.state.callbacks = keep, gateways, callbacks
    app.state.receivers, app.state.phones = receivers, push.Phones()
    app.include_router(sms.router(keep, gateways, callbacks, options.token))
    app.include_router(sms.switchboard(keep, gateways))
    app.include_router(hooks.router(keep, receivers))
    app.include_router(push.router(app.state.phones, options.token))
    app.include_router(face.router())

    @app.get("/livez")
    async def livez() -> dict[str, str]:
        return {"status": "alive"}

    return app
