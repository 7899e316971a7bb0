"""The daily round: overdue tasks go up, crowded members are relieved, a sample is visited again."""

from dataclasses import dataclass
from datetime import timedelta

from services.grid.domain.balance import share
from services.grid.domain.calendar import add_working_days, is_working_day
from services.grid.domain.tasks import RUNGS
from services.grid.store import locks, upkeep
from services.grid.usecases.deps import Deps
from shared.contracts.vocabulary import SHARDS

_SAMPLED_DAYS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What a daily round did."""

    escalated: int
    handed_over: int
    sampled: int


async def go_round(deps: Deps) -> Round:
    """Do everything a new day asks for; doing it twice a day changes nothing more.

    Each shard is a transaction of its own, so that nobody waits for the whole city.
    """
    return Round(escalated=await _escalate(deps), handed_over=await _relieve(deps), sampled=await _sample(deps))


async def _escalate(deps: Deps) -> int:
    now, today = deps.clock.now(), deps.clock.today()
    if not is_working_day(today):
        return 0
    days = deps.policies.on(today).working_days
    deadlines = {rung: add_working_days(today, days[place]) for place, rung in enumerate(RUNGS)}
    count = 0
    for shard in SHARDS:
        async with deps.database.write() as tx:
            await locks.lock_shard(tx, shard)
            count += await upkeep.escalate(tx, shard, deadlines, today=today, now=now)
    return count


async def _relieve(deps: Deps) -> int:
    most = deps.policies.on(deps.clock.today()).tasks_per_member
    async with deps.database.write() as tx:
        await locks.lock_shards(tx)
        tasks = await upkeep.crowded_tasks(tx, most)
        if tasks.is_empty():
            return 0
        members = await upkeep.members_of(tx, tasks["division"].unique().to_list())
        moves = share(tasks, members, most=most)
        await upkeep.hand_over(tx, moves, deps.clock.now())
    return moves.height


async def _sample(deps: Deps) -> int:
    today = deps.clock.today()
    policy = deps.policies.on(today)
    # Reports of the day itself still come in; phones that were offline are drawn when they have delivered.
    days = (today - timedelta(days=_SAMPLED_DAYS), today - timedelta(days=1))
    deadline = add_working_days(today, policy.working_days[0])
    async with deps.database.write() as tx:
        return await upkeep.sample_again(
            tx, days=days, percent=policy.sample_percent, deadline_on=deadline, now=deps.clock.now()
        )
