"""Certification runs: who is looked for, once a cycle."""

from datetime import date, timedelta

import pytest

from services.recognition.jobs import RunLoop
from services.recognition.usecases import runs
from shared.contracts.events import CERTIFICATIONS_DUE
from shared.kit import arrow
from tests.services.recognition.world import (
    DIVISION,
    DUE_ON,
    NOW,
    TODAY,
    assessed,
    assessment,
    concluded,
    enrolled,
    enrolment,
    subject,
    visited,
)

pytestmark = pytest.mark.db
SHE, HE = subject(1), subject(2)


async def run(world):
    async with world.deps.database.write() as tx:
        asked = await runs.request_run(world.deps, tx, "operator-1")
    loop = RunLoop(world.deps, world.deps.wake_runs)
    while await loop.step():
        pass
    assert await loop.working() == 0
    async with world.deps.database.read() as tx:
        return await runs.get_run(tx, asked.run_id)


async def test_a_person_nobody_has_seen_is_due_once_in_a_cycle(world):
    await world.hear(enrolled(enrolment(SHE)), enrolled(enrolment(SHE), program="old_age_allow"))
    first, second = await run(world), await run(world)
    assert (first.state, first.due, first.said, first.shards_done) == ("succeeded", 1, 1, 16)
    assert (second.due, second.said) == (1, 0)
    [row] = await world.said(CERTIFICATIONS_DUE)
    assert row == {
        "subject": SHE.bytes,
        "due_on": DUE_ON,
        "division": DIVISION,
        "group_no": 3,
        "programs": 2,
        "born_on": date(1950, 5, 5),
    }


async def test_a_person_is_reminded_when_the_end_comes_a_step_nearer(world):
    await world.hear(enrolled(enrolment(SHE)))
    said: dict[int, int] = {}
    for left in (60, 60, 45, 31, 30, 29, -5):
        world.deps.clock.move(DUE_ON - timedelta(days=left) - world.deps.clock.today())
        said[left] = (await run(world)).said + said.get(left, 0)
    assert said == {60: 1, 45: 0, 31: 0, 30: 1, 29: 0, -5: 0}
    rows = await world.rows("SELECT body FROM outbox WHERE subject LIKE $1 ORDER BY seq", f"{CERTIFICATIONS_DUE.name}%")
    # Whoever was first looked for by a run is knocked at for that run alone: the second message is a reminder.
    [first, second] = [arrow.decode(row["body"]).schema.metadata for row in rows]
    [due] = await world.rows("SELECT run_id, run_on FROM due")
    assert str(due["run_id"]) in str(first)
    assert str(due["run_id"]) in str(second)
    assert due["run_on"] == DUE_ON - timedelta(days=60)


async def test_every_shard_is_looked_through(world):
    await world.hear(*(enrolled(enrolment(subject(1, shard))) for shard in range(16)))
    assert (await run(world)).said == 16


async def test_certified_people_are_left_alone(world):
    await world.hear(enrolled(enrolment(SHE)), assessed(assessment(SHE)))
    assert (await run(world)).due == 0


async def test_a_certificate_about_to_end_is_due(world):
    await world.hear(enrolled(enrolment(SHE, due_on=None)), assessed(assessment(SHE, as_of=date(2022, 12, 5))))
    await run(world)
    [row] = await world.said(CERTIFICATIONS_DUE)
    assert row["due_on"] == date(2023, 12, 31)


async def test_people_under_review_are_left_to_the_case(world):
    await world.hear(enrolled(enrolment(SHE)), assessed(assessment(SHE, "suspected")))
    assert (await run(world)).due == 0
    await world.hear(concluded(SHE, "unfounded"))
    assert (await run(world)).due == 1


async def test_people_no_roster_lists_are_left_alone(world):
    await world.hear(enrolled(enrolment(SHE)), enrolled(enrolment(SHE, "ended"), received_at=NOW + timedelta(days=1)))
    assert (await run(world)).due == 0


async def test_a_far_due_day_is_not_due(world):
    await world.hear(enrolled(enrolment(SHE, due_on=TODAY + timedelta(days=91))))
    assert (await run(world)).due == 0


async def test_a_visit_clears_who_was_due_and_the_next_cycle_asks_again(world):
    await world.hear(enrolled(enrolment(SHE)))
    await run(world)
    await world.hear(visited(SHE))
    assert await world.rows("SELECT cleared_on FROM due") == [{"cleared_on": TODAY}]
    assert (await run(world)).due == 0
    world.deps.clock.move(timedelta(days=330))
    assert (await run(world)).said == 1
    assert [row["due_on"] for row in await world.said(CERTIFICATIONS_DUE)] == [DUE_ON, date(2024, 11, 30)]


async def test_who_is_certified_for_little_longer_is_looked_for_anew_by_the_end_of_that(world):
    await world.hear(enrolled(enrolment(SHE, due_on=date(2023, 11, 30))))
    await run(world)
    await world.hear(assessed(assessment(SHE, as_of=date(2022, 12, 5))))
    again = await run(world)
    assert [row["due_on"] for row in await world.said(CERTIFICATIONS_DUE)] == [date(2023, 11, 30), DUE_ON]
    # Grid has closed the knock of the first run, and opens no second one for the same.
    assert await world.rows("SELECT run_id FROM due WHERE cleared_on IS NULL") == [{"run_id": again.run_id}]


async def test_an_unknown_due_day_counts_from_the_start_of_the_benefit(world):
    await world.hear(enrolled(enrolment(SHE, due_on=None, started_on=date(2023, 6, 1)), enrolment(HE, due_on=None)))
    await run(world)
    assert [(row["subject"], row["due_on"]) for row in await world.said(CERTIFICATIONS_DUE)] == [
        (HE.bytes, date(2011, 6, 30))
    ]


async def test_asking_twice_at_once_is_one_run(world):
    async with world.deps.database.write() as tx:
        first = await runs.request_run(world.deps, tx, "operator-1")
        assert await runs.request_run(world.deps, tx, "operator-2") == first
