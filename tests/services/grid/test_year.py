"""A year of a small town: whoever nobody sees has one task, and at the end nobody is left without an answer."""

import random
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from services.grid.domain.reports import next_month
from services.grid.domain.tasks import TaskAction, TaskState, follow
from services.grid.jobs.upkeep import go_round
from tests.services.grid.town import (
    NEIGHBOUR,
    VILLAGE,
    Town,
    certified,
    due,
    enrolled,
    roll_csv,
    subject,
    suspected,
    visit,
)

PEOPLE, MONTHS = 72, 12
AGREED = {"verdict": "agreed", "not_family": True}
UNTIL = date(2025, 12, 31)
TRUTH = ("alive",) * 16 + ("dead", "dead", "away", "shut")
"""What is true behind a door: alive, dead, moved and reached by video, or never opening."""


async def test_at_the_end_of_a_year_everybody_has_an_answer_and_every_case_had_two_people(town: Town):
    dice = random.Random(5)
    await watch(town)
    people = [subject(number, shard=f"{number % 16:x}") for number in range(1, PEOPLE + 1)]
    truth = {person: dice.choice(TRUTH) for person in people}
    villages = {person: (VILLAGE, NEIGHBOUR)[place % 2] for place, person in enumerate(people)}
    await town.import_grids(roll_csv(VILLAGE, NEIGHBOUR, groups=3))
    for person in people:
        await town.hear(enrolled(person, village=villages[person], group=1 + person.int % 3))
    expiring = {month: people[month::MONTHS] for month in range(MONTHS)}
    for month in range(MONTHS):
        await live(town, dice, expiring[month], truth, villages)
        await every_unmatched_has_one(town, expiring[month])
    await finish(town, truth)
    await everybody_has_an_answer(town, people)
    assert {
        row["confirmed"] for row in await town.rows("SELECT verified_by <> concluded_by AS confirmed FROM cases")
    } == {True}
    await no_task_left_its_ways(town)
    dead = {person for person in people if truth[person] == "dead"}
    confirmed = await town.rows("SELECT subject FROM cases WHERE conclusion LIKE 'confirmed%'")
    assert {row["subject"] for row in confirmed} <= dead


async def watch(town: Town) -> None:
    """Note each change of a task's state."""
    async with town.database.write() as tx:
        for statement in (
            "CREATE TABLE passed (before text, after text, PRIMARY KEY (before, after))",
            """CREATE FUNCTION note_passed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            INSERT INTO passed VALUES (OLD.state, NEW.state) ON CONFLICT DO NOTHING; RETURN NULL; END $$""",
            """CREATE TRIGGER passing AFTER UPDATE ON tasks FOR EACH ROW WHEN (OLD.state <> NEW.state)
            EXECUTE FUNCTION note_passed()""",
        ):
            await tx.run(statement)


async def no_task_left_its_ways(town: Town) -> None:
    """Whatever SQL did to many at once is a step of the machine."""
    allowed = {
        (state.value, after.value) for state in TaskState for action in TaskAction if (after := follow(state, action))
    }
    passed = {(row["before"], row["after"]) for row in await town.rows("SELECT * FROM passed")}
    assert {("dispatched", "accepted"), ("dispatched", "closed"), ("accepted", "closed")} <= passed <= allowed


async def live(
    town: Town, dice: random.Random, mine: Sequence[UUID], truth: dict[UUID, str], villages: dict[UUID, str]
) -> None:
    """A month: some are seen by data, the rest are due; registers tell of some deaths; members knock."""
    today = town.clock.today()
    end = next_month(next_month(next_month(today.replace(day=1)))) - timedelta(days=1)
    for person in mine:
        await town.hear(due(person, due_on=end, village=villages[person], group=1 + person.int % 3, run=str(today)))
        if truth[person] == "alive" and dice.random() < 0.4:
            await town.hear(certified(person, until=UNTIL))
        if truth[person] == "dead" and dice.random() < 0.5:
            await town.hear(suspected(person, event_on=today))
    for _ in range(3):
        await knock_everywhere(town, truth)
        town.clock.move(timedelta(days=10))
        await go_round(town.deps)


async def knock_everywhere(town: Town, truth: dict[UUID, str]) -> None:
    results = {"alive": "seen_alive", "dead": "dead", "away": "seen_by_video", "shut": "refused"}
    rows = await town.rows(
        "SELECT task_id, subject, worker_id FROM tasks WHERE state IN ('dispatched', 'accepted', 'returned')"
    )
    by_worker: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        result = results[truth[row["subject"]]]
        more: dict[str, Any] = {"id_card_read": True}
        if result == "dead":
            more["event_on"] = "2023-10-20"
        by_worker.setdefault(row["worker_id"], []).append(visit(row["task_id"], result, at=town.clock.now(), **more))
    for worker, visits in by_worker.items():
        answer = await town.ask("POST", "/v1/visits:sync", headers=town.member(worker), json={"visits": visits})
        assert "refused" not in {each["reception"] for each in answer.json()["items"]}


async def finish(town: Town, truth: dict[UUID, str]) -> None:
    """The village, the town and the agency do their part; who never opens is documented."""
    for case in await town.rows("SELECT case_id, subject, division FROM cases WHERE state <> 'concluded'"):
        path = f"/v1/cases/{case['case_id']}"
        village = town.village(case["division"])
        dead = truth[case["subject"]] == "dead"
        finding = {"finding": "dead", "event_on": "2023-10-20"} if dead else {"finding": "present"}
        body = {
            **finding,
            "not_family": True,
            "basis": [{"kind": "paper", "reference": "a-1", "day": str(town.clock.today())}],
        }
        assert (await town.ask("POST", f"{path}/finding", headers=village, json=body)).status_code == 200
        await town.ask("POST", f"{path}/review", headers=town.officer("town"), json=AGREED)
        body = {"conclusion": "confirmed" if dead else "unfounded", "not_family": True}
        answer = await town.ask("POST", f"{path}/conclusion", headers=town.officer("agency"), json=body)
        assert answer.json()["state"] == "concluded"
    for task in await town.rows("SELECT task_id, division FROM tasks WHERE state <> 'closed' AND reason = 'unmatched'"):
        headers = town.village(task["division"])
        await town.ask("POST", f"/v1/tasks/{task['task_id']}/unreachable", headers=headers)


async def every_unmatched_has_one(town: Town, mine: Sequence[UUID]) -> None:
    rows = await town.rows(
        "SELECT p.subject, count(t.task_id) AS n FROM unnest($1::uuid[]) p(subject) LEFT JOIN tasks t "
        "ON t.subject = p.subject AND t.reason = 'unmatched' GROUP BY p.subject",
        list(mine),
    )
    assert {row["n"] for row in rows} == {1}


async def everybody_has_an_answer(town: Town, people: Sequence[UUID]) -> None:
    """Certified by data or a sighting, with a case, or documented as unreachable: no fourth kind, and nobody open."""
    rows = await town.rows(
        """
        SELECT p.subject,
            EXISTS (SELECT FROM certified c WHERE c.subject = p.subject) OR EXISTS (SELECT FROM tasks t
                WHERE t.subject = p.subject AND t.outcome IN ('seen_alive', 'seen_by_video')) AS certified,
            EXISTS (SELECT FROM cases c WHERE c.subject = p.subject) AS with_case,
            EXISTS (SELECT FROM tasks t WHERE t.subject = p.subject AND t.outcome = 'unreachable') AS unreachable,
            EXISTS (SELECT FROM tasks t WHERE t.subject = p.subject AND t.reason = 'unmatched' AND t.state <> 'closed')
                AS open
        FROM unnest($1::uuid[]) p(subject)
        """,
        list(people),
    )
    assert [row for row in rows if row["open"]] == []
    assert [row for row in rows if not (row["certified"] or row["with_case"] or row["unreachable"])] == []
    assert {kind for kind in ("certified", "with_case", "unreachable") for row in rows if row[kind]} == {
        "certified",
        "with_case",
        "unreachable",
    }
