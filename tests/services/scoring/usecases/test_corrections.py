"""Corrections and hints on a real database: what is said when a department takes something back."""

from datetime import date, timedelta
from itertools import permutations

import pytest

from services.scoring.domain.signals import Kind
from services.scoring.usecases.reassess import reassess
from shared.contracts.vocabulary import CaseConclusion, Confidence, Decision, SuspicionKind
from shared.kit.bus import PoisonError
from tests.services.scoring.people import TODAY, Saw, correction_of
from tests.services.scoring.world import World

pytestmark = pytest.mark.db

DEATH = Saw(source="police_hukou_cancel", on=date(2023, 8, 2), kind=Kind.DIED, evidence=1)
CREMATION = Saw(source="civil_cremation", on=date(2023, 8, 4), kind=Kind.DIED, evidence=2)
TRIP = Saw(source="rail_trip", on=date(2023, 6, 4), evidence=7)


async def raised(world: World) -> list[tuple[str, str, int, list[int], list[str]]]:
    return [
        (row["kind"], row["confidence"], row["revision"], row["evidence_ids"], row["reasons"])
        for name, row in await world.said()
        if name == "scoring.suspicion.raised"
    ]


async def test_a_death_taken_back_withdraws_the_suspicion_and_certifies_again(world: World) -> None:
    await world.hear([DEATH, TRIP])
    await world.sweep()
    assert (await world.assessment()).decision is Decision.SUSPECTED
    await world.said()
    await world.correct(DEATH)
    await world.sweep()
    said = await world.said()
    [opinion] = [row for name, row in said if name == "scoring.assessments.changed"]
    assert (opinion["decision"], opinion["as_of"], opinion["evidence_ids"]) == ("certifiable", TRIP.on, [7])
    [told] = [row for name, row in said if name == "scoring.suspicion.raised"]
    assert (told["revision"], told["evidence_ids"], told["reasons"]) == (2, [], ["evidence_no_longer_counts"])
    [kept] = await world.suspicions()
    assert (kept.raised.status, kept.raised.found.blocks) == ("withdrawn", False)
    # Strictly after the word before, which fell on the same instant of a clock that stands.
    assert kept.concluded_at == world.clock.now() + timedelta(microseconds=1)


async def test_taking_back_one_of_two_registers_says_the_suspicion_again_with_less(world: World) -> None:
    await world.hear([DEATH, CREMATION])
    await world.sweep()
    await world.said()
    await world.correct(CREMATION)
    await world.sweep()
    assert await raised(world) == [("suspected_death", "probable", 2, [1], ["death_registered"])]
    await world.correct(CREMATION)
    await world.sweep()
    assert await raised(world) == []


async def test_a_withdrawn_suspicion_opens_again_with_new_evidence(world: World) -> None:
    await world.hear([DEATH])
    await world.sweep()
    await world.correct(DEATH)
    await world.sweep()
    await world.said()
    await world.hear([CREMATION])
    await world.sweep()
    assert await raised(world) == [("suspected_death", "probable", 3, [2], ["death_registered"])]
    [kept] = await world.suspicions()
    assert (kept.raised.status, kept.concluded_at) == ("open", None)


async def test_what_people_have_concluded_stays_theirs(world: World) -> None:
    await world.hear([DEATH, TRIP])
    await world.sweep()
    await world.conclude(SuspicionKind.DEATH, CaseConclusion.CONFIRMED, event_on=DEATH.on)
    await world.sweep()
    await world.said()
    await world.correct(DEATH)
    await world.sweep()
    assert await raised(world) == []
    [kept] = await world.suspicions()
    assert kept.raised.status == "confirmed"
    assert (await world.assessment()).decision is Decision.SUSPECTED


async def test_whom_people_found_dead_no_card_certifies_though_no_register_knows(world: World) -> None:
    await world.conclude(SuspicionKind.DEATH, CaseConclusion.CONFIRMED, event_on=date(2023, 8, 2))
    await world.hear(
        [
            Saw(source=source, on=date(2023, 10, day), evidence=day)
            for source, days in (
                ("transport_bus_card", (2, 9, 20)),
                ("medins_outpatient", (12, 15)),
                ("bank_self_service", (3, 4)),
                ("medins_pharmacy", (5, 6)),
            )
            for day in days
        ]
    )
    await world.sweep()
    assert (await world.assessment()).decision is Decision.SUSPECTED
    assert [kind for kind, *_ in await raised(world)] == ["conflict"], "nobody is told what people have said themselves"
    assert {each.raised.found.kind: each.raised.status for each in await world.suspicions()} == {
        SuspicionKind.DEATH: "confirmed",
        SuspicionKind.CONFLICT: "open",
    }
    await world.conclude(SuspicionKind.DEATH, CaseConclusion.FALSE_DEATH)
    await world.sweep()
    assert (await world.assessment()).decision is Decision.CERTIFIABLE


@pytest.mark.parametrize("order", list(permutations("dct")), ids="".join)
@pytest.mark.parametrize("sweeping", [True, False], ids=["each swept", "swept at once"])
async def test_a_correction_may_come_before_the_evidence(world: World, order: str, sweeping: bool) -> None:
    for step in order:
        if step == "c":
            await world.correct(DEATH)
        else:
            await world.hear([DEATH if step == "d" else TRIP])
        if sweeping:
            await world.sweep()
    await world.sweep()
    found = await world.assessment()
    assert (found.decision, found.evidence_ids) == (Decision.CERTIFIABLE, (7,))
    assert not [each for each in await world.suspicions() if each.raised.status == "open"]
    async with world.database.write() as tx:
        again = await reassess(tx, world.means(), 0, shadow=False)
    assert again is not None
    assert again.outcome.changed == 0


async def test_a_strong_act_taken_back_takes_its_certification_with_it(world: World) -> None:
    await world.hear([TRIP])
    await world.sweep()
    await world.correct(TRIP)
    await world.sweep()
    assert (await world.assessment()).decision is Decision.INSUFFICIENT


async def test_what_is_left_of_a_month_is_said_again_when_one_act_of_it_is_taken_back(world: World) -> None:
    later = Saw(source="rail_trip", on=date(2023, 6, 20), evidence=9)
    await world.hear([TRIP])
    await world.sweep()
    await world.hear([later])  # not worth saying: the month is the same
    await world.sweep()
    await world.said()
    await world.correct(TRIP)
    await world.sweep()
    [opinion] = [row for name, row in await world.said() if name == "scoring.assessments.changed"]
    assert (opinion["as_of"], opinion["evidence_ids"]) == (later.on, [9])


async def test_a_correction_of_another_shard_is_poison(world: World) -> None:
    table = correction_of([DEATH], shard=3)
    with pytest.raises(PoisonError, match="another shard"):
        await world.take_correction(table, shard=4)


async def test_a_hint_counts_only_for_few_candidates_and_only_while_they_stay_silent(world: World) -> None:
    day = TODAY - timedelta(days=100)
    bus = Saw(who="b", source="transport_bus_card", on=TODAY - timedelta(days=2), evidence=9)
    await world.hear([Saw(who="a", source="rail_trip", on=TODAY - timedelta(days=200), evidence=8), bus])
    await world.hint("a", "b", on=day, evidence=21)
    await world.hint("c", "d", "e", "f", on=day, evidence=22)
    await world.sweep()
    assert await raised(world) == [("suspected_death", "hint", 1, [21], ["unidentified_record"])]
    assert (await world.assessment("a")).decision is Decision.SUSPECTED
    for who in "bcdef":
        assert (await world.assessment(who)).decision is Decision.INSUFFICIENT
    await world.hear([Saw(who="a", source="medins_pharmacy", on=TODAY - timedelta(days=1), evidence=10)])
    await world.sweep()
    assert (await world.assessment("a")).decision is Decision.CERTIFIABLE
    [kept] = await world.suspicions("a")
    assert kept.raised.status == "withdrawn"


async def test_a_hint_comes_to_count_with_the_days_and_never_makes_two_registers(world: World) -> None:
    await world.hint("a", on=TODAY - timedelta(days=10), evidence=21)
    await world.sweep()
    assert await world.suspicions() == []
    world.clock.move(timedelta(days=51))
    async with world.database.write() as tx:
        await reassess(tx, world.means(), 0, shadow=False)
    [kept] = await world.suspicions()
    assert kept.raised.found.confidence is Confidence.HINT
    await world.hear([Saw(source="police_hukou_cancel", on=TODAY - timedelta(days=9), kind=Kind.DIED, evidence=1)])
    await world.sweep()
    [kept] = await world.suspicions()
    assert (kept.raised.found.confidence, kept.raised.found.evidence) == (Confidence.PROBABLE, (1, 21))


async def test_hints_of_other_kinds_are_not_kept(world: World) -> None:
    await world.hint("a", on=TODAY - timedelta(days=100), evidence=21, kind="custody")
    assert (await world.sweep()).people == 0
