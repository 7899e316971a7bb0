"""Callbacks of providers; each proves itself by the signature its channel checks."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request

from services.notify.api.common import Wired
from services.notify.channels import NotAReceiptError
from services.notify.domain.delivery import Receipt
from services.notify.schemas import ReceiptsOut
from services.notify.usecases import send
from shared.kit.clock import wall
from shared.kit.problems import PROBLEM_RESPONSES, NotFoundError, UnauthorizedError

router = APIRouter(prefix="/v1", tags=["receipts"], responses=PROBLEM_RESPONSES)

ChannelCode = Annotated[str, Path(pattern=r"^[a-z][a-z0-9_]{1,40}$")]


async def signed_receipts(request: Request, wired: Wired, channel: ChannelCode) -> Sequence[Receipt]:
    """The receipts in a callback, after its signature has been checked by the channel.

    Raises:
        NotFoundError: no such channel, or one without receipts.
        UnauthorizedError: not signed by the provider.
    """
    found = wired.channels.get(channel)
    if found is None or found.channel.read_receipts is None:
        detail = "No channel of this name takes receipts."
        raise NotFoundError(detail)
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        return found.channel.read_receipts(found.settings, headers, await request.body(), int(wall()))
    except NotAReceiptError as error:
        detail = "Receipts are signed as webhooks with the secret both sides know."
        raise UnauthorizedError(detail) from error


signed_receipts.is_guard = True  # type: ignore[attr-defined]  # a mark for the guard test

SignedReceipts = Annotated[Sequence[Receipt], Depends(signed_receipts)]


@router.post("/receipts/{channel}")
async def take_receipts(wired: Wired, channel: ChannelCode, receipts: SignedReceipts) -> ReceiptsOut:
    """What became of messages; said twice or out of order it changes nothing more."""
    async with wired.database.write() as tx:
        new = await send.take_receipts(tx, wired, channel, receipts)
    return ReceiptsOut(taken=len(receipts), new=new)
