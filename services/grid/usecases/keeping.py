"""Keep the list of grids true between imports: substitutes, and people who live elsewhere."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from uuid import UUID

import uuid_utils.compat as uuids

from services.grid.domain.cases import CaseAction, Step, asks_for_knock, kept_out
from services.grid.domain.tasks import TaskState
from services.grid.domain.views import View
from services.grid.store import cases, hands, locks, people, roll, stops, suspicions, tasks
from services.grid.store.roll import Grid, Substitution
from services.grid.usecases.deps import Deps
from services.grid.usecases.errors import (
    NoSuchGridError,
    NoSuchSubstitutionError,
    NoSuchTaskError,
    NoSuchWorkerError,
    SubstitutionTakenError,
)
from services.grid.usecases.eyes import steps_compared
from services.grid.usecases.importing import give_out_cases
from shared.kit.auth import Caller
from shared.kit.db import WriteTx


async def substitute(  # noqa: PLR0913  (who, for whom, when)
    tx: WriteTx, deps: Deps, caller: Caller, worker_id: str, substitute_id: str, days: tuple[date, date], *, view: View
) -> Substitution:
    """Let somebody stand in for a member, whose grids all lie in the caller's divisions: they are seen by him then.

    Raises:
        NoSuchWorkerError: one of them holds no grid there, or the absent one holds others too.
        SubstitutionTakenError: somebody else stands in on some of the days.
    """
    for each, enough in ((worker_id, all), (substitute_id, any)):
        held = await roll.grids_of(tx, [each])
        if not held or not enough(view.sees(division=code[:12], grid_code=code, worker_id=each) for code in held):
            raise NoSuchWorkerError
    made = Substitution(
        substitution_id=uuids.uuid7(),
        worker_id=worker_id,
        substitute_id=substitute_id,
        from_on=days[0],
        until_on=days[1],
    )
    if not await roll.save_substitution(tx, made, set_by=caller.user, now=deps.clock.now()):
        raise SubstitutionTakenError
    return made


async def come_back(tx: WriteTx, deps: Deps, substitution_id: UUID, *, view: View) -> None:
    """Somebody is back earlier than he said: today is the last day of who stands in for him.

    Raises:
        NoSuchSubstitutionError: absent, or of grids elsewhere.
    """
    found = await roll.find_substitution(tx, substitution_id)
    held = await roll.grids_of(tx, [found.worker_id]) if found else []
    if not held or not all(view.sees(division=code[:12], grid_code=code, worker_id=None) for code in held):
        raise NoSuchSubstitutionError
    await roll.end_substitution(tx, substitution_id, deps.clock.today())


async def relocate(tx: WriteTx, deps: Deps, worker: str, task_id: UUID, grid_code: str, *, view: View) -> tasks.Task:
    """A member says «not mine»: what is open about the person goes to the grid where he lives.

    Never to who may not do it; what a village has found already goes its way from there.

    Raises:
        NoSuchTaskError: absent, or not in the member's grids.
        NoSuchGridError: nobody holds that grid.
    """
    found = (await tasks.find_tasks(tx, [task_id])).get(task_id)
    if found is None or not view.sees(division=found.division, grid_code=found.grid_code, worker_id=found.worker_id):
        raise NoSuchTaskError
    grid = await roll.find_grid(tx, grid_code)
    if grid is None:
        raise NoSuchGridError
    await locks.lock_people(tx, [found.subject])
    await move_in(tx, deps, found.subject, grid, said_by=(worker, "grid_worker"))
    return (await tasks.find_tasks(tx, [task_id]))[task_id]


async def move_in(tx: WriteTx, deps: Deps, subject: UUID, grid: Grid, *, said_by: tuple[str, str]) -> None:
    """Somebody lives in this grid, whatever rosters said until now, and what is open about him goes there."""
    await people.save_relocation(tx, subject, grid.grid_code, set_by=said_by[0], now=deps.clock.now())
    await _move_tasks(tx, deps, await tasks.tasks_of(tx, [subject]), grid)
    await _move_cases(tx, deps, subject, grid, said_by=said_by)


async def follow_roster(tx: WriteTx, deps: Deps, moved: Mapping[UUID, bool], *, received_at: datetime) -> None:
    """What is open about people goes where a roster now says that they live, if somebody has that grid."""
    changed = [subject for subject, has_changed in moved.items() if has_changed]
    await people.forget_relocations(tx, changed, before=received_at)
    await follow_addresses(tx, deps, list(moved))


async def follow_addresses(tx: WriteTx, deps: Deps, subjects: Sequence[UUID]) -> None:
    """What is open about people goes where they live by what is known now, if somebody has that grid."""
    for subject, grid_code in (await people.addresses_of(tx, subjects)).items():
        grid = await roll.find_grid(tx, grid_code)
        if grid is None:
            continue
        elsewhere = [each for each in await tasks.tasks_of(tx, [subject]) if each.grid_code != grid_code]
        await _move_tasks(tx, deps, elsewhere, grid)
        await _move_cases(tx, deps, subject, grid, said_by=("grid", "service"))


async def _move_tasks(tx: WriteTx, deps: Deps, found: Sequence[tasks.Task], grid: Grid) -> None:
    now, today = deps.clock.now(), deps.clock.today()
    for each in found:
        if each.state is not TaskState.CLOSED:
            barred = grid.member_id in each.not_by
            chosen = await cases.another_worker(tx, grid.grid_code, each.not_by) if barred else grid.member_id
            await hands.move_task(
                tx, each.task_id, grid.grid_code, chosen, deadline_on=deps.knock_by(), today=today, now=now
            )


async def _move_cases(tx: WriteTx, deps: Deps, subject: UUID, grid: Grid, *, said_by: tuple[str, str]) -> None:
    now = deps.clock.now()
    await stops.move(tx, subject, grid.grid_code, grid.member_id)
    for case in await cases.open_cases_of(tx, [subject]):
        if not asks_for_knock(case.state) or case.grid_code == grid.grid_code:
            continue
        barred = kept_out(await steps_compared(tx, deps, case))
        chosen = grid.member_id
        if chosen in barred:
            chosen = await cases.another_worker(tx, grid.grid_code, barred) or chosen
        await cases.move(tx, case.case_id, grid.grid_code, chosen, now)
        step = Step(
            action=CaseAction.ASSIGN,
            actor=said_by[0],
            role=said_by[1],
            happened_at=now,
            outcome="village",
            event_on=None,
        )
        await cases.add_step(tx, case.case_id, step)
    await give_out_cases(tx, deps, among=await suspicions.stage_person(tx, subject))
