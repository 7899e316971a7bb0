"""An SMS gateway as carriers' ones are: takes up to 500 messages a call, answers about each, calls back later."""

import asyncio
import base64
import hmac
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from typing import Annotated, Any, Literal
from uuid import uuid4

import httpx
import orjson
from fastapi import APIRouter, HTTPException, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from deploy.sandbox.keep import Keep
from shared.kit.clock import wall

_CHANCE = random.SystemRandom()

Number = Annotated[int, Path(ge=1, le=2)]
ANSWERS = Literal["accept", "reject", "busy", "refuse", "error", "hang", "accept_and_hang", "accept_and_error"]
_TAKES = frozenset({"accept", "accept_and_hang", "accept_and_error"})
RECEIPTS = Literal["none", "once", "twice", "shuffled"]


class SmsIn(BaseModel):
    """One text message."""

    model_config = ConfigDict(extra="ignore")

    id: str
    to: Annotated[str, Field(pattern=r"^1\d{10}$")]
    sender: str
    approval: str | None = None
    text: str


class BatchIn(BaseModel):
    """What one call brings."""

    messages: Annotated[list[SmsIn], Field(max_length=500)]


class Behaviour(BaseModel):
    """How a gateway behaves from now on.

    Attributes:
        answer: what it does with a call (`refuse`: 429, nothing taken); `share` of the calls, the others are accepted.
        seconds: how long it hangs.
        receipts: none, once, everything twice, or first a wrong one and in any order.
        undelivered: share of messages whose receipt says failed.
    """

    model_config = ConfigDict(extra="forbid")

    answer: ANSWERS = "accept"
    share: Annotated[float, Field(ge=0, le=1)] = 1.0
    seconds: Annotated[float, Field(ge=0, le=600)] = 30.0
    receipts: RECEIPTS = "once"
    undelivered: Annotated[float, Field(ge=0, le=1)] = 0.0


class Callbacks:
    """Sends receipts back to the platform at `url`, signed; nowhere while it is empty."""

    def __init__(self, url: str, secret: str) -> None:
        self.url = url
        self._key = base64.b64decode(secret.removeprefix("whsec_")) if secret else b""
        self._tasks: set[asyncio.Task[None]] = set()

    @cached_property
    def _client(self) -> httpx.AsyncClient:
        # Reads the certificates of all authorities, which takes longer than everything else here: once there is a use.
        return httpx.AsyncClient(timeout=10.0, trust_env=False)

    def plan(self, ids: Sequence[str], behaviour: Behaviour) -> None:
        """Call back about messages, in the background."""
        if not self.url or behaviour.receipts == "none":
            return
        task = asyncio.create_task(self._call_back(ids, behaviour))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _call_back(self, ids: Sequence[str], behaviour: Behaviour) -> None:
        said = [(each, _CHANCE.random() >= behaviour.undelivered) for each in ids]
        rounds = [said]
        if behaviour.receipts == "twice":
            rounds = [said, said]
        if behaviour.receipts == "shuffled":
            wrong = [(each, False) for each, reached in said if reached]
            mixed = _CHANCE.sample(said, len(said))
            rounds = [mixed, wrong, mixed]
        for each in rounds:
            await self._post(each)

    async def _post(self, said: Sequence[tuple[str, bool]]) -> None:
        now = datetime.fromtimestamp(wall(), UTC).isoformat()
        receipts = [
            {"id": each, "status": "delivered" if ok else "failed", "reason": "" if ok else "unreachable", "at": now}
            for each, ok in said
        ]
        body = orjson.dumps({"receipts": receipts})
        for attempt in range(5):
            message_id, stamp = f"rcp_{uuid4().hex}", str(int(wall()))
            mark = hmac.digest(self._key, f"{message_id}.{stamp}.".encode() + body, sha256)
            headers = {
                "webhook-id": message_id,
                "webhook-timestamp": stamp,
                "webhook-signature": f"v1,{base64.b64encode(mark).decode()}",
                "content-type": "application/json",
            }
            try:
                answer = await self._client.post(self.url, content=body, headers=headers)
            except httpx.HTTPError:
                answer = None
            if answer is not None and answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR:
                return
            await asyncio.sleep(0.2 * 2**attempt)

    async def settle(self) -> None:
        """Wait until every callback so far has been made."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def close(self) -> None:
        """Drop what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if "_client" in vars(self):
            await self._client.aclose()


class Gateways:
    """The two gateways' behaviours, by number."""

    def __init__(self) -> None:
        self.behaviours: dict[int, Behaviour] = {1: Behaviour(), 2: Behaviour()}

    def of(self, number: int) -> Behaviour:
        """How a gateway treats the call at hand."""
        behaviour = self.behaviours[number]
        if behaviour.answer != "accept" and _CHANCE.random() >= behaviour.share:
            return behaviour.model_copy(update={"answer": "accept"})
        return behaviour


def router(keep: Keep, gateways: Gateways, callbacks: Callbacks, token: str) -> APIRouter:
    """The routes of both gateways."""
    made = APIRouter(prefix="/sms", tags=["sms"])

    @made.post("/{number}/messages")
    async def take(request: Request, number: Number, body: BatchIn) -> Response:
        if token and request.headers.get("authorization") != f"Bearer {token}":
            raise HTTPException(401)
        behaviour = gateways.of(number)
        if behaviour.answer == "refuse":
            raise HTTPException(429)
        if behaviour.answer in _TAKES:
            keep.add_sms({**each.model_dump(), "gateway": number, "received_at": wall()} for each in body.messages)
            callbacks.plan([each.id for each in body.messages], behaviour)
        if behaviour.answer in {"hang", "accept_and_hang"}:
            await asyncio.sleep(behaviour.seconds)
        if behaviour.answer in {"error", "hang", "accept_and_error"}:
            raise HTTPException(500)
        return _answer(body, behaviour)

    return made


def switchboard(keep: Keep, gateways: Gateways) -> APIRouter:
    """Routes for whoever wants to see what was sent, or to make a gateway misbehave."""
    made = APIRouter(prefix="/sms", tags=["sms"])

    @made.put("/{number}/behaviour")
    async def behave(number: Number, body: Behaviour) -> Behaviour:
        gateways.behaviours[number] = body
        return body

    @made.get("/messages")
    async def sent(to: str | None = None, limit: int = 100) -> dict[str, Any]:
        return {"counts": keep.count_sms(), "items": keep.list_sms(to=to, limit=min(limit, 10_000))}

    @made.delete("/messages")
    async def forget() -> dict[str, int]:
        keep.clear()
        return keep.count_sms()

    return made


def _answer(body: BatchIn, behaviour: Behaviour) -> Response:
    status = {"reject": "rejected", "busy": "busy"}.get(behaviour.answer, "accepted")
    reason = "" if status == "accepted" else status
    results = [
        {"id": each.id, "status": status, "reference": f"sbx-{each.id[:8]}", "reason": reason} for each in body.messages
    ]
    return Response(orjson.dumps({"results": results}), media_type="application/json")
