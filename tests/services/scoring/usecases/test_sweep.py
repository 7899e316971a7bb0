"""The sweep on a real database."""

import asyncio
from datetime import date, timedelta
from uuid import UUID

import numpy as np
import pyarrow as pa
import pytest

from services.scoring.domain.signals import Kind
from services.scoring.store import assessments, signals
from services.scoring.usecases.look import signals_of
from services.scoring.usecases.reassess import reassess
from services.scoring.usecases.sweep import sweep
from shared.contracts.vocabulary import CaseConclusion, Confidence, Decision, Level, SuspicionKind
from shared.kit import arrow
from shared.kit.bus import PoisonError
from tests.services.scoring.people import TODAY, Saw, message_of, subject_of
from tests.services.scoring.world import World

pytestmark = pytest.mark.db


async def test_a_strong_act_certifies_and_is_said_once(world: World) -> None:
    await world.hear([Saw(source="rail_trip", on=date(2023, 9, 4), evidence=7)])
    outcome = await world.sweep()
    assert (outcome.signals, outcome.people, outcome.changed, outcome.said) == (1, 1, 1, 1)
    [(name, row)] = await world.said()
    assert name == "scoring.assessments.changed"
    assert row == {
        "subject": subject_of("a").bytes,
        "level": "strong",
        "decision": "certifiable",
        "as_of": date(2023, 9, 4),
        "strength": "strong",
        "valid_months": None,
        "points": 0,
        "reasons": ["strong_evidence"],
        "evidence_ids": [7],
        "evidence_class": ["travel"],
    }
    assert (await world.sweep()).people == 0
    await world.hear([Saw(source="rail_trip", on=date(2023, 9, 4), evidence=7)])
    assert (await world.sweep()).changed == 0
    assert await world.said() == []


async def test_a_message_of_several_shards_is_the_same_as_one_of_each(world: World) -> None:
    seen = [Saw(who=f"p{shard}", source="rail_trip", on=date(2023, 9, 4), evidence=shard + 1) for shard in (0, 3, 15)]
    dead = Saw(who="p3", source="civil_cremation", on=date(2023, 9, 20), kind=Kind.DIED, evidence=9)
    for saws in ([*seen, seen[1]], [dead]):
        bodies = [message_of([saw], shard=int(saw.who[1:])) for saw in saws]
        whole = arrow.encode(pa.concat_tables(map(arrow.decode, bodies)).unify_dictionaries())
        await world.handle(whole, shard=None)
    waiting = {each.shard: (each.rows, each.urgent_at is not None) for each in await world.waiting()}
    assert waiting == {0: (1, False), 3: (3, True), 15: (1, False)}
    for shard in (0, 3, 15):
        await world.sweep(shard)
    said = {row["subject"]: row["decision"] for name, row in await world.said() if name.endswith("assessments.changed")}
    assert said == {
        subject_of("p0", shard=0).bytes: "certifiable",
        subject_of("p3", shard=3).bytes: "suspected",
        subject_of("p15", shard=15).bytes: "certifiable",
    }


async def test_a_newer_act_of_the_same_month_is_kept_but_not_said(world: World) -> None:
    await world.hear([Saw(source="rail_trip", on=date(2023, 9, 4), evidence=7)])
    await world.sweep()
    await world.said()
    await world.hear([Saw(source="police_hotel", on=date(2023, 9, 20), evidence=8)])
    outcome = await world.sweep()
    assert (outcome.changed, outcome.said) == (1, 0)
    assert (await world.assessment()).as_of == date(2023, 9, 20)
    await world.hear([Saw(source="police_hotel", on=date(2023, 10, 1), evidence=9)])
    assert (await world.sweep()).said == 1


async def test_weak_evidence_comes_together_over_several_sweeps(world: World) -> None:
    await world.hear(
        [Saw(source="transport_bus_card", on=TODAY - timedelta(days=back), evidence=back) for back in (1, 3, 9)]
    )
    await world.sweep()
    assert (await world.assessment()).decision is Decision.INSUFFICIENT
    await world.hear(
        [
            Saw(source=source, on=TODAY - timedelta(days=back), evidence=100 + back)
            for source, days in (
                ("medins_outpatient", (2, 4)),
                ("bank_self_service", (5, 6)),
                ("medins_pharmacy", (7, 8)),
            )
            for back in days
        ]
    )
    await world.sweep()
    found = await world.assessment()
    assert (found.decision, found.level, found.valid_months) == (Decision.CERTIFIABLE, Level.MEDIUM, 6)
    assert found.as_of == TODAY - timedelta(days=1)
    assert set(found.evidence_ids) == {1, 3, 9, 102, 104, 105, 106, 107, 108}
    assert found.evidence_class == ("medical", "travel", "finance")


async def test_weak_evidence_of_a_certified_person_reads_nothing_and_changes_nothing(world: World) -> None:
    await world.hear([Saw(source="rail_trip", on=date(2023, 9, 4), evidence=7)])
    await world.sweep()
    await world.hear([Saw(source="transport_bus_card", on=date(2023, 10, 4), evidence=8)])
    outcome = await world.sweep()
    assert (outcome.signals, outcome.people) == (1, 0)
    async with world.database.read() as tx:
        known, _ = await signals_of(tx, subject_of("a"))
    assert len(known) == 2


async def test_a_death_raises_a_suspicion_that_grows_with_evidence_and_no_other(world: World) -> None:
    await world.hear([Saw(source="police_hukou_cancel", on=date(2023, 8, 2), kind=Kind.DIED, evidence=1)])
    assert (await world.sweep()).raised == 1
    first = [row for name, row in await world.said() if name == "scoring.suspicion.raised"]
    assert [(row["kind"], row["confidence"], row["revision"], row["event_on"]) for row in first] == [
        ("suspected_death", "probable", 1, date(2023, 8, 2))
    ]
    await world.hear([Saw(source="police_hukou_cancel", on=date(2023, 8, 2), kind=Kind.DIED, evidence=1)])
    assert (await world.sweep()).raised == 0
    await world.hear([Saw(source="civil_cremation", on=date(2023, 8, 4), kind=Kind.DIED, evidence=2)])
    assert (await world.sweep()).raised == 1
    second = [row for name, row in await world.said() if name == "scoring.suspicion.raised"]
    assert second[0]["suspicion_id"] == first[0]["suspicion_id"]
    assert (second[0]["confidence"], second[0]["revision"], second[0]["evidence_ids"]) == ("conclusive", 2, [1, 2])
    [kept] = await world.suspicions()
    assert kept.raised.found.confidence is Confidence.CONCLUSIVE


async def test_a_false_death_is_outweighed_and_the_person_certified_again(world: World) -> None:
    await world.hear(
        [
            Saw(source="police_hukou_cancel", on=date(2023, 8, 2), kind=Kind.DIED, evidence=1),
            Saw(source="hrss_face_auth", on=date(2023, 9, 9), evidence=2),
        ]
    )
    await world.sweep()
    assert (await world.assessment()).decision is Decision.SUSPECTED
    assert {each.raised.found.kind for each in await world.suspicions()} == {
        SuspicionKind.DEATH,
        SuspicionKind.CONFLICT,
    }
    await world.conclude(SuspicionKind.CONFLICT, CaseConclusion.FALSE_DEATH)
    assert {each.raised.status for each in await world.suspicions()} == {"refuted"}
    await world.sweep()
    found = await world.assessment()
    assert (found.decision, found.as_of) == (Decision.CERTIFIABLE, date(2023, 9, 9))
    await world.hear([Saw(source="civil_cremation", on=date(2023, 8, 3), kind=Kind.DIED, evidence=3)])
    assert (await world.sweep()).raised == 0
    assert (await world.assessment()).decision is Decision.CERTIFIABLE


async def test_a_death_after_the_sighting_that_refuted_another_is_a_new_suspicion(world: World) -> None:
    await world.hear([Saw(source="police_hukou_cancel", on=date(2023, 7, 2), kind=Kind.DIED, evidence=1)])
    await world.sweep()
    # Seen on the first of August, dead on the twenty-fifth, and only then was the first death concluded to be false.
    await world.conclude(
        SuspicionKind.DEATH, CaseConclusion.FALSE_DEATH, event_on=date(2023, 7, 2), seen_on=date(2023, 8, 1)
    )
    await world.hear(
        [
            Saw(source="civil_cremation", on=date(2023, 7, 30), kind=Kind.DIED, evidence=2),
            Saw(source="health_death_cert", on=date(2023, 8, 25), kind=Kind.DIED, evidence=3),
        ]
    )
    await world.sweep()
    assert (await world.assessment()).decision is Decision.SUSPECTED
    first, second = await world.suspicions()
    assert (first.raised.status, second.raised.status) == ("refuted", "open")
    assert (second.raised.found.event_on, second.raised.found.evidence) == (date(2023, 8, 25), (3,))


async def test_a_death_found_false_is_confirmed_no_longer(world: World) -> None:
    await world.hear([Saw(source="police_hukou_cancel", on=date(2023, 8, 2), kind=Kind.DIED, evidence=1)])
    await world.sweep()
    await world.conclude(SuspicionKind.DEATH, CaseConclusion.CONFIRMED, event_on=date(2023, 8, 2))
    await world.hear([Saw(source="hrss_face_auth", on=date(2023, 9, 9), evidence=2)])
    await world.sweep()
    assert {each.raised.found.kind: each.raised.status for each in await world.suspicions()} == {
        SuspicionKind.DEATH: "confirmed",
        SuspicionKind.CONFLICT: "open",
    }
    world.clock.move(timedelta(days=1))
    await world.conclude(SuspicionKind.CONFLICT, CaseConclusion.FALSE_DEATH, event_on=date(2023, 9, 9))
    await world.sweep()
    assert {each.raised.status for each in await world.suspicions()} == {"refuted"}
    assert (await world.assessment()).decision is Decision.CERTIFIABLE


async def test_an_imprisonment_that_was_served_stays_confirmed_when_the_next_is_unfounded(world: World) -> None:
    first = [(date(2020, 3, 11), Kind.CUSTODY), (date(2021, 3, 11), Kind.RELEASED), (date(2023, 5, 2), Kind.CUSTODY)]
    for number, (on, kind) in enumerate(first, start=1):
        await world.hear([Saw(source="prison_custody", on=on, kind=kind, evidence=number)])
        await world.sweep()
        if number == 1:
            await world.conclude(SuspicionKind.INCARCERATION, CaseConclusion.CONFIRMED, event_on=on)
    one, other = await world.suspicions()
    assert (one.raised.status, other.raised.status) == ("confirmed", "open")
    assert (other.raised.found.event_on, other.raised.found.evidence) == (date(2023, 5, 2), (3,))
    await world.conclude(SuspicionKind.INCARCERATION, CaseConclusion.UNFOUNDED, event_on=date(2023, 5, 2))
    await world.sweep()
    assert [each.raised.status for each in await world.suspicions()] == ["confirmed", "refuted"]


async def test_what_is_open_of_an_earlier_matter_gives_way_to_the_next(world: World) -> None:
    await world.hear([Saw(source="prison_custody", on=date(2020, 3, 11), kind=Kind.CUSTODY, evidence=1)])
    await world.sweep()
    await world.hear(
        [
            # Found by people, while nobody ended what was open: so it was left by conclusions beside a sweep.
            Saw(source="case_conclusion", on=date(2020, 3, 11), kind=Kind.CUSTODY),
            Saw(source="prison_custody", on=date(2021, 3, 11), kind=Kind.RELEASED, evidence=2),
            Saw(source="prison_custody", on=date(2023, 5, 2), kind=Kind.CUSTODY, evidence=3),
        ]
    )
    await world.sweep()
    assert [each.raised.status for each in await world.suspicions()] == ["withdrawn", "open"]


async def test_a_conclusion_waits_for_the_sweep_of_its_shard(committing_world: World) -> None:
    world = committing_world
    await world.hear([Saw(source="police_hukou_cancel", on=date(2023, 8, 2), kind=Kind.DIED, evidence=1)])
    async with world.database.write() as tx:
        await sweep(tx, world.means(), 0)
        concluding = asyncio.create_task(world.conclude(SuspicionKind.DEATH, CaseConclusion.FALSE_DEATH))
        await asyncio.sleep(0.2)
        assert not concluding.done()
    await concluding
    assert [each.raised.status for each in await world.suspicions()] == ["refuted"]


@pytest.mark.parametrize("on", [date(1023, 10, 5), date(1900, 1, 1)])
async def test_a_mistyped_year_never_stops_a_shard(world: World, on: date) -> None:
    with pytest.raises(PoisonError, match="before 1901"):
        await world.conclude(SuspicionKind.DEATH, CaseConclusion.CONFIRMED, event_on=on)
    await world.hear([Saw(source="police_hukou_cancel", on=on, kind=Kind.DIED, evidence=1)])
    await world.sweep()
    assert (await world.assessment()).decision is Decision.SUSPECTED


async def test_a_confirmed_suspicion_is_not_raised_again(world: World) -> None:
    await world.hear([Saw(source="police_hukou_cancel", on=date(2023, 8, 2), kind=Kind.DIED, evidence=1)])
    await world.sweep()
    await world.conclude(SuspicionKind.DEATH, CaseConclusion.CONFIRMED)
    await world.hear([Saw(source="civil_cremation", on=date(2023, 8, 4), kind=Kind.DIED, evidence=2)])
    assert (await world.sweep()).raised == 0
    [kept] = await world.suspicions()
    assert kept.raised.status == "confirmed"
    assert (await world.assessment()).decision is Decision.SUSPECTED


async def test_an_inconclusive_case_leaves_everything_open(world: World) -> None:
    await world.hear([Saw(source="police_hukou_cancel", on=date(2023, 8, 2), kind=Kind.DIED, evidence=1)])
    await world.sweep()
    await world.conclude(SuspicionKind.DEATH, CaseConclusion.INCONCLUSIVE)
    [kept] = await world.suspicions()
    assert kept.raised.status == "open"


async def test_negatives_can_be_swept_before_the_rest(world: World) -> None:
    await world.hear([Saw(source="rail_trip", on=date(2023, 9, 4), evidence=7)])
    await world.hear([Saw(who="b", source="police_hukou_cancel", on=date(2023, 8, 2), kind=Kind.DIED, evidence=1)])
    outcome = await world.sweep(urgent_only=True)
    assert (outcome.people, outcome.raised) == (1, 1)
    assert (await world.sweep()).people == 1


async def test_a_sweep_takes_no_more_than_its_bound_and_tells_that_more_is_left(world: World) -> None:
    for number in range(4):
        await world.hear([Saw(who=f"p{number}", source="rail_trip", on=date(2023, 9, 4), evidence=number)])
    assert (await world.sweep(rows=2)).more
    assert (await world.sweep(rows=9)).people == 2


async def test_another_worker_s_shard_is_left_alone(committing_world: World) -> None:
    world = committing_world
    await world.hear([Saw(source="rail_trip", on=date(2023, 9, 4), evidence=7)])
    async with world.database.write() as tx:
        assert await signals.lock_head(tx, 0) is not None
        async with world.database.write() as other:
            assert await signals.lock_head(other, 0) is None
            assert await signals.lock_head(other, 1) is not None


async def test_a_shadow_changes_and_says_nothing(world: World) -> None:
    await world.hear([Saw(source="rail_trip", on=date(2022, 11, 4), evidence=7)])
    await world.sweep()
    await world.said()
    world.clock.move(timedelta(days=5))
    async with world.database.write() as tx:
        done = await reassess(tx, world.means(), 0, shadow=True)
    assert done is not None
    assert done.moves == {"certifiable>insufficient": 1}
    assert (await world.assessment()).decision is Decision.CERTIFIABLE
    assert await world.said() == []


async def test_stored_columns_come_back_as_they_were_written(world: World) -> None:
    await world.hear(
        [
            Saw(who="a", source="rail_trip", on=date(2023, 9, 4), evidence=7),
            Saw(who="b", source="transport_bus_card", on=date(2023, 9, 4), evidence=8),
            Saw(who="c", source="prison_custody", on=date(2023, 9, 4), kind=Kind.CUSTODY, evidence=9),
        ],
        shard=15,
    )
    await world.sweep(15)
    wanted = np.sort(np.frombuffer(b"".join(subject_of(who, shard=15).bytes for who in "abc"), dtype="S16"))
    async with world.database.read() as tx:
        few, whole = await assessments.stored_of(tx, 15, wanted), await assessments.stored_of(tx, 15, None)
    assert few.subjects.tolist() == whole.subjects.tolist() == wanted.tolist()
    assert sorted(
        zip(few.level.tolist(), few.decision.tolist(), few.strength.tolist(), few.marked.tolist(), strict=True)
    ) == [
        (1, 0, 0, False),
        (2, 1, 2, False),
        (3, 2, 0, True),
    ]
    assert few.digest.tolist() == whole.digest.tolist()


async def test_evidence_of_another_shard_or_an_unknown_kind_is_poison(world: World) -> None:
    body = message_of([Saw(source="rail_trip", on=date(2023, 9, 4), evidence=7)], shard=3)
    with pytest.raises(PoisonError, match="another shard"):
        await world.handle(body, shard=4)
    with pytest.raises(PoisonError, match="vocabulary"):
        await world.handle(body.replace(b"seen", b"sean"), shard=3)


async def test_subjects_that_end_in_zero_bytes_are_whole_subjects(world: World) -> None:
    subjects = [UUID(bytes=b"\x0a" + bytes(15)), UUID(bytes=b"\x0a" + bytes(14) + b"\x01")]
    body = message_of([Saw(who="x", source="rail_trip", on=date(2023, 9, 4), evidence=7)])
    for subject in subjects:
        await world.handle(body.replace(subject_of("x").bytes, subject.bytes))
    assert (await world.sweep()).people == 2
    async with world.database.read() as tx:
        for subject in subjects:
            assert await assessments.find_assessment(tx, subject) is not None
