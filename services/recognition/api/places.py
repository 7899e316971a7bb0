"""People whom a program lists at two places, for officers: both listings, and what it came to."""

from uuid import UUID

import asyncpg
from fastapi import APIRouter, Request, Response

from services.recognition.api.deps import DepsOf, Officer, asker
from services.recognition.api.once import ONCE, Answered, once_by
from services.recognition.api.route import LoggedRoute
from services.recognition.domain.places import drawn_twice_from
from services.recognition.schemas.places import ListingOut, PlaceClosingIn, SecondPlaceOut
from services.recognition.store.lookups import log_usage
from services.recognition.usecases import places
from shared.kit.db import WriteTx
from shared.kit.problems import PROBLEM_RESPONSES

router = APIRouter(prefix="/v1", tags=["officer"], route_class=LoggedRoute, responses=PROBLEM_RESPONSES)

_LISTING = tuple(ListingOut.model_fields)


@router.get("/second-places/{place_id}")
async def get_second_place(place_id: UUID, caller: Officer, found: DepsOf, request: Request) -> SecondPlaceOut:
    """Both places of a person whom a program lists twice; the look is logged."""
    async with found.database.write() as tx:
        row = await places.get(tx, place_id, caller)
        who = asker(request, found, caller, "second_place", why=None, program=row["program"])
        await log_usage(tx, who, subject=row["subject"], answer="seen")
    return _shown(row)


@router.post("/second-places/{place_id}:close", response_model=SecondPlaceOut, openapi_extra=ONCE)
async def close_second_place(
    request: Request, place_id: UUID, body: PlaceClosingIn, caller: Officer, found: DepsOf
) -> Response:
    """Say what it came to: one place kept, moved, refunded, or unfounded; nobody's benefit changes by it."""

    async def effect(tx: WriteTx) -> Answered:
        row = await places.close(found, tx, place_id, caller, outcome=body.outcome, refunded_fen=body.refunded_fen)
        return Answered(_shown(row), about=(row["program"], row["subject"]))

    return await once_by(request, found, caller, body, effect, "second_place")


def _shown(row: asyncpg.Record) -> SecondPlaceOut:
    known = row["kept_division"] is not None
    return SecondPlaceOut(
        **{name: row[name] for name in SecondPlaceOut.model_fields if name in row},
        kept=ListingOut(**{name: row[f"kept_{name}"] for name in _LISTING}) if known else None,
        second=ListingOut(**{name: row[name] for name in _LISTING}),
        drawn_twice_from=drawn_twice_from(row["started_on"], row["kept_started_on"]),
    )
