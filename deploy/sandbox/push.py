"""The mobile app's push gateway: takes notifications for accounts that have the app, rejects the others."""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import BaseModel, ConfigDict, Field


class PushIn(BaseModel):
    """One notification."""

    model_config = ConfigDict(extra="ignore")

    id: str
    account: str
    title: str
    text: str


class PushBatch(BaseModel):
    """What one call brings."""

    notifications: Annotated[list[PushIn], Field(max_length=500)]


class Phones:
    """Accounts without the app, and what came for the others by id."""

    def __init__(self) -> None:
        self.without_app: set[str] = set()
        self.shown: dict[str, PushIn] = {}


def router(phones: Phones, token: str) -> APIRouter:
    """The gateway, and a look at what the phones show."""
    made = APIRouter(prefix="/push", tags=["push"])

    @made.post("/notifications")
    async def take(request: Request, body: PushBatch) -> Response:
        if token and request.headers.get("authorization") != f"Bearer {token}":
            raise HTTPException(401)
        results = []
        for each in body.notifications:
            missing = each.account in phones.without_app
            if not missing:
                phones.shown[each.id] = each
            status = "rejected" if missing else "accepted"
            results.append({"id": each.id, "status": status, "reason": "no_app" if missing else ""})
        return Response(orjson.dumps({"results": results}), media_type="application/json")

    @made.get("/notifications")
    async def shown() -> dict[str, Any]:
        return {"items": [each.model_dump() for each in phones.shown.values()]}

    return made
