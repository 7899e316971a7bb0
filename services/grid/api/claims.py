"""Requests to stop a benefit, and tips: routes of the village, of the reporter and of the agency."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from services.grid.api.common import Citizen, Officer, Parts, Reader, Village, make_cursor, read_cursor
from services.grid.domain.claims import StopState, TipState, Told
from services.grid.schemas.claims import (
    ReporterOut,
    ScreeningIn,
    StopConclusionIn,
    StopRequestOut,
    StopRequestsOut,
    TipClaimIn,
    TipIn,
    TipOut,
    TipReceiptOut,
    TipsOut,
    TipStatusIn,
    TipStatusOut,
    VerificationIn,
)
from services.grid.store import stops, tips
from services.grid.store.stops import StopRequest
from services.grid.usecases import stopping, tipping
from services.grid.usecases.deps import Deps
from services.grid.usecases.tipping import Reporter
from services.grid.usecases.views import view_of
from shared.kit.auth import Caller
from shared.kit.db import WriteTx
from shared.kit.problems import PROBLEM_RESPONSES, ForbiddenError

router = APIRouter(prefix="/v1", tags=["claims"], responses=PROBLEM_RESPONSES)

Limit = Annotated[int, Query(ge=1, le=200)]


@router.get("/stop-requests")
async def list_stop_requests(
    deps: Parts, caller: Reader, state: StopState | None = None, cursor: str | None = None, limit: Limit = 50
) -> StopRequestsOut:
    """Requests to stop in the caller's divisions, a page at a time; who reads what people wrote is kept."""
    question = (caller.client_id, "stop", state)
    after = read_cursor(cursor, *question)
    async with deps.database.write() as tx:
        view = await view_of(tx, caller, deps.clock.today())
        found = await stops.in_view(tx, view, state=state, after=after, limit=limit)
        items = await _told(tx, deps, caller, found)
    more = make_cursor(found[-1].request_id, *question) if len(found) == limit else None
    return StopRequestsOut(items=items, next_cursor=more)


@router.get("/stop-requests/{request_id}")
async def get_stop_request(deps: Parts, caller: Reader, request_id: UUID) -> StopRequestOut:
    """One request."""
    async with deps.database.write() as tx:
        view = await view_of(tx, caller, deps.clock.today())
        return (await _told(tx, deps, caller, [await stopping.get(tx, request_id, view)]))[0]


@router.post("/stop-requests/{request_id}/verification")
async def post_verification(deps: Parts, caller: Village, request_id: UUID, body: VerificationIn) -> StopRequestOut:
    """Whether it is as the request states, by somebody who is not family."""
    async with deps.database.write() as tx:
        view = await view_of(tx, caller, deps.clock.today())
        changed = await stopping.verify(
            tx, deps, caller, request_id,
            view=view, as_stated=body.as_stated, event_on=body.event_on, told=body.tells_of,
        )  # fmt: skip
        return (await _told(tx, deps, caller, [changed]))[0]


@router.post("/stop-requests/{request_id}/conclusion")
async def post_stop_conclusion(
    deps: Parts, caller: Officer, request_id: UUID, body: StopConclusionIn
) -> StopRequestOut:
    """Confirmed or not, by somebody else than the verifier; recognition proposes the stop."""
    async with deps.database.write() as tx:
        view = await view_of(tx, caller, deps.clock.today())
        changed = await stopping.conclude(tx, deps, caller, request_id, view=view, confirmed=body.confirmed)
        return (await _told(tx, deps, caller, [changed]))[0]


@router.post("/tips", status_code=201)
async def post_tip(deps: Parts, _caller: Citizen, body: TipIn) -> TipReceiptOut:
    """Somebody reports; with his name or without."""
    reporter = Reporter(text=body.text, name=body.name, phone=body.phone)
    async with deps.database.write() as tx:
        made, code = await tipping.receive(tx, deps, body.subject, body.kind, reporter, report_id=body.report_id)
    return TipReceiptOut(claim_code=code, told_by=made.tell_by)


@router.post("/tips:status")
async def post_tip_status(deps: Parts, _caller: Citizen, body: TipStatusIn) -> TipStatusOut:
    """Where the reporter's own tip stands."""
    async with deps.database.write() as tx:
        return TipStatusOut.model_validate(await tipping.ask(tx, deps, body.claim_code))


@router.post("/tips:claim")
async def post_tip_claim(deps: Parts, _caller: Citizen, body: TipClaimIn) -> TipStatusOut:
    """The reporter claims an approved reward."""
    async with deps.database.write() as tx:
        return TipStatusOut.model_validate(await tipping.claim(tx, deps, body.claim_code, body.account))


@router.get("/tips")
async def list_tips(
    deps: Parts, caller: Officer, state: TipState | None = None, cursor: str | None = None, limit: Limit = 50
) -> TipsOut:
    """Tips, oldest first, without who reported; for officers of the city."""
    _of_the_city(caller)
    question = (caller.client_id, "tips", state)
    after = read_cursor(cursor, *question)
    async with deps.database.read() as tx:
        found = await tips.page(tx, state=state, after=after, limit=limit)
    more = make_cursor(found[-1].tip_id, *question) if len(found) == limit else None
    return TipsOut(items=[TipOut.model_validate(each) for each in found], next_cursor=more)


@router.post("/tips/{tip_id}/screening")
async def post_screening(deps: Parts, caller: Officer, tip_id: UUID, body: ScreeningIn) -> TipOut:
    """Examine a tip; an accepted one opens a case in which nothing tells that somebody reported."""
    _of_the_city(caller)
    async with deps.database.write() as tx:
        return TipOut.model_validate(await tipping.screen(tx, deps, caller, tip_id, accepted=body.accepted))


@router.post("/tips/{tip_id}/approval")
async def post_approval(deps: Parts, caller: Officer, tip_id: UUID) -> TipOut:
    """Approve the reward, never by the one who screened."""
    _of_the_city(caller)
    async with deps.database.write() as tx:
        return TipOut.model_validate(await tipping.approve(tx, deps, caller, tip_id))


@router.post("/tips/{tip_id}/payment")
async def post_payment(deps: Parts, caller: Officer, tip_id: UUID) -> TipOut:
    """Note that a claimed reward was paid."""
    _of_the_city(caller)
    async with deps.database.write() as tx:
        return TipOut.model_validate(await tipping.pay(tx, deps, caller, tip_id))


@router.post("/tips/{tip_id}/telling")
async def post_telling(deps: Parts, caller: Officer, tip_id: UUID) -> TipOut:
    """Note that the reporter has been told what became of his tip; who shows his code is told by that."""
    _of_the_city(caller)
    async with deps.database.write() as tx:
        return TipOut.model_validate(await tipping.tell(tx, deps, caller, tip_id))


@router.post("/tips/{tip_id}/reporter:reveal")
async def post_reveal(deps: Parts, caller: Officer, tip_id: UUID) -> ReporterOut:
    """Who reported what; noted in the tip's history before the answer leaves."""
    _of_the_city(caller)
    async with deps.database.write() as tx:
        found = await tipping.reveal(tx, deps, caller, tip_id)
    return ReporterOut.model_validate(found)


async def _told(tx: WriteTx, deps: Deps, caller: Caller, found: Sequence[StopRequest]) -> list[StopRequestOut]:
    await stopping.note_read(tx, deps, caller, found)
    return [_stop_request(deps, each) for each in found]


def _stop_request(deps: Deps, request: StopRequest) -> StopRequestOut:
    told = next((each for each in Told if each == request.reason), None)
    shown = asdict(request) | {"reason": stopping.words(deps, request), "tells_of": told}
    return StopRequestOut.model_validate(shown)


def _of_the_city(caller: Caller) -> None:
    # An officer of a county or town knows the people there: reporters are kept from him too.
    if caller.divisions:
        detail = "Tips are handled by the city; ask its office."
        raise ForbiddenError(detail)
