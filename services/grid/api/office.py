"""The office's routes: the list of grids, tasks, substitutes, figures."""

import asyncio
from dataclasses import asdict
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request

from services.grid.api.common import (
    Manager,
    Operator,
    Parts,
    Reader,
    Service,
    Worker,
    make_cursor,
    read_cursor,
    task_out,
)
from services.grid.domain.tasks import Rung, TaskState
from services.grid.schemas.base import DivisionPrefix, WorkerId
from services.grid.schemas.office import (
    FiguresOut,
    ImportedOut,
    RelocationIn,
    SubjectsOut,
    SubstitutionIn,
    SubstitutionOut,
)
from services.grid.schemas.work import TaskOut, TasksOut
from services.grid.store import figures, people, tasks
from services.grid.store.tasks import TaskFilter
from services.grid.usecases.ending import end_grids
from services.grid.usecases.importing import import_roll, read_roll
from services.grid.usecases.keeping import come_back, relocate, substitute
from services.grid.usecases.views import acting_worker, view_of, view_of_worker
from shared.contracts.vocabulary import TaskReason
from shared.kit.problems import PROBLEM_RESPONSES, ForbiddenError, NotFoundError, TooLargeError

router = APIRouter(prefix="/v1", tags=["office"], responses=PROBLEM_RESPONSES)


@router.post("/grids:import", openapi_extra={"requestBody": {"required": True, "content": {"text/csv": {}}}})
async def import_grids(request: Request, deps: Parts, caller: Manager) -> ImportedOut:
    """Take in a list of grids (CSV, UTF-8), whole or not at all; a second time it changes nothing.

    A grid that is not listed stays as it is. One that is no more is listed with its last day in `ended_on` and, where
    people live there, with the grid that takes them in `successor`. `member_user`, `leader_user` and `assistant_user`
    say how an office's tokens call somebody whom they do not call by his id.
    """
    if caller.divisions:
        detail = "The list of grids is imported by the city; ask its office."
        raise ForbiddenError(detail)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > deps.import_bytes:
            detail = f"At most {deps.import_bytes} bytes."
            raise TooLargeError(detail)
    shaped = await asyncio.to_thread(read_roll, bytes(body))
    async with deps.database.write() as tx:
        taken = await import_roll(tx, deps, shaped)
        ended = await end_grids(tx, deps, shaped)
    return ImportedOut.model_validate(asdict(taken) | asdict(ended))


@router.get("/tasks")
async def list_tasks(  # noqa: PLR0913  (filters)
    deps: Parts,
    caller: Reader,
    *,
    worker_id: WorkerId | None = None,
    division: DivisionPrefix | None = None,
    reason: TaskReason | None = None,
    state: TaskState | None = None,
    rung: Rung | None = None,
    subject: UUID | None = None,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> TasksOut:
    """Tasks in the caller's divisions, a page at a time, closed ones too."""
    question = (caller.client_id, worker_id, division, reason, state, rung, subject)
    after = read_cursor(cursor, *question)
    wanted = TaskFilter(division=division, reason=reason, state=state, subject=subject, rung=rung)
    async with deps.database.read() as tx:
        view = await view_of(tx, caller, deps.clock.today(), named=worker_id)
        found = await tasks.list_tasks(tx, view, wanted, after=after, limit=limit)
    more = make_cursor(found[-1].task_id, *question) if len(found) == limit else None
    return TasksOut(items=[task_out(task, caller) for task in found], next_cursor=more)


@router.post("/tasks/{task_id}/relocation")
async def post_relocation(deps: Parts, caller: Worker, task_id: UUID, body: RelocationIn) -> TaskOut:
    """«Not mine»: the person lives in another grid, which gets his tasks."""
    today = deps.clock.today()
    async with deps.database.write() as tx:
        worker = await acting_worker(tx, caller, body.worker_id)
        view = await view_of_worker(tx, caller, worker, today)
        return task_out(await relocate(tx, deps, worker, task_id, body.grid_code, view=view), caller)


@router.post("/substitutions", status_code=201)
async def post_substitution(deps: Parts, caller: Manager, body: SubstitutionIn) -> SubstitutionOut:
    """Somebody is away: another member sees and does his work on these days."""
    async with deps.database.write() as tx:
        view = await view_of(tx, caller, deps.clock.today())
        days = (body.from_on, body.until_on)
        made = await substitute(tx, deps, caller, body.worker_id, body.substitute_id, days, view=view)
    return SubstitutionOut.model_validate(made)


@router.post("/substitutions/{substitution_id}/end", status_code=204)
async def post_substitution_end(deps: Parts, caller: Manager, substitution_id: UUID) -> None:
    """Somebody is back earlier: today is the last day of his substitute; repeating it is safe."""
    async with deps.database.write() as tx:
        await come_back(tx, deps, substitution_id, view=await view_of(tx, caller, deps.clock.today()))


@router.get("/divisions/{division}/subjects")
async def list_subjects(
    deps: Parts, _caller: Service, division: DivisionPrefix, shard: Annotated[str, Query(pattern="^[0-9a-f]$")]
) -> SubjectsOut:
    """Who lives in a county, town or village, of one shard; for another service that works on a division's people."""
    async with deps.database.read() as tx:
        found = await people.list_living(tx, division, shard)
    if found is None:
        raise NotFoundError("There is no such division in the list of grids.")
    return SubjectsOut(items=found)


@router.get("/figures")
async def get_figures(deps: Parts, _caller: Operator) -> FiguresOut:
    """How much there is of everything."""
    async with deps.database.read() as tx:
        return FiguresOut.model_validate(await figures.count(tx))
