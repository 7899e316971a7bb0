"""Other eyes: nobody verifies a case that doubts what he himself reported, and nobody knocks who stays out of it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from services.grid.domain.cases import (
    DOUBTED_SIGHTING,
    EARLIER_SIGHTING,
    FALSE_SIGHTING,
    VISIT,
    Basis,
    CaseAction,
    CaseState,
    Step,
    asks_for_knock,
    kept_out,
    lost_knock,
    without_doubted,
)
from services.grid.domain.priority import SUSPICION
from services.grid.domain.tasks import TaskState
from services.grid.domain.visits import VisitStatus
from services.grid.store import cases, hands, tasks
from services.grid.store import visits as store
from services.grid.store.cases import Case
from services.grid.store.tasks import Task
from services.grid.usecases.deps import Deps
from services.grid.usecases.views import known_as
from shared.contracts.vocabulary import TaskReason
from shared.kit.db import ReadTx, WriteTx


async def steps_known(tx: ReadTx, case: Case) -> list[Step]:
    """The history of a case, before it a recusal of each who saw the person in the time that the case doubts.

    They are found anew each time: the day in doubt changes with the evidence, and phones tell late what they saw. So
    are reports that do not count any more: who made them stays out of it, and they prove nothing.
    """
    aside = {
        str(visit_id): FALSE_SIGHTING if status is VisitStatus.RETURNED else DOUBTED_SIGHTING
        for visit_id, status in (await store.set_aside(tx, case.subject)).items()
    }
    earlier = [
        Step(
            action=CaseAction.RECUSAL,
            actor=each.worker_id,
            role="service",
            happened_at=each.visited_at,
            outcome=EARLIER_SIGHTING,
            event_on=None,
            basis=(Basis(kind=VISIT, reference=str(each.visit_id)),),
        )
        for each in await store.doubted_by(tx, [case.case_id])
    ]
    return earlier + [_known(step, aside) for step in await cases.steps_of(tx, case.case_id)]


def _known(step: Step, aside: Mapping[str, str]) -> Step:
    fell = [aside[each.reference] for each in step.basis if each.kind == VISIT and each.reference in aside]
    if step.action is CaseAction.VISIT and fell:
        return replace(step, action=CaseAction.RECUSAL, outcome=fell[0])
    return step


async def under_one_name(tx: ReadTx, deps: Deps, steps: Sequence[Step], *users: str) -> tuple[list[Step], list[str]]:
    """Steps, and users, as they are compared: whoever holds a grid is one person, however tokens call him."""
    names = await known_as(tx, deps, {*users, *(step.actor for step in steps)})
    return [replace(step, actor=names[step.actor]) for step in steps], [names[user] for user in users]


async def steps_compared(tx: ReadTx, deps: Deps, case: Case) -> list[Step]:
    """The known history of a case, its people under one name each."""
    steps, _ = await under_one_name(tx, deps, await steps_known(tx, case))
    return steps


async def send_other_eyes(tx: WriteTx, deps: Deps, case_ids: Sequence[UUID]) -> None:
    """The knocks for these cases go to others than those whose own sightings they doubt."""
    for case_id in sorted({each.case_id for each in await store.doubted_by(tx, case_ids)}):
        case = await cases.find_case(tx, case_id)
        assert case is not None
        await _send_others(tx, deps, case, await steps_compared(tx, deps, case))


async def look_with_others(tx: WriteTx, deps: Deps, subjects: Collection[UUID]) -> None:
    """The knocks for open cases of these people leave whom they bar by what is known now.

    Where nothing is left of what ended a knock, somebody knocks again.
    """
    found = [each for each in await cases.open_cases_of(tx, subjects) if asks_for_knock(each.state)]
    if not found:
        return
    await send_other_eyes(tx, deps, [each.case_id for each in found])
    known = await tasks.tasks_of(tx, {each.subject for each in found})
    waiting = {each.subject for each in known if _is_knock(each)}
    for each in found:
        if each.state is not CaseState.IN_VERIFICATION:
            continue
        case, steps = await cases.find_case(tx, each.case_id), await steps_compared(tx, deps, each)
        assert case is not None
        if each.subject in waiting:
            await _send_others(tx, deps, case, without_doubted(steps))
        elif lost_knock(each.kind, steps, each.event_on):
            await knock_again(tx, deps, case)


async def see_to_knock(tx: WriteTx, deps: Deps, case: Case) -> Case:
    """The knock for a case leaves who stays out of it, and is asked for again where nothing is left of its end."""
    await _send_others(tx, deps, case, without_doubted(await steps_compared(tx, deps, case)))
    await look_with_others(tx, deps, [case.subject])
    found = await cases.find_case(tx, case.case_id)
    assert found is not None
    return found


def _is_knock(task: Task) -> bool:
    return task.reason is TaskReason.SUSPICION and task.state is not TaskState.CLOSED


async def knock_again(tx: WriteTx, deps: Deps, case: Case) -> Case:
    """Somebody goes to the door again for a case whose finding has lost what it rested on, and none who stays out."""
    now = deps.clock.now()
    await tasks.open_for_cases(tx, [case.case_id], priority=SUSPICION, deadline_on=deps.knock_by(), now=now)
    return await _send_others(tx, deps, case, await steps_compared(tx, deps, case))


async def _send_others(tx: WriteTx, deps: Deps, case: Case, steps: Sequence[Step]) -> Case:
    barred = kept_out(steps)
    for who in sorted(barred):
        case = await _send_somebody_else(tx, deps, case, who, barred)
    return case


async def _send_somebody_else(tx: WriteTx, deps: Deps, case: Case, user: str, not_these: Iterable[str]) -> Case:
    """The knocks for a case are no longer those of somebody who withdrew, or has to stay out of it."""
    now, today = deps.clock.now(), deps.clock.today()
    other = await cases.another_worker(tx, case.grid_code or "", not_these)
    for task in await tasks.tasks_of(tx, [case.subject]):
        if _is_knock(task):
            await hands.bar(tx, task.task_id, user, other if task.worker_id == user else None, today=today, now=now)
    if case.worker_id != user or other is None:
        return case
    changed = replace(case, worker_id=other, changed_at=now)
    await cases.save_case(tx, changed)
    return changed
