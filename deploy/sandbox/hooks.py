"""A partner's system as it receives webhooks: checks signatures, answers challenges, keeps events, fails on demand."""

import asyncio
import base64
import hmac
from hashlib import sha256
from typing import Annotated, Any

import httpx
import orjson
from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from deploy.sandbox.keep import Keep
from shared.kit.clock import wall

Receiver = Annotated[str, Path(pattern=r"^[a-z0-9_-]{1,40}$")]
_TOLERANCE_SECONDS = 300


class Reception(BaseModel):
    """How a receiver behaves from now on.

    Attributes:
        status: what it answers; below 300 it keeps the event.
        fail_ids: events it never takes.
        location: where it redirects to.
        seconds: how long it thinks.
        secrets: `whsec_…` it knows; empty: it believes everybody.
        proves: whether it answers challenges.
    """

    model_config = ConfigDict(extra="forbid")

    status: Annotated[int, Field(ge=200, le=599)] = 200
    fail_ids: list[str] = []
    location: str = ""
    retry_after: int | None = None
    seconds: Annotated[float, Field(ge=0, le=600)] = 0.0
    secrets: list[str] = []
    proves: bool = True


class Receivers:
    """The receivers' behaviours, by name."""

    def __init__(self) -> None:
        self.behaviours: dict[str, Reception] = {}

    def of(self, name: str) -> Reception:
        """How a receiver treats the call at hand."""
        return self.behaviours.get(name, Reception())


def router(keep: Keep, receivers: Receivers) -> APIRouter:
    """The routes of all receivers, and of whoever wants to look or to make one fail."""
    made = APIRouter(prefix="/hooks", tags=["hooks"])

    @made.post("/{name}")
    async def take(request: Request, name: Receiver) -> Response:
        return await _take(keep, name, receivers.of(name), request)

    @made.put("/{name}/behaviour")
    async def behave(name: Receiver, body: Reception) -> Reception:
        receivers.behaviours[name] = body
        return body

    @made.get("/{name}/events")
    async def heard(name: Receiver, limit: int = 1000) -> dict[str, Any]:
        return {"items": keep.list_hooks(name, min(limit, 100_000))}

    return made


async def _take(keep: Keep, name: str, how: Reception, request: Request) -> Response:
    body = await request.body()
    headers = {key.lower(): value for key, value in request.headers.items()}
    if how.secrets and not any(_signed(secret, headers, body) for secret in how.secrets):
        return Response(status_code=401)
    if how.seconds:
        await asyncio.sleep(how.seconds)
    message_id = headers.get("webhook-id", "")
    if (refused := _refusal(how, message_id)) is not None:
        return refused
    said = orjson.loads(body)
    if said["type"] == "endpoint.challenge":
        return Response(orjson.dumps({"challenge": said["data"]["challenge"] if how.proves else "no"}))
    keep.add_hook(name, message_id, headers, body, wall())
    return Response(status_code=how.status)


def _refusal(how: Reception, message_id: str) -> Response | None:
    if how.location:
        return Response(status_code=307, headers={"location": how.location})
    if message_id in how.fail_ids:
        return Response(status_code=500)
    if how.status >= httpx.codes.MULTIPLE_CHOICES:
        wait = {"retry-after": str(how.retry_after)} if how.retry_after else {}
        return Response(status_code=how.status, headers=wait)
    return None


def _signed(secret: str, headers: dict[str, str], body: bytes) -> bool:
    key, stamp = base64.b64decode(secret.removeprefix("whsec_")), headers.get("webhook-timestamp", "")
    if not stamp.isdigit() or abs(wall() - int(stamp)) > _TOLERANCE_SECONDS:
        return False
    signed = f"{headers.get('webhook-id', '')}.{stamp}.".encode() + body
    mark = "v1," + base64.b64encode(hmac.digest(key, signed, sha256)).decode()
    return mark in headers.get("webhook-signature", "").split(" ")
