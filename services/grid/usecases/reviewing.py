"""The leader's words: on reports that look odd, and on people nobody can reach."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from services.grid.domain.looks import Seen
from services.grid.domain.tasks import TaskOutcome, TaskState
from services.grid.domain.views import View
from services.grid.domain.visits import VisitStatus
from services.grid.store import cases, hands, locks, tasks, upkeep
from services.grid.store import visits as store
from services.grid.store.readings import Reading
from services.grid.store.tasks import Task
from services.grid.store.visits import StoredVisit
from services.grid.usecases import looking
from services.grid.usecases.deps import Deps
from services.grid.usecases.errors import (
    BarredError,
    KnockAgainError,
    NoSuchTaskError,
    NoSuchVisitError,
    NotInReviewError,
)
from services.grid.usecases.eyes import look_with_others
from services.grid.usecases.views import known_as
from services.grid.usecases.visiting import take_effect
from shared.kit.auth import Caller
from shared.kit.db import WriteTx
from shared.kit.workdays import after_working_days


async def review(tx: WriteTx, deps: Deps, caller: Caller, visit_id: UUID, *, view: View, accepted: bool) -> StoredVisit:
    """Accept a report that looked odd, so that it counts, or send somebody else.

    Raises:
        NoSuchVisitError: absent, or another village's.
        NotInReviewError: nothing odd about it, or reviewed already.
        BarredError: his own visit.
    """
    visit, task = await _find(tx, visit_id, view)
    await locks.lock_people(tx, [visit.subject])
    visit = (await store.find_visits(tx, [visit_id]))[visit_id]
    task = (await tasks.find_tasks(tx, [task.task_id]))[task.task_id]
    if visit.status is not VisitStatus.IN_REVIEW:
        raise NotInReviewError
    names = await known_as(tx, deps, {caller.user, visit.visit.worker_id})
    if names[caller.user] == names[visit.visit.worker_id]:
        reason = "own_visit"
        raise BarredError(reason)
    now = deps.clock.now()
    status = VisitStatus.CONCLUDED if accepted else VisitStatus.RETURNED
    await store.review(tx, visit_id, status, by=caller.user, now=now)
    decided = replace(visit, status=status)
    if accepted:
        await take_effect(tx, deps, [decided])
        return decided
    if task.state is not TaskState.CLOSED:
        today = deps.clock.today()
        was_there = visit.visit.worker_id
        other = await cases.another_worker(tx, task.grid_code or "", [*task.not_by, was_there])
        deadline = after_working_days(today, deps.policies.on(today).working_days[0]) if other else today
        await hands.give_back(tx, task.task_id, other, not_by=was_there, deadline_on=deadline, now=now)
    # His word answered other knocks, too.
    await look_with_others(tx, deps, [visit.subject])
    return decided


def note_of(deps: Deps, each: StoredVisit) -> str | None:
    """What a member wrote about a visit."""
    note = each.visit.note
    return deps.vault.open(note, each.visit.visit_id.bytes).decode() if note else None


async def note_read(tx: WriteTx, deps: Deps, caller: Caller, found: Sequence[StoredVisit]) -> None:
    """Keep who is told what members wrote."""
    seen = [
        Reading(what=Seen.VISIT, subject=each.subject, visit_id=each.visit.visit_id)
        for each in found
        if each.visit.note
    ]
    await looking.note(tx, deps, caller, seen)


async def _find(tx: WriteTx, visit_id: UUID, view: View) -> tuple[StoredVisit, Task]:
    visit = (await store.find_visits(tx, [visit_id])).get(visit_id)
    if visit is None:
        raise NoSuchVisitError
    task = (await tasks.find_tasks(tx, [visit.visit.task_id]))[visit.visit.task_id]
    if not view.sees(division=task.division, grid_code=task.grid_code, worker_id=task.worker_id):
        raise NoSuchVisitError
    return visit, task


async def give_up(tx: WriteTx, deps: Deps, caller: Caller, task_id: UUID, *, view: View) -> Task:
    """Document that a person cannot be reached: after knocks on enough different days, and never as a pass.

    Raises:
        NoSuchTaskError: absent, closed, or another village's.
        KnockAgainError: too few knocks, or all on one day.
        BarredError: nobody but he himself has knocked.
    """
    task = (await tasks.find_tasks(tx, [task_id])).get(task_id)
    if (
        task is None
        or task.state is TaskState.CLOSED
        or not view.sees(division=task.division, grid_code=task.grid_code, worker_id=task.worker_id)
    ):
        raise NoSuchTaskError
    await locks.lock_people(tx, [task.subject])
    needed = deps.policies.on(deps.clock.today()).unreachable_attempts
    days = await upkeep.knocks(tx, task.subject, task.reopened_at or task.created_at)
    if len(days) < needed:
        detail = f"Knocks on {needed} different days are needed; there were {len(days)}."
        raise KnockAgainError(detail)
    who = (await known_as(tx, deps, [caller.user]))[caller.user]
    if await upkeep.knocked_alone(tx, task.subject, task.reopened_at or task.created_at, who):
        reason = "own_visit"
        raise BarredError(reason)
    now = deps.clock.now()
    await tasks.settle_subject(tx, task.subject, [task.reason], TaskOutcome.UNREACHABLE, now, by=caller.user)
    return (await tasks.find_tasks(tx, [task_id]))[task_id]
