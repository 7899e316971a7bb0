"""The grid member's routes: worklist and visits."""

from collections.abc import Sequence
from datetime import date, datetime
from hashlib import blake2b
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import AwareDatetime

from services.grid.api.common import Parts, Worker, make_cursor, read_cursor
from services.grid.domain.tasks import TaskState
from services.grid.domain.views import BACK_END_ROLES
from services.grid.domain.visits import Form, Visit
from services.grid.schemas.base import GridCode, WorkerId
from services.grid.schemas.work import (
    EARLIEST,
    LATEST,
    LineOut,
    LineTaskOut,
    PromptOut,
    ReceiptOut,
    SyncOut,
    Unreadable,
    VisitReportIn,
    VisitReportsIn,
    WorklistOut,
)
from services.grid.store import tasks
from services.grid.store.tasks import Task
from services.grid.usecases.deps import Deps
from services.grid.usecases.errors import WorkerNeededError, WorkerUnknownError
from services.grid.usecases.listing import (
    has_more_to_do,
    lines_of,
    look_back,
    note_revealed,
    page_of,
    reveal,
    told_again,
)
from services.grid.usecases.views import acting_worker, view_of, view_of_worker, view_of_worker_on
from services.grid.usecases.visiting import Receipt, Report, prompt_of, record_visits
from shared.kit.auth import Caller
from shared.kit.clock import SHANGHAI
from shared.kit.db import ReadTx, WriteTx
from shared.kit.problems import PROBLEM_RESPONSES

router = APIRouter(prefix="/v1", tags=["work"], responses=PROBLEM_RESPONSES)

_LIMIT = 500
"""Tasks of an office's list; a phone's is whole, since it drops what is not in it."""
_Since = Annotated[
    AwareDatetime | None, Query(ge=EARLIEST, lt=LATEST, description="`as_of` of the last answer: only what changed")
]


@router.get("/worklist")
async def get_worklist(
    deps: Parts,
    caller: Worker,
    worker_id: WorkerId | None = None,
    grid: GridCode | None = None,
    since: _Since = None,
    cursor: str | None = None,
) -> WorklistOut:
    """What a member has to do, one line a person, most urgent first; names come from ingest where it answers.

    A long list comes in pages. All of `open_tasks` is on each; the earliest `as_of` of the pages is the next `since`.
    """
    question = (caller.client_id, "worklist", worker_id, grid, since)
    after = read_cursor(cursor, *question)
    now, today = deps.clock.now(), deps.clock.today()
    async with deps.database.read() as tx:
        view = await view_of(tx, caller, today, named=worker_id)
        local = bool(view.worker_ids) or grid is not None
        limit = None if local else _LIMIT
        found = await tasks.worklist(tx, view, grid, None, limit)
        changed = await tasks.worklist(tx, view, grid, look_back(since), limit) if since else []
        anew = since is None or await has_more_to_do(tx, view, look_back(since), today)
    # Nothing of the database is held while another service is asked.
    news = {task.subject for task in (found if anew else changed)}
    per_day = deps.policies.on(today).visits_per_day
    planned = lines_of(found, today=today, visits_per_day=per_day, hands=view.worker_ids)
    lines, last = page_of([line for line in planned if line.subject in news], after)
    people = await reveal(deps, [line.subject for line in lines]) if local else None
    names: Literal["included", "unavailable", "not_asked"] = "not_asked"
    if local:
        names = "unavailable" if people is None else "included"
    if people:
        async with deps.database.write() as tx:
            await note_revealed(tx, deps, caller, worker_id, people)
    items = []
    for line in lines:
        person = people.get(line.subject) if people else None
        items.append(
            LineOut(
                subject=line.subject,
                grid_code=line.grid_code,
                priority=line.priority,
                plan_on=line.plan_on,
                name=person.name if person else None,
                phone=person.phone if person else None,
                family_phone=person.family_phone if person else None,
                tasks=[_line_task(deps, task) for task in line.tasks],
            )
        )
    gone = [task.task_id for task in changed if task.state is TaskState.CLOSED]
    still = [task.task_id for task in found]
    as_of = now if names != "unavailable" else (None if anew else since) or told_again(lines, now)
    more = make_cursor(last, *question) if last else None
    return WorklistOut(as_of=as_of, names=names, items=items, gone=gone, open_tasks=still, next_cursor=more)


@router.post("/visits")
async def post_visit(deps: Parts, caller: Worker, body: VisitReportIn) -> ReceiptOut:
    """One report from one door; repeating it is safe."""
    async with deps.database.write() as tx:
        receipts = await _record(tx, deps, caller, [body])
    return ReceiptOut.model_validate(receipts[0])


@router.post("/visits:sync")
async def sync_visits(deps: Parts, caller: Worker, body: VisitReportsIn) -> SyncOut:
    """What a phone collected offline: a receipt for each report, in their order; repeating it is safe.

    A report that cannot be read, or of a member nobody knows, is refused by itself.
    """
    readable = [each for each in body.visits if isinstance(each, VisitReportIn)]
    async with deps.database.write() as tx:
        unknown = await _unknown_workers(tx, caller, readable)
        taken = [each for each in readable if each.worker_id not in unknown]
        receipts = iter(await _record(tx, deps, caller, taken))
    return SyncOut(
        items=[
            _not_taken(each.visit_id, *each.reasons)
            if isinstance(each, Unreadable)
            else _not_taken(each.visit_id, unknown[each.worker_id])
            if each.worker_id in unknown
            else ReceiptOut.model_validate(next(receipts))
            for each in body.visits
        ]
    )


async def _unknown_workers(tx: ReadTx, caller: Caller, reports: Sequence[VisitReportIn]) -> dict[str | None, str]:
    """For whom the caller may not speak, and why; what he says for others is taken."""
    if caller.role not in BACK_END_ROLES:
        await acting_worker(tx, caller, None)
    found: dict[str | None, str] = {}
    for named in {report.worker_id for report in reports}:
        try:
            await acting_worker(tx, caller, named)
        except (WorkerUnknownError, WorkerNeededError) as error:
            found[named] = error.code
    return found


def _not_taken(visit_id: UUID | None, *reasons: str) -> ReceiptOut:
    return ReceiptOut(visit_id=visit_id, reception="refused", reasons=list(reasons), notes=[], task_state=None)


def _line_task(deps: Deps, task: Task) -> LineTaskOut:
    return LineTaskOut(
        task_id=task.task_id,
        reason=task.reason,
        state=task.state,
        about=deps.take_up.labels(task.about),
        worker_id=task.worker_id,
        due_on=task.due_on,
        deadline_on=task.deadline_on,
        prompt=PromptOut.model_validate(prompt_of(deps, task.task_id, task.sightings)),
    )


async def _record(tx: WriteTx, deps: Deps, caller: Caller, bodies: Sequence[VisitReportIn]) -> list[Receipt]:
    today = deps.clock.today()
    workers = {body.worker_id: await acting_worker(tx, caller, body.worker_id) for body in bodies}
    views = {worker: await view_of_worker(tx, caller, worker, today) for worker in set(workers.values())}
    days = {(workers[body.worker_id], _day(body)) for body in bodies}
    then = {(worker, day): await view_of_worker_on(tx, caller, worker, day) for worker, day in days}
    reports = [
        Report(
            visit=_visit(deps, body, workers[body.worker_id]),
            view=views[workers[body.worker_id]],
            then=then[workers[body.worker_id], _day(body)],
            fingerprint=_fingerprint(body, workers[body.worker_id]),
        )
        for body in bodies
    ]
    return await record_visits(tx, deps, reports, sent_by=caller.client_id)


def _day(body: VisitReportIn) -> date:
    return body.visited_at.astimezone(SHANGHAI).date()


def _visit(deps: Deps, body: VisitReportIn, worker_id: str) -> Visit:
    return Visit(
        visit_id=body.visit_id,
        task_id=body.task_id,
        worker_id=worker_id,
        result=body.result,
        visited_at=body.visited_at,
        form=Form(**body.form.model_dump()),
        id_card_read=body.id_card_read,
        event_on=body.event_on,
        informant=body.informant,
        proofs=body.proofs,
        prompt_id=body.prompt_id,
        prompt_answered=body.prompt_answered,
        place=(round(body.place.lon, 3), round(body.place.lat, 3)) if body.place else None,
        photo=body.photo,
        family=body.family,
        helper=deps.name_keys.one(f"helper {body.helper}").bytes if body.helper else None,
        note=deps.vault.seal(body.note.encode(), body.visit_id.bytes) if body.note else None,
    )


def _fingerprint(body: VisitReportIn, worker_id: str) -> bytes:
    # What phones did not say before leaves the fingerprint as it was, so that a repeated report is known again.
    said = body.model_dump(mode="json", exclude={"worker_id", "visited_at", *(() if body.family else ("family",))})
    at = datetime.timestamp(body.visited_at)
    return blake2b(repr((worker_id, at, sorted(said.items()))).encode(), digest_size=16).digest()
