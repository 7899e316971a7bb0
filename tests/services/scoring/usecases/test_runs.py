"""Runs of signals on a real database: few, whole, and the same opinions in whatever pieces they are swept."""

from datetime import date, timedelta
from random import Random
from uuid import UUID

import pytest

from services.scoring.domain.signals import Kind
from services.scoring.store import assessments, signals
from services.scoring.usecases.look import signals_of
from services.scoring.usecases.reassess import reassess
from tests.services.scoring.people import TODAY, WEAK, Saw, by_subject, opinions_of, subject_of
from tests.services.scoring.people import signals_of as signals_in
from tests.services.scoring.world import World

pytestmark = pytest.mark.db


async def test_runs_stay_few_and_hold_every_signal(world: World) -> None:
    for number in range(40):
        saws = [Saw(who=f"p{number % 7}", source="rail_trip", on=TODAY - timedelta(days=number), evidence=number)]
        await world.hear(saws)
        await world.sweep()
    async with world.database.read() as tx:
        blocks = await signals.list_blocks(tx, 0)
        assert sum(block.rows for block in blocks) == 40
        assert len({block.run for block in blocks}) <= 5
        known, _ = await signals_of(tx, subject_of("p3"))
    assert sorted(known.evidence.tolist()) == [3, 10, 17, 24, 31, 38]


async def test_a_new_day_forms_opinions_anew_and_merges_runs(world: World) -> None:
    await world.hear([Saw(source="rail_trip", on=date(2022, 11, 4), evidence=7)])
    await world.sweep()
    await world.hear([Saw(who="b", source="rail_trip", on=date(2023, 10, 4), evidence=8)])
    await world.sweep()
    await world.said()
    world.clock.move(timedelta(days=5))
    async with world.database.write() as tx:
        done = await reassess(tx, world.means(), 0, shadow=False)
    assert done is not None
    assert (done.outcome.people, done.outcome.changed, done.outcome.said) == (2, 1, 1)
    assert done.moves == {"certifiable>certifiable": 1, "certifiable>insufficient": 1}
    [(_, row)] = await world.said()
    assert (row["decision"], row["as_of"], row["reasons"]) == ("insufficient", None, ["no_evidence"])
    async with world.database.read() as tx:
        assert len({block.run for block in await signals.list_blocks(tx, 0)}) == 1


@pytest.mark.parametrize("seed", range(4))
async def test_any_history_of_sweeps_in_small_ranges_ends_as_assessed_at_once(world: World, seed: int) -> None:
    random = Random(seed)
    world.piece_rows, world.block_rows = 7, 3
    every: list[Saw] = []
    for number in range(8):
        saws = [
            Saw(
                who=f"p{random.randrange(30)}",
                source=(source := random.choice([*WEAK, "rail_trip", "police_hotel", "civil_cremation"])),
                on=TODAY - timedelta(days=random.randrange(1, 400)),
                kind=Kind.DIED if source == "civil_cremation" else Kind.SEEN,
                evidence=number * 1000 + place + 1,
            )
            for place in range(random.choice([1, 5, 60]))
        ]
        every += saws
        await world.hear(saws + random.choices(every, k=3))
        await world.sweep(urgent_only=random.random() < 0.3)
    await world.sweep()
    wanted = by_subject(opinions_of(every))
    for subject, said in wanted.items():
        async with world.database.read() as tx:
            found = await assessments.find_assessment(tx, UUID(bytes=subject))
        assert found is not None
        assert (found.level, found.decision, found.as_of) == (said["level"], said["decision"], said["as_of"])
        assert (list(found.reasons), list(found.evidence_ids)) == (said["reasons"], said["evidence"])
    async with world.database.write() as tx:
        again = await reassess(tx, world.means(), 0, shadow=False)
        assert again is not None
        assert (again.outcome.people, again.outcome.changed) == (len(wanted), 0)
        assert sum(block.rows for block in await signals.list_blocks(tx, 0)) == len(signals_in(every))
        assert (await reassess(tx, world.means(), 0, shadow=False)) == again
