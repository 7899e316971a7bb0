"""Photos of visits: the phone's upload, and the look of whoever reviews."""

import asyncio
from contextlib import suppress
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from services.grid.api.common import Parts, Village, Worker
from services.grid.api.review import visit_out
from services.grid.schemas.base import WorkerId
from services.grid.schemas.work import VisitOut
from services.grid.usecases.errors import NoSuchPhotoError
from services.grid.usecases.photographing import MAX_BYTES, note_look, read_photo, show_photo, take_photo
from services.grid.usecases.views import acting_worker, view_of
from shared.kit.problems import PROBLEM_RESPONSES, TooLargeError

router = APIRouter(prefix="/v1", tags=["photos"], responses=PROBLEM_RESPONSES)

_BODY = {"required": True, "content": {"image/jpeg": {}, "image/png": {}, "image/webp": {}}}
_DECODING = asyncio.Semaphore(2)
"""Photos opened at once: each may take a hundred megabytes for a moment."""


@router.put("/visits/{visit_id}/photo", openapi_extra={"requestBody": _BODY})
async def put_photo(
    request: Request,
    deps: Parts,
    caller: Worker,
    visit_id: UUID,
    worker_id: Annotated[WorkerId | None, Query(description="who was there, where a back end sends it")] = None,
) -> VisitOut:
    """The photo a report announced; repeating it is safe. One known from an earlier visit goes to the leader."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BYTES:
            detail = f"At most {MAX_BYTES} bytes; let the phone shrink it to 1280 pixels."
            raise TooLargeError(detail)
    async with _DECODING:
        photo = await asyncio.to_thread(read_photo, bytes(body))
    async with deps.database.write() as tx:
        worker = await acting_worker(tx, caller, worker_id)
        return visit_out(await take_photo(tx, deps, visit_id, photo, worker=worker))


@router.get("/visits/{visit_id}/photo", response_class=Response, responses={200: {"content": {"image/jpeg": {}}}})
async def get_photo(deps: Parts, caller: Village, visit_id: UUID) -> Response:
    """The photo, for whoever reviews the visit; the look is noted before the answer leaves, and so is a refusal."""
    found: bytes | None = None
    async with deps.database.write() as tx:
        view = await view_of(tx, caller, deps.clock.today())
        with suppress(NoSuchPhotoError):
            found = await show_photo(tx, deps, visit_id, view)
        await note_look(tx, deps, caller, visit_id, shown=found is not None)
    if found is None:
        raise NoSuchPhotoError
    return Response(found, media_type="image/jpeg", headers={"Cache-Control": "no-store"})
