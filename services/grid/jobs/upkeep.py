"""The daily round: overdue tasks go up, crowded members are relieved, some are looked at again, the owed are found."""

from dataclasses import dataclass
from datetime import timedelta

import polars as pl

from services.grid.domain.balance import share
from services.grid.domain.visits import OLDEST
from services.grid.store import hands, locks, photos, planning, upkeep
from services.grid.usecases.asking import sample_sightings, seek_owed, visit_oldest
from services.grid.usecases.deps import Deps
from services.grid.usecases.photographing import give_up_waiting
from services.grid.usecases.planning import (
    AT_ONCE,
    ask_order,
    escalate,
    plan_workday,
    save_order,
    stale_order,
    tell_overdue,
)
from services.grid.usecases.tipping import expire
from services.grid.usecases.watching import look_at_odd
from shared.contracts.vocabulary import SHARDS
from shared.kit.clock import SHANGHAI
from shared.kit.workdays import is_working_day


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What a daily round did; `late` counts cases, requests and tips that have passed a deadline."""

    escalated: int
    late: int
    handed_over: int
    sampled: int
    owed: int
    taken_up: int


async def go_todays_round(deps: Deps) -> Round | None:
    """Go the round of a day that has not been gone; one broken off is gone again. None where it has been."""
    today = deps.clock.today()
    async with deps.database.read() as tx:
        if await upkeep.was_round(tx, today):
            return None
    done = await go_round(deps)
    async with deps.database.write() as tx:
        await upkeep.note_round(tx, today)
    return done


async def go_round(deps: Deps) -> Round:
    """Do everything a new day asks for; doing it twice a day changes nothing more.

    Each shard is a transaction of its own, so that nobody waits for the whole city.
    """
    late, escalated, handed_over = await _tell_late(deps), await _escalate(deps), await relieve(deps)
    async with deps.database.write() as tx:
        sampled = await sample_sightings(tx, deps) + await look_at_odd(tx, deps)
    async with deps.database.write() as tx:
        await give_up_waiting(tx, deps)
        await photos.forget(tx, deps.clock.today())
        await hands.forget(tx, deps.clock.now() - OLDEST - timedelta(days=1))
        await expire(tx, deps)
    owed, taken_up, oldest = await _seek(deps)
    sampled += oldest
    return Round(escalated=escalated, late=late, handed_over=handed_over, sampled=sampled, owed=owed, taken_up=taken_up)


async def tell_morning(deps: Deps) -> int:
    """Tell the day's work once the morning of a working day has come; returns how many towns were told."""
    today = deps.clock.today()
    hour = deps.clock.now().astimezone(SHANGHAI).hour
    if not is_working_day(today) or hour < deps.policies.on(today).morning_hour:
        return 0
    async with deps.database.write() as tx:
        return await plan_workday(tx, deps)


async def order_visits(deps: Deps) -> int:
    """Order what waits for scoring's opinion, until nothing does or scoring is away; returns how many people."""
    count = 0
    while True:
        async with deps.database.read() as tx:
            people = await planning.unordered(tx, stale_order(deps), AT_ONCE)
        # Nothing of the database is held while another service is asked.
        said = await ask_order(deps, people) if people.height else None
        if said is None:
            return count
        async with deps.database.write() as tx:
            await save_order(tx, deps, people, said)
        count += people.height


async def _tell_late(deps: Deps) -> int:
    if not is_working_day(deps.clock.today()):
        return 0
    async with deps.database.write() as tx:
        return await tell_overdue(tx, deps)


async def _escalate(deps: Deps) -> int:
    if not is_working_day(deps.clock.today()):
        return 0
    count = 0
    for shard in SHARDS:
        async with deps.database.write() as tx:
            count += await escalate(tx, deps, shard)
    return count


async def relieve(deps: Deps) -> int:
    """Share the work of villages where somebody has too much; returns how many tasks changed hands."""
    most = deps.policies.on(deps.clock.today()).tasks_per_member
    async with deps.database.write() as tx:
        await locks.lock_shards(tx)
        loads = await upkeep.crowded_loads(tx, most)
        if loads.is_empty():
            return 0
        tasks = await upkeep.tasks_in_hands(tx, loads.filter(pl.col("load") > most))
        moves = share(tasks, loads, most=most)
        await hands.hand_over(tx, moves, deps.clock.now())
    return moves.height


async def _seek(deps: Deps) -> tuple[int, int, int]:
    opened = closed = oldest = 0
    for shard in SHARDS:
        async with deps.database.write() as tx:
            await locks.lock_shard(tx, shard)
            more, fewer = await seek_owed(tx, deps, shard)
            oldest += await visit_oldest(tx, deps, shard)
        opened, closed = opened + more, closed + fewer
    return opened, closed, oldest
