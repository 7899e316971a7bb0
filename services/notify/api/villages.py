"""What a village prints, hands out and reads out."""

import asyncio
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Security
from fastapi.responses import Response

from services.notify.api.common import Wired
from services.notify.domain.delivery import Receipt
from services.notify.schemas import AnnouncementOut, AnnouncementsOut, ConfirmRequest, ListRequest, ReceiptsOut
from services.notify.usecases import villages
from shared.kit.auth import Caller, allow
from shared.kit.problems import PROBLEM_RESPONSES

router = APIRouter(prefix="/v1/villages/{division}", tags=["villages"], responses=PROBLEM_RESPONSES)

Village = Annotated[Caller, Security(allow("notify.village"))]
Division = Annotated[str, Path(pattern=r"^\d{12}$", description="village, 12 digits")]
_PDF: dict[int | str, dict[str, Any]] = {200: {"content": {"application/pdf": {}}, "description": "A page a letter."}}


@router.post("/letters:print", response_class=Response, responses=_PDF)
async def print_letters(wired: Wired, caller: Village, division: Division, body: ListRequest) -> Response:
    """The letters a village has still to hand out, as one PDF, a page each; the look at each person is written down."""
    async with wired.database.write() as tx:
        found = await villages.take(tx, wired, caller, division, villages.LETTER, ids=body.ids, limit=body.limit)
    made = await asyncio.to_thread(villages.print_letters, wired, found, wired.clock.now())
    return Response(made, media_type="application/pdf", headers={"Cache-Control": "no-store"})


@router.post("/announcements:list")
async def list_announcements(wired: Wired, caller: Village, division: Division, body: ListRequest) -> AnnouncementsOut:
    """What a village reads out for people without a phone; the look at each person is written down."""
    async with wired.database.write() as tx:
        found = await villages.take(tx, wired, caller, division, villages.LOUDSPEAKER, ids=body.ids, limit=body.limit)
    items = [AnnouncementOut(id=each.row.message_id, text=each.text, since=each.row.handed_at) for each in found]
    return AnnouncementsOut(items=items)


@router.post("/{what}:confirm")
async def confirm(
    wired: Wired,
    caller: Village,
    division: Division,
    what: Literal["letters", "announcements"],
    body: ConfirmRequest,
) -> ReceiptsOut:
    """What the village has handed or read out, or could not; said twice it changes nothing more."""
    channel = villages.LETTER if what == "letters" else villages.LOUDSPEAKER
    receipts = [
        Receipt(
            id=each.id,
            delivered=each.delivered,
            reason=each.reason or "not_met",
            at=villages.when(each.on, wired.clock.now()),
        )
        for each in body.items
    ]
    async with wired.database.write() as tx:
        taken, new = await villages.confirm(tx, wired, caller, division, channel, receipts)
    return ReceiptsOut(taken=taken, new=new)
