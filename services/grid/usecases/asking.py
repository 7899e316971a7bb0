"""Knocks that nobody's certificate asks for: requests, draws, benefits that seem to be owed."""

from datetime import timedelta

import polars as pl

from services.grid.domain.draws import drawn
from services.grid.domain.priority import REQUEST, SAMPLE, TAKE_UP
from services.grid.domain.takeup import born_by, months_before
from services.grid.store import asking, locks, upkeep
from services.grid.usecases.deps import Deps
from shared.contracts.events.recognition import VisitRequested
from shared.contracts.vocabulary import Channel, Strength, TaskReason
from shared.kit.db import WriteTx
from shared.kit.workdays import after_working_days

SECOND_LOOK = "second_look"
"""Another member repeats a visit."""
WEAKLY_SEEN = "weakly_seen"
"""Somebody certified by weak evidence alone is visited all the same."""
OLDEST = "oldest"
"""Somebody very old whom data certify is visited all the same."""
_SAMPLED_DAYS = 7


async def take_request(tx: WriteTx, deps: Deps, fact: VisitRequested) -> None:
    """Somebody asks to be certified at home."""
    await locks.lock_people(tx, [fact.subject])
    rows = pl.DataFrame(
        {"subject": [fact.subject.bytes], "opened_by": [str(fact.request_id)], "about": ["visit_requested"]},
    )
    await _open(tx, deps, rows, TaskReason.REQUEST, REQUEST)


async def sample_weak(tx: WriteTx, deps: Deps, rows: pl.DataFrame) -> None:
    """A drawn share of those certified by weak evidence alone is visited.

    Args:
        tx: the transaction.
        deps: dependencies.
        rows: certificates: subject, certificate_id, channel, strength.
    """
    weak = rows.filter((pl.col("strength") == Strength.WEAK) & (pl.col("channel") == Channel.DATA))
    if weak.is_empty():
        return
    ids = [each.hex() for each in weak["certificate_id"]]
    percent = deps.policies.on(deps.clock.today()).weak_sample_percent
    chosen = weak.select("subject", opened_by=pl.Series(ids), about=pl.lit(WEAKLY_SEEN)).filter(
        pl.Series(drawn(deps.draw_keys.many(ids), percent))
    )
    if chosen.height:
        once = chosen.unique("subject", keep="first", maintain_order=True)
        await _open(tx, deps, once, TaskReason.SAMPLE, SAMPLE)


async def sample_sightings(tx: WriteTx, deps: Deps) -> int:
    """A drawn share of the last days' sightings is repeated by another member; twice a day draws the same."""
    today = deps.clock.today()
    policy = deps.policies.on(today)
    # Reports of the day itself still come in; phones that were offline are drawn when they have delivered.
    seen = await upkeep.sightings(tx, (today - timedelta(days=_SAMPLED_DAYS), today - timedelta(days=1)))
    if not seen:
        return 0
    # A phone makes the id of its visit: only a key of ours keeps a member from choosing one that is never drawn.
    chosen = drawn(deps.draw_keys.many(str(each) for each in seen), policy.sample_percent)
    return await upkeep.look_again(
        tx,
        [each for each, taken in zip(seen, chosen, strict=True) if taken],
        SECOND_LOOK,
        deadline_on=after_working_days(today, policy.working_days[0]),
        now=deps.clock.now(),
    )


async def visit_oldest(tx: WriteTx, deps: Deps, shard: str) -> int:
    """Knock once a year at the doors of the oldest of a shard, though data certify them; returns how many knocks.

    Of nobody a certificate by data says less: it is seldom they who fetch the medicine and ride on the card.
    """
    today = deps.clock.today()
    policy = deps.policies.on(today)
    return await asking.open_oldest(
        tx,
        shard,
        OLDEST,
        born_by=born_by(today, policy.oldest_from),
        today=today,
        since=months_before(today, policy.oldest_months),
        deadline_on=deps.knock_by(),
        priority=SAMPLE,
        now=deps.clock.now(),
    )


async def seek_owed(tx: WriteTx, deps: Deps, shard: str) -> tuple[int, int]:
    """Ask people of a shard who seem to be owed a benefit; returns how many were opened, and taken up."""
    today = deps.clock.today()
    rules = await asking.delivered(tx, deps.take_up.rules)
    if not rules:
        return 0, 0
    return await asking.open_take_up(
        tx,
        shard,
        rules,
        today=today,
        since=months_before(today, deps.take_up.repeat_months),
        deadline_on=deps.knock_by(),
        priority=TAKE_UP,
        now=deps.clock.now(),
    )


async def _open(tx: WriteTx, deps: Deps, rows: pl.DataFrame, reason: TaskReason, priority: int) -> None:
    await asking.open_asked(
        tx, rows, reason=reason, priority=priority, deadline_on=deps.knock_by(), now=deps.clock.now()
    )
