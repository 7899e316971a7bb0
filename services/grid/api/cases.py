"""The village's, the town's and the agency's routes: cases and their steps."""

from dataclasses import replace
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from services.grid.api.common import Involved, Officer, Parts, Reader, Village, make_cursor, read_cursor
from services.grid.domain.cases import Basis, CaseState, is_found
from services.grid.domain.views import View
from services.grid.schemas.base import WorkerId
from services.grid.schemas.cases import (
    BasisIn,
    CaseDetailOut,
    CaseIn,
    CaseOut,
    CaseReviewIn,
    CasesOut,
    ConclusionIn,
    FindingIn,
    RecusalIn,
    StepOut,
)
from services.grid.store import cases
from services.grid.store.cases import Case, CaseFilter
from services.grid.usecases import casework
from services.grid.usecases.casework import Opinion
from services.grid.usecases.views import view_of
from shared.contracts.vocabulary import SuspicionKind
from shared.kit.problems import PROBLEM_RESPONSES

router = APIRouter(prefix="/v1", tags=["cases"], responses=PROBLEM_RESPONSES)


@router.get("/cases")
async def list_cases(  # noqa: PLR0913  (filters)
    deps: Parts,
    caller: Reader,
    *,
    worker_id: WorkerId | None = None,
    state: CaseState | None = None,
    kind: SuspicionKind | None = None,
    subject: UUID | None = None,
    open_only: bool = False,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> CasesOut:
    """Cases in the caller's divisions, a page at a time."""
    question = (caller.client_id, worker_id, state, kind, subject, open_only)
    after = read_cursor(cursor, *question)
    wanted = CaseFilter(state=state, kind=kind, subject=subject, open_only=open_only)
    async with deps.database.read() as tx:
        view = await view_of(tx, caller, deps.clock.today(), named=worker_id)
        found = await cases.list_cases(tx, view, wanted, after=after, limit=limit)
    more = make_cursor(found[-1].case_id, *question) if len(found) == limit else None
    return CasesOut(items=[_out(case, view) for case in found], next_cursor=more)


@router.post("/cases", status_code=201)
async def post_case(deps: Parts, caller: Officer, body: CaseIn) -> CaseOut:
    """What an officer has learned of goes to the village, into a case that is open about it or a new one.

    He cannot conclude it himself; told again, it is one more step of the same case.
    """
    opinion = Opinion(outcome="told", event_on=body.event_on, basis=_basis(body.basis), note=body.note)
    async with deps.database.write() as tx:
        view = await view_of(tx, caller, deps.clock.today())
        return _out(await casework.tell(tx, deps, caller, body.subject, body.kind, opinion, view=view), view)


@router.get("/cases/{case_id}")
async def get_case(deps: Parts, caller: Reader, case_id: UUID, worker_id: WorkerId | None = None) -> CaseDetailOut:
    """One case with every step: who, when, on what; what was written with it is told to those who work on it."""
    async with deps.database.write() as tx:
        view = await view_of(tx, caller, deps.clock.today(), named=worker_id)
        case, steps = await casework.get_case(tx, case_id, view)
        notes = await casework.read_notes(tx, deps, caller, case, steps)
    history = [
        StepOut.model_validate(replace(step, note=None)).model_copy(update={"note": note})
        for step, note in zip(steps, notes, strict=True)
    ]
    return CaseDetailOut(case=_out(case, view), steps=history)


@router.post("/cases/{case_id}/finding")
async def post_finding(deps: Parts, caller: Village, case_id: UUID, body: FindingIn) -> CaseOut:
    """What the village found; never by the one who knocked."""
    opinion = Opinion(outcome=body.finding.value, event_on=body.event_on, basis=_basis(body.basis), note=body.note)
    async with deps.database.write() as tx:
        view = await view_of(tx, caller, deps.clock.today())
        return _out(await casework.find(tx, deps, caller, case_id, view, opinion), view)


@router.post("/cases/{case_id}/review")
async def post_review(deps: Parts, caller: Officer, case_id: UUID, body: CaseReviewIn) -> CaseOut:
    """The town agrees with the finding or sends it back.

    A return is for what is written: somebody goes to the door again for it only where what the finding rests on has
    been withdrawn since. To have the person looked at anew, agree, and let the agency conclude that it is inconclusive.
    """
    opinion = Opinion(outcome=body.verdict, note=body.note)
    async with deps.database.write() as tx:
        view = await view_of(tx, caller, deps.clock.today())
        changed = await casework.review(tx, deps, caller, case_id, view, opinion, agrees=body.verdict == "agreed")
        return _out(changed, view)


@router.post("/cases/{case_id}/conclusion")
async def post_conclusion(deps: Parts, caller: Officer, case_id: UUID, body: ConclusionIn) -> CaseOut:
    """The agency concludes; never the one who found or reviewed. Inconclusive the first time: a second visit."""
    opinion = Opinion(outcome=body.conclusion.value, event_on=body.event_on, basis=_basis(body.basis), note=body.note)
    async with deps.database.write() as tx:
        view = await view_of(tx, caller, deps.clock.today())
        return _out(await casework.conclude(tx, deps, caller, case_id, view, opinion), view)


@router.post("/cases/{case_id}/recusal")
async def post_recusal(deps: Parts, caller: Involved, case_id: UUID, body: RecusalIn) -> CaseOut:
    """The caller withdraws, e.g. as family; he can take no step in this case any more."""
    async with deps.database.write() as tx:
        view = await view_of(tx, caller, deps.clock.today(), named=body.worker_id)
        who = replace(caller, user=view.worker_ids[0]) if view.worker_ids else caller
        return _out(await casework.withdraw(tx, deps, who, case_id, view, body.note), view)


def _out(case: Case, view: View) -> CaseOut:
    told = CaseOut.model_validate(case)
    if casework.knows_origin(case, view):
        return told
    hidden = {"confidence": None, "previous_case_id": None}
    return told.model_copy(update=hidden if is_found(case.state) else hidden | {"event_on": None})


def _basis(given: tuple[BasisIn, ...]) -> tuple[Basis, ...]:
    return tuple(Basis(kind=each.kind, reference=each.reference, day=each.day) for each in given)
