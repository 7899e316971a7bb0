"""The leader's routes: reports that look odd, people nobody can reach."""

from dataclasses import asdict
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from services.grid.api.common import Parts, Party, Village, task_out
from services.grid.schemas.work import FormIn, OddMemberOut, OddMembersOut, TaskOut, VisitOut, VisitReviewIn, VisitsOut
from services.grid.store.visits import StoredVisit, list_in_review, list_with_problems
from services.grid.usecases.reviewing import give_up, note_of, note_read, review
from services.grid.usecases.views import view_of
from services.grid.usecases.watching import odd_of
from shared.kit.problems import PROBLEM_RESPONSES

router = APIRouter(prefix="/v1", tags=["review"], responses=PROBLEM_RESPONSES)

_LIMIT = 200
_Problems = Annotated[bool, Query(description="instead those that collected problems, the latest first")]


@router.get("/visits")
async def list_visits(deps: Parts, caller: Village, *, problems: _Problems = False) -> VisitsOut:
    """Reports that wait for the village, oldest first, with what members wrote; every look is kept."""
    async with deps.database.write() as tx:
        view = await view_of(tx, caller, deps.clock.today())
        found = await (list_with_problems if problems else list_in_review)(tx, view, _LIMIT)
        await note_read(tx, deps, caller, found)
    return VisitsOut(items=[visit_out(each, note=note_of(deps, each)) for each in found])


@router.get("/anomalies")
async def list_anomalies(deps: Parts, caller: Party) -> OddMembersOut:
    """Members of the caller's divisions whose last month of reports looks odd."""
    async with deps.database.read() as tx:
        view = await view_of(tx, caller, deps.clock.today())
        found = await odd_of(tx, deps, view)
    return OddMembersOut(items=[OddMemberOut(**row) for row in found.iter_rows(named=True)])


@router.post("/visits/{visit_id}/review")
async def post_review(deps: Parts, caller: Village, visit_id: UUID, body: VisitReviewIn) -> VisitOut:
    """Accepted, the visit counts; returned, another member goes. Never by the one who was there."""
    async with deps.database.write() as tx:
        view = await view_of(tx, caller, deps.clock.today())
        return visit_out(await review(tx, deps, caller, visit_id, view=view, accepted=body.verdict == "accepted"))


@router.post("/tasks/{task_id}/unreachable")
async def post_unreachable(deps: Parts, caller: Village, task_id: UUID) -> TaskOut:
    """Document that nobody can reach the person, after knocks on enough different days; it certifies nothing."""
    async with deps.database.write() as tx:
        view = await view_of(tx, caller, deps.clock.today())
        return task_out(await give_up(tx, deps, caller, task_id, view=view), caller)


def visit_out(each: StoredVisit, *, note: str | None = None) -> VisitOut:
    return VisitOut(
        visit_id=each.visit.visit_id,
        task_id=each.visit.task_id,
        subject=each.subject,
        worker_id=each.visit.worker_id,
        result=each.visit.result,
        visited_at=each.visit.visited_at,
        status=each.status,
        flags=list(each.flags),
        form=FormIn(**asdict(each.visit.form)),
        id_card_read=each.visit.id_card_read,
        prompt_answered=each.visit.prompt_answered,
        event_on=each.visit.event_on,
        informant=each.visit.informant,
        proofs=list(each.visit.proofs),
        note=note,
    )
