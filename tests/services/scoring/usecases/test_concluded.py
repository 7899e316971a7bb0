"""What stays open when people conclude something is said again: whoever hears a conclusion takes the person as clear."""

from datetime import date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from services.scoring import handlers
from services.scoring.domain.signals import Kind
from services.scoring.domain.suspicions import Status
from shared.contracts.events import DEATH_RETRACTED, STOP_REQUEST_CONCLUDED, DeathRetracted, Event, StopRequestConcluded
from shared.contracts.events.base import Fact
from shared.contracts.vocabulary import CaseConclusion, SuspicionKind
from shared.kit.bus import Message
from tests.services.scoring.people import Saw, subject_of
from tests.services.scoring.world import World

pytestmark = pytest.mark.db

DEATH = Saw(source="police_hukou_cancel", on=date(2023, 8, 2), kind=Kind.DIED, evidence=1)
LATER = Saw(source="health_death_cert", on=date(2023, 8, 25), kind=Kind.DIED, evidence=2)
CUSTODY = Saw(source="prison_custody", on=date(2023, 8, 20), kind=Kind.CUSTODY, evidence=3)
FALSE, UNFOUNDED = CaseConclusion.FALSE_DEATH, CaseConclusion.UNFOUNDED


async def decisions_said(world: World) -> list[str]:
    return [row["decision"] for name, row in await world.said() if name == "scoring.assessments.changed"]


@pytest.mark.parametrize(
    ("before", "kind", "conclusion", "after"),
    [
        ([DEATH, CUSTODY], SuspicionKind.INCARCERATION, UNFOUNDED, []),
        ([DEATH, CUSTODY], SuspicionKind.DEATH, CaseConclusion.CONFIRMED, []),
        ([DEATH], SuspicionKind.DEATH, FALSE, [LATER]),
        # The later death is another suspicion from now on, though the opinion is the same to the letter.
        ([LATER], SuspicionKind.CONFLICT, FALSE, []),
    ],
)
async def test_what_stays_open_beside_a_conclusion_is_said_again(
    world: World, before: list[Saw], kind: SuspicionKind, conclusion: CaseConclusion, after: list[Saw]
) -> None:
    await world.hear(before)
    await world.sweep()
    await world.said()
    seen_on = date(2023, 8, 10) if conclusion is FALSE else None
    await world.conclude(kind, conclusion, event_on=DEATH.on if kind is SuspicionKind.DEATH else None, seen_on=seen_on)
    if after:
        await world.hear(after)
    await world.sweep()
    assert await decisions_said(world) == ["suspected"]
    assert [each.raised.status for each in await world.suspicions()].count(Status.OPEN) == 1


async def test_what_is_confirmed_and_what_only_grows_is_not_said_again(world: World) -> None:
    await world.hear([DEATH])
    await world.sweep()
    await world.hear([LATER])
    await world.said()
    await world.sweep()
    assert await decisions_said(world) == []
    await world.conclude(SuspicionKind.DEATH, CaseConclusion.CONFIRMED, event_on=DEATH.on)
    await world.sweep()
    await world.hear([Saw(source="civil_cremation", on=DEATH.on + timedelta(days=1), kind=Kind.DIED, evidence=4)])
    await world.sweep()
    assert await decisions_said(world) == []


async def test_a_dead_persons_cards_certify_nobody_when_the_register_takes_its_row_back(world: World) -> None:
    await world.hear([DEATH])
    await world.hear([Saw(source="rail_trip", on=date(2023, 9, 4), evidence=7)])
    await world.sweep()
    await world.conclude(SuspicionKind.CONFLICT, CaseConclusion.CONFIRMED, event_on=DEATH.on)
    await world.said()
    await world.correct(DEATH)
    await world.sweep()
    assert (await world.assessment()).decision == "suspected"
    assert {each.raised.status for each in await world.suspicions()} == {Status.CONFIRMED}
    assert await world.said() == []  # people have answered all: nothing would end a review that began now


MISSING = Saw(source="court_judgment", on=date(2023, 8, 2), kind=Kind.DECLARED_MISSING, evidence=1)
STAY = Saw(source="medins_inpatient", on=date(2023, 11, 10), evidence=8)
JAILED_AGAIN = [
    Saw(source="prison_custody", on=date(2023, 11, 2), kind=Kind.RELEASED, evidence=4),
    Saw(source="prison_custody", on=date(2023, 11, 10), kind=Kind.CUSTODY, evidence=5),
]


@pytest.mark.parametrize(
    ("before", "confirmed", "after", "rises"),
    [
        ([DEATH], SuspicionKind.DEATH, [STAY], SuspicionKind.CONFLICT),
        ([DEATH, Saw(source="transport_bus_card", on=date(2023, 9, 4), evidence=7)], SuspicionKind.CONFLICT, [STAY],
         SuspicionKind.CONFLICT),
        ([], None, [STAY], SuspicionKind.CONFLICT),
        ([MISSING], SuspicionKind.MISSING, [STAY], SuspicionKind.CONFLICT),
        ([CUSTODY], SuspicionKind.INCARCERATION, JAILED_AGAIN, SuspicionKind.INCARCERATION),
    ],
)  # fmt: skip
async def test_what_comes_after_a_confirmed_conclusion_is_looked_into(
    world: World, before: list[Saw], confirmed: SuspicionKind | None, after: list[Saw], rises: SuspicionKind
) -> None:
    await world.hear(before)
    await world.sweep()
    if confirmed is None:
        await request_stop(world)
    else:
        await world.conclude(confirmed, CaseConclusion.CONFIRMED, event_on=before[0].on)
    await world.sweep()
    await world.said()
    world.clock.move(timedelta(days=20))
    await world.hear(after)
    assert (await world.sweep()).raised == 1
    assert await decisions_said(world) == ["suspected"]
    opened = [each.raised.found.kind for each in await world.suspicions() if each.raised.status is Status.OPEN]
    assert opened == [rises]


async def test_what_a_case_finds_before_any_register_tells_begins_no_review(world: World) -> None:
    await world.hear([Saw(source="rail_trip", on=date(2023, 7, 4), evidence=7)])
    await world.sweep()
    await world.said()
    await world.conclude(SuspicionKind.DEATH, CaseConclusion.CONFIRMED, event_on=DEATH.on)
    await world.sweep()
    assert (await world.assessment()).decision == "suspected"
    assert await decisions_said(world) == []


async def test_of_conclusions_the_later_stands_whatever_days_they_name_and_whoever_concluded(world: World) -> None:
    await world.hear([DEATH, Saw(source="rail_trip", on=date(2023, 7, 4), evidence=7)])
    decisions = []
    for conclude in (
        world.conclude(SuspicionKind.DEATH, FALSE, seen_on=date(2023, 9, 10)),
        world.conclude(SuspicionKind.DEATH, CaseConclusion.CONFIRMED, event_on=DEATH.on),
        officers_found_her_alive(world, date(2023, 9, 20)),
    ):
        world.clock.move(timedelta(hours=1))
        await conclude
        await world.sweep()
        decisions.append((await world.assessment()).decision)
    assert decisions == ["certifiable", "suspected", "certifiable"]


async def officers_found_her_alive(world: World, alive_on: date, event_on: date | None = DEATH.on) -> None:
    fact = DeathRetracted(subject=subject_of("a"), event_on=event_on, alive_on=alive_on, found_at=world.clock.now())
    async with world.database.write() as tx:
        await handlers.on_death_retracted(tx, told(world, DEATH_RETRACTED, fact))


@pytest.mark.parametrize(("registered", "dated"), [(True, True), (False, True), (False, False)])
async def test_each_department_that_lifts_an_old_error_late_raises_no_later_death_anew(
    world: World, registered: bool, dated: bool
) -> None:
    await world.hear([DEATH])
    await world.conclude(SuspicionKind.DEATH, CaseConclusion.CONFIRMED, event_on=DEATH.on)
    # Seen on the day on which she died.
    await officers_found_her_alive(world, LATER.on)
    world.clock.move(timedelta(days=20))
    await world.hear([LATER] * registered)
    await world.sweep()
    await world.conclude(SuspicionKind.DEATH, CaseConclusion.CONFIRMED, event_on=LATER.on if dated else None)
    await world.sweep()
    await world.said()
    for _ in range(2):
        world.clock.move(timedelta(days=5))
        await officers_found_her_alive(world, LATER.on)
        await world.sweep()
    assert await world.said() == []
    kept = [each.raised for each in await world.suspicions() if each.raised.found.kind is SuspicionKind.DEATH]
    assert [each.status for each in kept].count(Status.CONFIRMED) == 1
    await officers_found_her_alive(world, date(2023, 8, 3), event_on=None)  # a death without a day was none
    await world.sweep()
    assert (await world.assessment()).decision == ("suspected" if dated or registered else "insufficient")


async def test_a_later_sighting_of_an_earlier_day_ends_no_death_that_people_found(world: World) -> None:
    await world.hear([DEATH])
    await world.sweep()
    await world.conclude(SuspicionKind.DEATH, CaseConclusion.CONFIRMED, event_on=date(2023, 9, 6))
    world.clock.move(timedelta(days=2))
    await world.conclude(SuspicionKind.CONFLICT, FALSE, event_on=DEATH.on, seen_on=date(2023, 9, 4))
    await world.sweep()
    [kept] = await world.suspicions()
    assert (kept.raised.status, kept.raised.found.event_on) == (Status.CONFIRMED, date(2023, 9, 6))


def told(world: World, event: Event, fact: Fact) -> Message:
    body = fact.model_dump_json().encode()
    return Message(id=uuid4(), event=event, shard=None, attributes={}, happened_at=world.clock.now(), body=body)


async def test_a_request_without_a_day_dates_no_death(world: World) -> None:
    await request_stop(world, event_on=None)
    await world.hear([DEATH])
    await world.sweep()
    assert [each.raised.found.event_on for each in await world.suspicions()] == [DEATH.on]


async def request_stop(world: World, **changes: Any) -> None:
    """Two people have verified what a daughter told of the death of her mother."""
    parts = {
        "request_id": uuid4(), "subject": subject_of("a"), "programs": [], "confirmed": True, "relation": "child",
        "reason": "death", "event_on": DEATH.on, "verified_by": "w1", "concluded_by": "o1",
        "concluded_at": world.clock.now(),
    }  # fmt: skip
    message = told(world, STOP_REQUEST_CONCLUDED, StopRequestConcluded.model_validate(parts | changes))
    async with world.database.write() as tx:
        await handlers.on_stop_request_concluded(tx, message)


async def test_a_death_a_relative_reported_is_known_and_conclusive_beside_one_register(world: World) -> None:
    await request_stop(world)
    await world.hear([Saw(source="rail_trip", on=date(2023, 7, 4), evidence=7)])
    await world.sweep()
    said = await world.said()
    assert said == []  # neither a case, for people have been there, nor a review, which nothing would end
    [kept] = await world.suspicions()
    assert (kept.raised.found.kind, kept.raised.found.confidence, kept.raised.status) == (
        "suspected_death", "probable", "confirmed",
    )  # fmt: skip
    await world.hear([LATER])
    await world.sweep()
    assert "suspected_death:conclusive" in (await world.assessment()).reasons


@pytest.mark.parametrize(
    ("changes", "decision"),
    [
        ({"reason": "imprisonment", "event_on": None}, "suspected"),
        ({"reason": "missing"}, "suspected"),
        ({"reason": "death", "confirmed": False}, "certifiable"),
        ({"reason": "remarriage"}, "certifiable"),
        ({"reason": "detention"}, "suspected"),
        # The day on which she moved to her son.
        ({"reason": "in_own_words"}, "certifiable"),
    ],
)
async def test_what_a_request_to_stop_reports(world: World, changes: dict[str, Any], decision: str) -> None:
    await world.hear([Saw(source="rail_trip", on=date(2023, 7, 4), evidence=7)])
    await request_stop(world, **changes)
    await world.sweep()
    assert (await world.assessment()).decision == decision


async def test_a_word_said_under_a_clock_that_ran_ahead_outweighs_no_later_one(world: World) -> None:
    ahead = world.clock.now() + timedelta(hours=9)
    world.clock.move(timedelta(hours=9))
    await world.hear([Saw(source="rail_trip", on=date(2023, 8, 1), evidence=9)])
    await world.sweep()
    world.clock.move(-timedelta(hours=9))
    await world.hear([DEATH])
    await world.sweep()
    async with world.database.read() as tx:
        rows = await tx.fetch("SELECT subject, headers->>'ce-time' AS at FROM outbox ORDER BY seq")
    instants = [datetime.fromisoformat(row["at"]) for row in rows if "assessments" in row["subject"]]
    assert instants == [ahead, ahead + timedelta(microseconds=1)]
