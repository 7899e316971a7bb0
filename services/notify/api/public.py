"""Public information as PDF, with live figures, for a village to print."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal

from fastapi import APIRouter
from fastapi.responses import Response

from services.notify.api.common import Printer, Wired
from services.notify.domain.reform import Reform
from services.notify.usecases import public
from shared.kit.problems import PROBLEM_RESPONSES

router = APIRouter(prefix="/v1/public", tags=["public"], responses=PROBLEM_RESPONSES)

_PDF: dict[int | str, dict[str, Any]] = {200: {"content": {"application/pdf": {}}, "description": "A page of A4."}}
_MADE: dict[str, Callable[[Reform, datetime], bytes]] = {
    "open-letter": public.open_letter,
    "picture": public.picture,
}


@router.get("/{what}.pdf", response_class=Response, responses=_PDF)
async def get_public(wired: Wired, _caller: Printer, what: Literal["open-letter", "picture"]) -> Response:
    """The open letter or the picture of the reform, with the figures of this moment."""
    found = await public.reform(wired)
    made = await asyncio.to_thread(_MADE[what], found, wired.clock.now())
    return Response(made, media_type="application/pdf", headers={"Cache-Control": "private, max-age=300"})
