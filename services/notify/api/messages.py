"""Messages of a person, shared inboxes, notices on request."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, status

from services.notify.api.common import Looker, Manager, Reader, Wired
from services.notify.schemas import AskedOut, AskRequest, DeliveryOut, MessageOut, MessagesOut, SearchRequest
from services.notify.store.readings import DeliveryRow
from services.notify.usecases import ask, read, rights
from services.notify.usecases.deps import Deps
from services.notify.usecases.read import Page, Shown
from shared.contracts.vocabulary import Audience
from shared.kit.problems import PROBLEM_RESPONSES

router = APIRouter(prefix="/v1", tags=["messages"], responses=PROBLEM_RESPONSES)

Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str | None, Query(max_length=200, pattern=r"^[A-Za-z0-9_-]+$")]


@router.post("/messages:search")
async def search_messages(wired: Wired, caller: Looker, body: SearchRequest) -> MessagesOut:
    """The messages of one person, newest first, each with its delivery log; the look is written down."""
    async with wired.database.write() as tx:
        page = await read.search(tx, wired, caller, body.subject, cursor=body.cursor, limit=body.limit)
    return _page(wired, page)


@router.get("/inbox/{audience}")
async def list_inbox(
    wired: Wired,
    caller: Reader,
    audience: Literal["officer", "department", "grid_worker", "village", "partner"],
    cursor: Cursor = None,
    limit: Limit = 50,
) -> MessagesOut:
    """What the caller's office is told, by division or addressed to him; a look at a person is written down."""
    async with wired.database.write() as tx:
        page = await read.list_inbox(tx, wired, caller, Audience(audience), cursor=cursor, limit=limit)
    return _page(wired, page)


@router.post("/messages", status_code=status.HTTP_202_ACCEPTED)
async def ask_message(wired: Wired, caller: Manager, body: AskRequest) -> AskedOut:
    """Tell one person something that a decision asks for; under one key once, however often it is asked."""
    async with wired.database.write() as tx:
        await rights.check_person(tx, caller, body.subject)
        message_id, fresh = await ask.ask_message(
            tx, wired, template=body.template, subject=body.subject, key=body.key, variables=body.variables
        )
    return AskedOut(id=message_id, fresh=fresh)


def _page(wired: Deps, page: Page) -> MessagesOut:
    return MessagesOut(items=[_message(wired, each) for each in page.items], next_cursor=page.next_cursor)


def _message(wired: Deps, shown: Shown) -> MessageOut:
    row = shown.row
    return MessageOut(
        id=row.id,
        template=row.template,
        version=row.version,
        label=shown.label,
        audience=Audience(row.audience),
        legal=shown.legal,
        subject=row.subject,
        recipient=row.recipient,
        division=row.division,
        status=shown.status,
        refused=row.refused,
        given_up=row.given_up,
        in_inbox=row.in_inbox,
        read_at=row.read_at,
        title=shown.title,
        text=shown.text,
        created_at=row.created_at,
        deliveries=[_delivery(wired, each) for each in row.deliveries],
    )


def _delivery(wired: Deps, row: DeliveryRow) -> DeliveryOut:
    channel = wired.channels.get(row.channel)
    return DeliveryOut(
        channel=row.channel,
        attempt=row.attempt,
        status=row.status,
        reason=row.reason,
        provider=row.provider,
        reference=row.reference,
        parts=row.parts,
        cost_fen=row.parts * channel.setting("fen_per_part") if channel else 0.0,
        digest=row.digest.hex() if row.digest else None,
        due_at=row.due_at,
        handed_at=row.handed_at,
        ended_at=row.ended_at,
    )
