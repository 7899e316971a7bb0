"""What people do for cases: a death, custody or disappearance that somebody meets or learns of opens or feeds one."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date
from uuid import UUID

import uuid_utils.compat as uuids

from services.grid.domain.cases import (
    VISIT,
    Basis,
    CaseAction,
    CaseState,
    Step,
    dates,
    follow,
    is_found,
    last,
    still_rests,
)
from services.grid.domain.views import View
from services.grid.domain.visits import OLDEST, OPENS_CASE, Visit, VisitStatus
from services.grid.store import cases, locks, people, suspicions, tasks
from services.grid.store import visits as store
from services.grid.store.cases import Case
from services.grid.store.visits import StoredVisit
from services.grid.usecases.deps import Deps
from services.grid.usecases.errors import NoSuchPersonError
from services.grid.usecases.eyes import knock_again, steps_known
from services.grid.usecases.importing import give_out_cases
from shared.contracts.vocabulary import Confidence, SuspicionKind
from shared.kit.clock import SHANGHAI
from shared.kit.db import ReadTx, WriteTx
from shared.kit.workdays import after_working_days

FAMILY = "family"
"""Flag of a visit by somebody who says that he is family: it is kept with the case and proves nothing there."""


async def feed_cases(tx: WriteTx, deps: Deps, fresh: Sequence[StoredVisit]) -> None:
    """Note visits in the open cases of the people, opening those that a result asks for."""
    taken = [each for each in fresh if each.status is VisitStatus.CONCLUDED]
    opened = await _open_missing(tx, deps, taken)
    by_subject: dict[UUID, list[StoredVisit]] = defaultdict(list)
    for each in taken:
        by_subject[each.subject].append(each)
    for case in await cases.open_cases_of(tx, by_subject):
        visits = opened.get(case.case_id, by_subject[case.subject])
        await _note(tx, deps, case, visits)


async def _open_missing(tx: WriteTx, deps: Deps, taken: Sequence[StoredVisit]) -> dict[UUID, list[StoredVisit]]:
    """New cases with the visits that belong into them: earlier ones too, since phones deliver in any order."""
    opened: dict[UUID, list[StoredVisit]] = {}
    for each in sorted(taken, key=lambda one: one.visit.order):
        kind = OPENS_CASE.get(each.visit.result)
        if kind is None:
            continue
        if await _note_with_confirmed(tx, each, kind):
            continue
        case = await _new_case(tx, deps, each, kind)
        if await cases.open_case(tx, case):
            step = Step(
                action=CaseAction.DETECT,
                actor=each.visit.worker_id,
                role="grid_worker",
                happened_at=each.visit.visited_at,
                outcome=case.confidence.value,
                event_on=None,
            )
            await cases.add_step(tx, case.case_id, step)
            around = [
                one
                for one in await store.visits_of(tx, [each.subject])
                if one.status is VisitStatus.CONCLUDED and one.visit.visited_at > each.visit.visited_at - OLDEST
            ]
            opened[case.case_id] = around
    return opened


async def _note_with_confirmed(tx: WriteTx, each: StoredVisit, kind: SuspicionKind) -> bool:
    """A late word on what people have confirmed belongs there and opens nothing; a later event is a new matter."""
    visit, confirmed = each.visit, await cases.find_confirmed(tx, each.subject, kind)
    if confirmed is None or not _belongs_to(confirmed, visit.event_on or visit.visited_at.astimezone(SHANGHAI).date()):
        return False
    await cases.add_step(tx, confirmed.case_id, _step_of(visit, CaseAction.ADD_EVIDENCE))
    return True


def _belongs_to(confirmed: Case, told_on: date) -> bool:
    return confirmed.concluded_at is not None and told_on <= confirmed.concluded_at.astimezone(SHANGHAI).date()


async def feed_finding(tx: WriteTx, deps: Deps, found_in: Case, kind: SuspicionKind, finding: Step) -> None:
    """What a village found instead of what it looked for opens a case about that, or goes into the one there is."""
    made = replace(
        _assigned(deps, found_in.subject, kind),
        event_on=finding.event_on,
        division=found_in.division,
        grid_code=found_in.grid_code,
        worker_id=found_in.worker_id,
    )
    await _bring_in(tx, made, finding)


async def look_after_all(tx: WriteTx, deps: Deps, subject: UUID, visit_ids: Collection[UUID]) -> None:
    """What was cleared on visits that do not count any more, and on nothing else, is looked into by others anew."""
    for cleared in await cases.cleared_on(tx, subject, visit_ids):
        steps, today = await steps_known(tx, cleared), deps.clock.today()
        found = last(steps, CaseAction.FIND)
        if found is None or still_rests(cleared.kind, found, steps, cleared.event_on, today):
            continue
        made = replace(
            _assigned(deps, subject, cleared.kind),
            event_on=cleared.event_on,
            division=cleared.division,
            grid_code=cleared.grid_code,
            worker_id=cleared.worker_id,
        )
        why = Step(
            action=CaseAction.DETECT,
            actor="grid",
            role="service",
            happened_at=deps.clock.now(),
            outcome=made.confidence.value,
            event_on=made.event_on,
            basis=(Basis(kind="case", reference=str(cleared.case_id)),),
        )
        await cases.open_case(tx, made)
        await cases.add_step(tx, made.case_id, why)
        await knock_again(tx, deps, made)


async def open_known(tx: WriteTx, deps: Deps, subject: UUID, kind: SuspicionKind, told: Step, *, view: View) -> Case:
    """What an officer has learned of opens a case about it, or goes into the one there is; people look into it.

    Raises:
        NoSuchPersonError: he does not live in the caller's divisions, as far as rosters tell.
    """
    await locks.lock_people(tx, [subject])
    made = replace(_assigned(deps, subject, kind), state=CaseState.DETECTED, event_on=told.event_on)
    case_id = await _bring_in(tx, made, told)
    await give_out_cases(tx, deps, among=await suspicions.stage_person(tx, subject))
    found = await cases.find_case(tx, case_id)
    # By where it was placed now: a person may have a village without a grid.
    if found is None or not view.sees(division=found.division, grid_code=found.grid_code, worker_id=None):
        raise NoSuchPersonError
    return found


async def _bring_in(tx: WriteTx, made: Case, told: Step) -> UUID:
    confirmed = await cases.find_confirmed(tx, made.subject, made.kind)
    known = [confirmed] if confirmed and await _is_that_one(tx, confirmed, told) else []
    known += [each for each in await cases.open_cases_of(tx, [made.subject]) if each.kind is made.kind]
    if known:
        case = known[0]
        await cases.add_step(tx, case.case_id, replace(told, action=CaseAction.ADD_EVIDENCE))
        if not is_found(case.state):
            event_on = _earliest(case.event_on, told.event_on)
            await cases.save_case(tx, replace(case, event_on=event_on, changed_at=told.happened_at))
        return case.case_id
    await cases.open_case(tx, made)
    await cases.add_step(tx, made.case_id, replace(told, action=CaseAction.DETECT, outcome=made.confidence.value))
    return made.case_id


async def _is_that_one(tx: ReadTx, confirmed: Case, told: Step) -> bool:
    """Whether what is told is what people have confirmed: that is over once rosters or officers pay him since."""
    if confirmed.concluded_at is None or await people.paid_since(tx, confirmed.subject, confirmed.concluded_at):
        return False
    return _belongs_to(confirmed, told.event_on or date.min)


async def _new_case(tx: WriteTx, deps: Deps, each: StoredVisit, kind: SuspicionKind) -> Case:
    task = (await tasks.find_tasks(tx, [each.visit.task_id]))[each.visit.task_id]
    return replace(
        _assigned(deps, each.subject, kind),
        # Both as they are now: he may have been found to live elsewhere since the visit.
        division=task.division,
        grid_code=task.grid_code,
        worker_id=task.worker_id or each.visit.worker_id,
    )


def _assigned(deps: Deps, subject: UUID, kind: SuspicionKind) -> Case:
    now, today = deps.clock.now(), deps.clock.today()
    return Case(
        case_id=uuids.uuid7(),
        subject=subject,
        kind=kind,
        state=CaseState.ASSIGNED,
        confidence=Confidence.PROBABLE,
        event_on=None,
        rounds=1,
        division=None,
        grid_code=None,
        worker_id=None,
        deadline_on=after_working_days(today, deps.policies.on(today).case_working_days),
        opened_at=now,
        changed_at=now,
        previous_case_id=None,
        conclusion=None,
        concluded_at=None,
        verified_by=None,
        concluded_by=None,
    )


async def _note(tx: WriteTx, deps: Deps, case: Case, visits: Sequence[StoredVisit]) -> None:
    state, event_on = case.state, case.event_on
    # What had counted and does again stands there already.
    known = await cases.steps_of(tx, case.case_id) if any(each.withdrawn for each in visits) else []
    noted = {basis.reference for step in known for basis in step.basis}
    for each in sorted(visits, key=lambda one: one.visit.order):
        visit = each.visit
        if str(visit.visit_id) in noted:
            continue
        state = follow(state, CaseAction.VISIT) or state
        if not is_found(state):
            event_on = _earliest(event_on, visit.event_on if dates(case.kind, visit.result) else None)
        await cases.add_step(tx, case.case_id, _step_of(visit, CaseAction.VISIT))
        if FAMILY in each.flags:
            await cases.add_step(tx, case.case_id, _step_of(visit, CaseAction.RECUSAL))
    await cases.save_case(tx, replace(case, state=state, event_on=event_on, changed_at=deps.clock.now()))


def _step_of(visit: Visit, action: CaseAction) -> Step:
    return Step(
        action=action,
        actor=visit.worker_id,
        role="grid_worker",
        happened_at=visit.visited_at,
        outcome=visit.result.value,
        event_on=visit.event_on,
        basis=tuple(Basis(kind=kind, reference=str(visit.visit_id)) for kind in (VISIT, *visit.proofs)),
    )


def _earliest(one: date | None, other: date | None) -> date | None:
    return min((day for day in (one, other) if day is not None), default=None)
