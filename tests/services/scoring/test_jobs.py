"""The sweeper: what it does when, on a real database with real commits."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID, uuid4

import numpy as np
import pytest
from structlog.testing import capture_logs

from services.scoring import policies
from services.scoring.domain.runs import Waiting
from services.scoring.jobs import DAY, SWEEP, Situation, Sweeper
from services.scoring.settings import ScoringSettings
from services.scoring.store import reassessments, signals
from services.scoring.store.assessments import word_of
from services.scoring.usecases.reassess import reassess
from services.scoring.usecases.request import request_reassessment
from shared.kit.clock import wall
from tests.services.scoring.people import FIRST, RULES, Saw
from tests.services.scoring.world import Grid, World, subject
from tests.support.settings import settings_for

pytestmark = pytest.mark.db


def sweeper_of(world: World, grid: Grid | None = None, **settings: object) -> Sweeper:
    return Sweeper(
        database=world.database,
        outbox=world.outbox,
        clock=world.clock,
        settings=settings_for(ScoringSettings, **settings),
        rule_sets=policies.load(),
        divisions=(grid or Grid({})).divisions(),
        wake=asyncio.Event(),
    )


@asynccontextmanager
async def working(*sweepers: Sweeper) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(sweeper.run()) for sweeper in sweepers]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until_quiet(sweeper: Sweeper, *, done: Callable[[], bool] = lambda: True) -> None:
    async with asyncio.timeout(60):
        while await sweeper.working() or not done():
            await asyncio.sleep(0.05)


async def test_one_record_after_a_calm_is_assessed_at_once(committing_world: World) -> None:
    world = committing_world
    sweeper = sweeper_of(world, scoring_quiet_seconds=20, scoring_patience_seconds=20)
    async with working(sweeper):
        await world.hear([Saw(source="rail_trip", on=date(2023, 9, 4), evidence=7)])
        sweeper.wake.set()
        await until_quiet(sweeper)
    assert (await world.assessment()).decision == "certifiable"


async def test_two_workers_share_the_shards_and_end_in_the_same_opinions(committing_world: World) -> None:
    world = committing_world
    first, second = sweeper_of(world, scoring_quiet_seconds=0), sweeper_of(world, scoring_quiet_seconds=0)
    async with working(first, second):
        for number in range(12):
            saws = [
                Saw(who=f"p{place}", source="rail_trip", on=date(2023, 9, 1 + number), evidence=number)
                for place in range(3)
            ]
            await asyncio.gather(*(world.hear(saws, shard=shard) for shard in (0, 5, 15)))
            first.wake.set()
        await until_quiet(first)
    for shard in (0, 5, 15):
        for place in range(3):
            assert (await world.assessment(f"p{place}", shard=shard)).as_of == date(2023, 9, 12)


async def test_a_new_day_forms_all_opinions_anew(committing_world: World) -> None:
    world = committing_world
    sweeper = sweeper_of(world)
    async with working(sweeper):
        await world.hear([Saw(source="rail_trip", on=date(2022, 11, 4), evidence=7)])
        await until_quiet(sweeper)
        assert (await world.assessment()).decision == "certifiable"
        world.clock.move(timedelta(days=5))
        assert await sweeper.working() > 0
        await until_quiet(sweeper)
    assert (await world.assessment()).decision == "insufficient"


WEAK_ENOUGH = [
    Saw(source=source, on=date(2023, 10, day), evidence=day)
    for source, days in (("transport_bus_card", (2, 9, 20)), ("medins_outpatient", (12, 15)))
    for day in days
]
"""Sixty points and more of two departments: enough under the first version of the rules, not under the second."""


async def test_a_coming_rule_set_is_tried_beside_the_current_one_and_takes_over_on_its_day(
    committing_world: World,
) -> None:
    world = committing_world
    world.clock.move(timedelta(days=-1))
    sweeper, wanted = sweeper_of(world), uuid4()
    first, second = policies.load()
    assert sweeper.rules_on(world.clock.today()) == first
    await world.hear(WEAK_ENOUGH)
    async with working(sweeper):
        await until_quiet(sweeper)
        async with world.database.write() as tx:
            await request_reassessment(
                tx,
                wanted,
                rules=second,
                shards=[0],
                shadow=True,
                today=world.clock.today(),
                by="operator",
                now=world.clock.now(),
            )
        await until_quiet(sweeper)
        async with world.database.read() as tx:
            tried = await reassessments.find(tx, wanted)
        assert tried is not None
        assert (tried.rule_set, tried.moves) == (second.name, {"certifiable>insufficient": 1})
        before = await world.assessment()
        assert (before.decision, before.rule_set) == ("certifiable", first.name)
        world.clock.move(timedelta(days=1))
        await until_quiet(sweeper)
    after = await world.assessment()
    assert (after.decision, after.rule_set) == ("insufficient", second.name)
    assert after.reasons == ("missing:points:32", "missing:sources:1", "missing:departments:1")


async def test_a_rule_set_edited_in_place_forms_opinions_anew(committing_world: World) -> None:
    world = committing_world
    sweeper = sweeper_of(world)
    await world.hear(WEAK_ENOUGH)
    async with working(sweeper):
        await until_quiet(sweeper)
        assert (await world.assessment()).decision == "insufficient"
        edited = replace(RULES, thresholds=FIRST.thresholds)
        assert edited.name == RULES.name
        sweeper.rule_sets = (FIRST, edited)
        sweeper.wake.set()
        await until_quiet(sweeper)
    assert (await world.assessment()).decision == "certifiable"


async def test_a_weak_source_that_a_slip_in_the_rules_leaves_without_points_is_said(committing_world: World) -> None:
    world = committing_world
    sweeper = sweeper_of(world)
    await world.hear(WEAK_ENOUGH)
    weak = {f"{code}s" if code == "transport_bus_card" else code: worth for code, worth in RULES.weak.items()}
    async with working(sweeper):
        await until_quiet(sweeper)
        sweeper.rule_sets = (replace(RULES, weak=weak, version=9),)
        with capture_logs() as said:
            world.clock.move(timedelta(days=1))
            await until_quiet(sweeper)
    [warning] = [each for each in said if each["event"] == "weak_source_without_points"]
    assert (warning["rule_set"], warning["sources"]) == ("standard@9", ["transport_bus_card"])
    assert "transport_bus_cards" in warning["named_unmet"]


async def test_a_request_is_done_shard_by_shard_and_counted(committing_world: World) -> None:
    world = committing_world
    sweeper = sweeper_of(world)
    await world.hear([Saw(source="rail_trip", on=date(2023, 9, 4), evidence=7)])
    wanted = uuid4()
    async with world.database.write() as tx:
        await request_reassessment(
            tx,
            wanted,
            rules=RULES,
            shards=range(16),
            shadow=True,
            today=world.clock.today(),
            by="operator",
            now=world.clock.now(),
        )
    async with working(sweeper):
        await until_quiet(sweeper)
    async with world.database.read() as tx:
        found = await reassessments.find(tx, wanted)
        assert await signals.count_waiting(tx) == 0
    assert found is not None
    assert (found.shards, found.finished) == (16, 16)


async def asked_for(world: World, *, division: str | None = None, shadow: bool = False) -> UUID:
    wanted = uuid4()
    async with world.database.write() as tx:
        await request_reassessment(
            tx,
            wanted,
            rules=policies.load()[1],
            shards=range(16),
            division=division,
            shadow=shadow,
            today=world.clock.today(),
            by="operator",
            now=world.clock.now(),
        )
    return wanted


async def test_a_division_is_assessed_anew_and_nobody_else(committing_world: World) -> None:
    world = committing_world
    world.rules = FIRST
    grid = Grid({"341602": [subject("a"), subject("gone"), subject("c", 4)], "341621": []})
    world.clock.move(timedelta(days=-1))
    for shard, people in ((0, "ab"), (4, "cd")):
        await world.hear([replace(saw, who=who) for saw in WEAK_ENOUGH for who in people], shard=shard)
        await world.sweep(shard)
    sweeper, tried = sweeper_of(world, grid), await asked_for(world, division="341602", shadow=True)
    async with working(sweeper):
        await until_quiet(sweeper)
    async with world.database.read() as tx:
        found = await reassessments.find(tx, tried)
    assert found is not None
    assert (found.division, found.finished, found.people) == ("341602", 16, 2)
    assert found.moves == {"certifiable>insufficient": 2}


async def test_a_divisions_people_hold_what_the_day_says_and_the_others_what_they_held(world: World) -> None:
    world.rules = FIRST
    only = np.sort(np.concatenate([word_of(subject(who)) for who in ("a", "never")]))
    await world.hear([replace(saw, who=who) for saw in WEAK_ENOUGH for who in "ab"])
    await world.sweep()
    world.rules = RULES
    async with world.database.write() as tx:
        done = await reassess(tx, world.means(), 0, shadow=False, only=only)
    assert done is not None
    assert (done.outcome.people, done.outcome.said) == (1, 1)
    assert [(await world.assessment(who)).rule_set for who in "ab"] == ["standard@2", "standard@1"]
    async with world.database.read() as tx:
        [head] = [each for each in await signals.list_heads(tx) if each.shard == 0]
    assert head.rule_set == "standard@1"


async def test_a_division_waits_while_grid_is_away_and_sweeps_do_not(committing_world: World) -> None:
    world = committing_world
    sweeper = sweeper_of(world, Grid({"341602": [subject("a")]}, away=True), scoring_quiet_seconds=0)
    wanted = await asked_for(world, division="341602")
    await world.hear([Saw(source="rail_trip", on=date(2023, 9, 4), evidence=7)])
    async with working(sweeper):
        # The request alone is left to do.
        async with asyncio.timeout(60):
            while await sweeper.working() != 16:
                await asyncio.sleep(0.05)
    assert (await world.assessment()).decision == "certifiable"
    async with world.database.read() as tx:
        found = await reassessments.find(tx, wanted)
    assert found is not None
    assert (found.shards, found.finished) == (16, 0)


async def test_a_rule_set_that_is_gone_is_compared_with_nothing_in_its_name(committing_world: World) -> None:
    world = committing_world
    sweeper, tried = sweeper_of(world), await asked_for(world, shadow=True)
    sweeper.rule_sets = (FIRST,)
    await world.hear(WEAK_ENOUGH)
    async with working(sweeper):
        await until_quiet(sweeper)
    async with world.database.read() as tx:
        found = await reassessments.find(tx, tried)
    assert found is not None
    assert (found.rule_set, found.cancelled_at, found.people) == (RULES.name, world.clock.now(), 0)


async def test_a_sweep_that_has_to_wait_keeps_no_new_day_from_its_shard(world: World) -> None:
    sweeper, now = sweeper_of(world), world.clock.now()
    heard = Waiting(shard=3, rows=1, oldest_at=now, newest_at=now, urgent_at=None, heard_at=None, now=now)
    situation = Situation(waiting=[replace(heard, now=now + timedelta(hours=1))], stale=[3], shares=[])
    assert [job.why for job in sweeper._due(situation)] == [SWEEP]
    sweeper._failures[3, SWEEP] = (1, wall() + 3600)
    assert [job.why for job in sweeper._due(situation)] == [DAY]
