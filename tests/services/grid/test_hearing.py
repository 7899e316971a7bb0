"""What grid makes of what others say, in any order and any number of times."""

from collections.abc import Callable
from datetime import date, timedelta
from itertools import permutations
from uuid import uuid4

import pytest

from shared.kit import arrow
from shared.kit.bus import Message
from tests.services.grid.test_casework import reviewed, step
from tests.services.grid.town import (
    NEIGHBOUR,
    NOW,
    VILLAGE,
    Town,
    certified,
    due,
    enrolled,
    revoked,
    roll_csv,
    subject,
    suspected,
    visit,
)

ANNA, BERT = subject(1), subject(2)
UNTIMELY = ("task_id", "case_id", "step_no", "opened_by", "created_at", "closed_at", "changed_at")


async def state(town: Town) -> dict[str, list[str]]:
    tables = ("tasks", "cases", "suspicions", "recipients", "certified")
    found = {}
    for table in tables:
        rows = [
            {k: v for k, v in row.items() if k not in UNTIMELY} for row in await town.rows(f"SELECT * FROM {table}")
        ]
        found[table] = sorted(map(repr, rows))
    return found


async def test_a_person_nobody_saw_becomes_a_task_of_the_member_of_his_grid(town):
    await town.import_grids()
    await town.hear(due(ANNA), due(BERT, group=2))
    rows = {row["subject"]: row for row in await town.rows("SELECT * FROM tasks")}
    assert rows[ANNA]["worker_id"] == await town.member_of(VILLAGE + "001")
    assert rows[BERT]["worker_id"] == await town.member_of(VILLAGE + "002")
    assert {row["state"] for row in rows.values()} == {"dispatched"}
    assert rows[ANNA]["deadline_on"] == date(2023, 11, 15)


async def test_a_roster_of_several_shards_holds_each_of_them(town):
    people = [subject(1, "4"), subject(2, "c"), subject(3, "c")]
    async with town.database.write() as tx:
        await town.handle(tx, enrolled(*people))
        rows = await tx.fetch(
            "SELECT count(*) AS n FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
        )
    assert rows[0]["n"] == 2
    assert len(await town.rows("SELECT FROM recipients")) == 3


async def test_saying_it_again_merges_into_the_open_task(town):
    await town.import_grids()
    await town.hear(
        due(ANNA), due(ANNA, due_on=date(2023, 11, 30), run="run-2"), due(ANNA, due_on=date(2024, 1, 31), run="run-3")
    )
    rows = await town.rows("SELECT * FROM tasks")
    assert len(rows) == 1
    assert rows[0]["due_on"] == date(2023, 11, 30)


async def test_a_run_that_reminds_of_whom_it_looked_for_opens_no_second_task(town):
    await town.import_grids()
    await town.hear(due(ANNA), due(BERT))
    async with town.database.write() as tx:
        await tx.run(
            "UPDATE tasks SET state = 'closed', outcome = 'unreachable', closed_at = now() WHERE subject = $1", ANNA
        )
    await town.hear(due(ANNA), due(BERT))
    assert sorted(row["state"] for row in await town.rows("SELECT state FROM tasks")) == ["closed", "dispatched"]
    await town.hear(due(ANNA, run="run-2"))
    assert len(await town.rows("SELECT 1 FROM tasks WHERE subject = $1 AND state <> 'closed'", ANNA)) == 1


async def test_a_task_in_a_village_without_grids_waits(town):
    await town.hear(due(ANNA, village=NEIGHBOUR))
    assert [(row["state"], row["worker_id"]) for row in await town.rows("SELECT * FROM tasks")] == [("created", None)]


async def test_a_certificate_that_outlasts_the_date_closes_the_task(town):
    await town.import_grids()
    await town.hear(due(ANNA, BERT), certified(ANNA), certified(BERT, until=date(2023, 12, 31)))
    rows = {row["subject"]: row for row in await town.rows("SELECT * FROM tasks")}
    assert (rows[ANNA]["state"], rows[ANNA]["outcome"]) == ("closed", "certified_meanwhile")
    assert rows[BERT]["state"] == "dispatched"


MESSAGES: tuple[Callable[[], Message], ...] = (
    lambda: enrolled(ANNA, BERT),
    lambda: due(ANNA, BERT),
    lambda: certified(ANNA),
    lambda: suspected(BERT),
    lambda: enrolled(ANNA, change="ended", received_at=NOW + timedelta(days=1)),
)


@pytest.mark.parametrize("order", [each for place, each in enumerate(permutations(range(5))) if place % 5 == 0])
async def test_any_order_gives_the_same_end(town, order):
    await town.import_grids()
    await town.hear(*(MESSAGES[place]() for place in order))
    found = await state(town)
    # A task that is settled by two things is settled by the first one heard; that it is closed is what counts.
    tasks = await town.rows("SELECT subject, reason, state FROM tasks ORDER BY subject, reason")
    assert [(row["subject"], row["reason"], row["state"]) for row in tasks] == [
        (ANNA, "unmatched", "closed"),
        (BERT, "suspicion", "dispatched"),
        (BERT, "unmatched", "dispatched"),
    ]
    assert len(found["cases"]) == 1
    assert "'assigned'" in found["cases"][0]
    assert VILLAGE in found["cases"][0]


async def test_recognition_is_told_whose_door_somebody_will_knock_at(town):
    await town.import_grids()
    await town.hear(certified(BERT), due(ANNA, BERT))
    rows = await town.rows("SELECT body FROM outbox WHERE subject LIKE 'grid.tasks.opened%'")
    said = [each for row in rows for each in arrow.decode(row["body"]).to_pylist()]
    [task] = await town.rows("SELECT task_id, deadline_on FROM tasks WHERE state <> 'closed'")
    assert said == [{"subject": ANNA.bytes, "task_id": task["task_id"].bytes, "deadline_on": task["deadline_on"]}]


async def test_each_message_twice_changes_nothing(town):
    await town.import_grids()
    await town.hear(*(each() for each in MESSAGES))
    before = await state(town)
    await town.hear(*(each() for each in MESSAGES))
    assert await state(town) == before


FAKE, RIGHT = uuid4(), uuid4()


class TestRevocation:
    """Anna's certificate turns out to be another person's."""

    async def test_somebody_knocks_after_all_and_recognition_is_told(self, town):
        await town.import_grids()
        await town.hear(enrolled(ANNA), due(ANNA), certified(ANNA, certificate=FAKE))
        town.clock.move(timedelta(days=30))
        await town.hear(revoked(ANNA, FAKE), due(ANNA, run="run-2"))
        rows = await town.rows("SELECT state, outcome, closed_at, worker_id, deadline_on FROM tasks")
        member = await town.member_of(VILLAGE + "001")
        assert [tuple(row.values()) for row in rows] == [("dispatched", None, None, member, date(2023, 12, 15))]
        said = await town.rows("SELECT body FROM outbox WHERE subject LIKE 'grid.tasks.opened%'")
        assert len(said) == 3  # when it was due, when the certificate fell, when it was due again

    @pytest.mark.parametrize("order", list(permutations(range(3))))
    async def test_any_order_leaves_one_open_knock(self, town, order):
        await town.import_grids()
        told = (
            lambda: due(ANNA),
            lambda: certified(ANNA, certificate=FAKE),
            lambda: revoked(ANNA, FAKE),
        )
        await town.hear(enrolled(ANNA), *(told[place]() for place in order))
        assert [row["state"] for row in await town.rows("SELECT state FROM tasks")] == ["dispatched"]

    @pytest.mark.parametrize("order", list(permutations(range(3))))
    async def test_what_else_certifies_her_counts_though_it_ends_sooner(self, town, order):
        await town.import_grids()
        told = (
            lambda: certified(ANNA, certificate=FAKE),
            lambda: revoked(ANNA, FAKE),
            lambda: certified(ANNA, certificate=RIGHT, until=date(2024, 3, 31), said_at=NOW + timedelta(seconds=1)),
        )
        await town.hear(enrolled(ANNA), due(ANNA), *(told[place]() for place in order))
        assert [row["outcome"] for row in await town.rows("SELECT outcome FROM tasks")] == ["certified_meanwhile"]
        await town.hear(due(ANNA, due_on=date(2024, 3, 31), run="run-2"))
        rows = await town.rows("SELECT state FROM tasks WHERE due_on = $1", date(2024, 3, 31))
        assert [row["state"] for row in rows] == ["dispatched"]

    async def asked_before(self, town: Town) -> None:
        town.clock.move(-timedelta(days=1))
        await town.hear(enrolled(ANNA), due(ANNA))
        town.clock.move(timedelta(days=1))

    async def test_a_sighting_that_turns_out_false_is_looked_at_by_other_eyes(self, town):
        await town.import_grids()
        await self.asked_before(town)
        task = (await town.rows("SELECT task_id, worker_id FROM tasks"))[0]
        member = town.member(task["worker_id"])
        await town.ask("POST", "/v1/visits", headers=member, json=visit(task["task_id"], at=NOW - timedelta(hours=1)))
        await town.hear(certified(ANNA, certificate=RIGHT), revoked(ANNA, RIGHT))
        closed = "SELECT state, outcome FROM tasks"
        assert (await town.rows(closed))[0]["outcome"] == "seen_alive"  # nothing is said against what he saw
        await town.hear(certified(ANNA, certificate=FAKE, channel="home", said_at=NOW + timedelta(minutes=1)))
        leader = await town.holder_of(VILLAGE + "001", "leader")
        async with town.database.write() as tx:
            await tx.run("UPDATE tasks SET not_by = $1", [leader])  # whose report had been sent back before
        await town.hear(revoked(ANNA, FAKE))
        rows = await town.rows("SELECT state, outcome, worker_id, not_by FROM tasks")
        neighbour = await town.member_of(VILLAGE + "002")
        assert [(*row.values(),)[:3] for row in rows] == [("dispatched", None, neighbour)]
        assert set(rows[0]["not_by"]) == {leader, task["worker_id"]}

    @pytest.mark.parametrize("order", [(0, 2, 1), (1, 0, 2)])
    async def test_nor_does_last_years_certificate_keep_them_away_whichever_is_told_first(self, town, order):
        await town.import_grids()
        await self.asked_before(town)
        [task] = await town.rows("SELECT task_id, worker_id, due_on FROM tasks")
        seen = visit(task["task_id"], at=NOW - timedelta(hours=1))
        await town.ask("POST", "/v1/visits", headers=town.member(task["worker_id"]), json=seen)
        told = (
            certified(ANNA, certificate=FAKE, channel="home"),
            revoked(ANNA, FAKE, channel="home"),
            certified(ANNA, until=task["due_on"], said_at=NOW + timedelta(minutes=1)),
        )
        await town.hear(*(told[place] for place in order))
        assert [row["state"] for row in await town.rows("SELECT state FROM tasks")] == ["dispatched"]

    async def test_whom_every_roster_let_go_nobody_is_sent_to(self, town):
        await town.import_grids()
        await town.hear(enrolled(ANNA), due(ANNA), certified(ANNA, certificate=FAKE))
        await town.hear(enrolled(ANNA, change="ended"), revoked(ANNA, FAKE))
        assert [row["state"] for row in await town.rows("SELECT state FROM tasks")] == ["closed"]

    async def test_nobody_is_sent_to_the_dead_whose_last_certificate_falls_with_the_stop(self, town):
        await town.import_grids()
        await town.hear(enrolled(ANNA), enrolled(ANNA, program="old_age_allow"), due(ANNA))
        await town.hear(certified(ANNA, certificate=FAKE), suspected(ANNA))
        paper = [{"kind": "death_certificate", "reference": "d-1"}]
        await reviewed(town, finding="dead", event_on="2023-09-09", basis=paper)
        await step(town, "conclusion", town.officer("agency"), conclusion="confirmed")
        await town.hear(revoked(ANNA, FAKE))
        assert {row["state"] for row in await town.rows("SELECT state FROM tasks")} == {"closed"}

    async def test_nobody_is_sent_where_a_death_is_looked_into_until_it_is_cleared(self, town):
        await town.import_grids()
        await town.hear(enrolled(ANNA), due(ANNA), certified(ANNA, certificate=FAKE))
        await town.hear(suspected(ANNA), revoked(ANNA, FAKE))
        unmatched = "SELECT state FROM tasks WHERE reason = 'unmatched'"
        assert [row["state"] for row in await town.rows(unmatched)] == ["closed"]
        paper = [{"kind": "lease", "reference": "l-1", "day": str(NOW.date())}]
        await reviewed(town, finding="alive", basis=paper)
        answer = await step(town, "conclusion", town.officer("agency"), conclusion="unfounded")
        assert answer.json()["reason"] == "register_to_correct"
        await step(town, "conclusion", town.officer("agency"), conclusion="false_death")
        assert [row["state"] for row in await town.rows(unmatched)] == ["dispatched"]


class TestRoster:
    async def test_an_older_roster_changes_nothing(self, town):
        await town.hear(enrolled(ANNA, group=2), enrolled(ANNA, group=1, received_at=NOW - timedelta(days=30)))
        assert [row["group_no"] for row in await town.rows("SELECT group_no FROM recipients")] == [2]

    async def test_somebody_no_program_pays_needs_no_visit(self, town):
        await town.import_grids()
        await town.hear(enrolled(ANNA), enrolled(ANNA, program="old_age_allow"), due(ANNA))
        await town.hear(enrolled(ANNA, change="ended"))
        assert [row["state"] for row in await town.rows("SELECT state FROM tasks")] == ["dispatched"]
        await town.hear(enrolled(ANNA, change="ended", program="old_age_allow"))
        assert [row["outcome"] for row in await town.rows("SELECT outcome FROM tasks")] == ["not_enrolled"]

    @pytest.mark.parametrize("meanwhile", [None, "certified"])
    async def test_whom_a_roster_drops_once_and_lists_again_is_knocked_at_unless_certified(self, town, meanwhile):
        await town.import_grids()
        await town.hear(enrolled(ANNA), due(ANNA), enrolled(ANNA, change="ended"))
        if meanwhile:
            await town.hear(certified(ANNA))
        await town.hear(enrolled(ANNA, received_at=NOW + timedelta(days=30)), due(ANNA))
        states = ["closed" if meanwhile else "dispatched"]
        assert [row["state"] for row in await town.rows("SELECT state FROM tasks")] == states
        said = await town.rows("SELECT FROM outbox WHERE subject LIKE 'grid.tasks.opened%'")
        assert len(said) == (1 if meanwhile else 3)  # due, listed again, said again

    async def test_an_older_roster_heard_late_has_nobody_knock_at_whom_a_newer_one_let_go(self, town):
        await town.import_grids()
        await town.hear(enrolled(ANNA), due(ANNA), enrolled(ANNA, change="ended", received_at=NOW + timedelta(days=30)))
        await town.hear(enrolled(ANNA, change="changed", received_at=NOW + timedelta(days=1)))
        assert [row["state"] for row in await town.rows("SELECT state FROM tasks")] == ["closed"]


class TestSuspicion:
    async def test_a_suspicion_opens_a_case_and_a_knock(self, town):
        await town.import_grids()
        await town.hear(enrolled(ANNA), suspected(ANNA))
        case = (await town.rows("SELECT * FROM cases"))[0]
        task = (await town.rows("SELECT * FROM tasks"))[0]
        assert (case["state"], case["division"], case["deadline_on"]) == ("assigned", VILLAGE, date(2023, 11, 15))
        assert (task["reason"], task["worker_id"]) == ("suspicion", case["worker_id"])

    async def test_growing_evidence_feeds_the_open_case(self, town):
        await town.import_grids()
        await town.hear(enrolled(ANNA), suspected(ANNA))
        await town.hear(
            suspected(ANNA, revision=2, confidence="conclusive", event_on=date(2023, 9, 7), evidence=(7, 8))
        )
        cases = await town.rows("SELECT * FROM cases")
        assert [(case["confidence"], case["event_on"]) for case in cases] == [("conclusive", date(2023, 9, 7))]
        steps = [row["action"] for row in await town.rows("SELECT action FROM case_steps ORDER BY step_no")]
        assert steps == ["detected", "assigned", "evidence_added"]

    @pytest.mark.parametrize("order", list(permutations(range(3))))
    async def test_its_day_is_what_registers_say_now_whatever_came_first(self, town, order):
        """One register corrects its day to a later one, another names a day, a member one at the door."""
        await town.import_grids()
        await town.hear(enrolled(ANNA), suspected(ANNA, event_on=date(2023, 9, 1)))
        task = (await town.rows("SELECT task_id, worker_id FROM tasks"))[0]

        async def knock() -> None:
            body = visit(task["task_id"], "dead", event_on="2023-10-02")
            await town.ask("POST", "/v1/visits", headers=town.member(task["worker_id"]), json=body)

        news = (
            lambda: town.hear(suspected(ANNA, revision=2, event_on=date(2023, 10, 9))),
            lambda: town.hear(suspected(ANNA, suspicion=uuid4(), event_on=date(2023, 10, 5))),
            knock,
        )
        moved = visit(task["task_id"], "moved", event_on="2023-05-05")  # a day, but of no death
        await town.ask("POST", "/v1/visits", headers=town.member(task["worker_id"]), json=moved)
        for place in order:
            await news[place]()
        told = "SELECT event_on FROM cases WHERE kind = 'suspected_death'"
        assert [row["event_on"] for row in await town.rows(told)] == [date(2023, 10, 2)]
        await town.hear(suspected(ANNA, revision=3, event_on=date(2023, 9, 30)))
        assert [row["event_on"] for row in await town.rows(told)] == [date(2023, 9, 30)]

    async def test_an_older_revision_changes_nothing(self, town):
        await town.hear(
            suspected(ANNA, revision=3, confidence="conclusive"), suspected(ANNA, revision=2, confidence="hint")
        )
        assert [row["confidence"] for row in await town.rows("SELECT confidence FROM suspicions")] == ["conclusive"]
        assert [row["action"] for row in await town.rows("SELECT action FROM case_steps")] == ["detected"]

    async def test_two_suspicions_of_one_kind_are_one_case(self, town):
        await town.hear(
            suspected(ANNA, suspicion=uuid4()), suspected(ANNA, suspicion=uuid4(), event_on=date(2023, 9, 1))
        )
        assert [row["event_on"] for row in await town.rows("SELECT event_on FROM cases")] == [date(2023, 9, 1)]
        assert [row["action"] for row in await town.rows("SELECT action FROM case_steps ORDER BY step_no")] == [
            "detected",
            "merged",
        ]

    async def test_two_kinds_are_two_cases_and_one_knock(self, town):
        await town.import_grids()
        await town.hear(enrolled(ANNA), suspected(ANNA), suspected(ANNA, kind="conflict", suspicion=uuid4()))
        assert len(await town.rows("SELECT 1 FROM cases")) == 2
        assert len(await town.rows("SELECT 1 FROM tasks")) == 1

    async def test_a_case_waits_for_the_address_and_then_for_the_grid(self, town):
        await town.hear(suspected(ANNA))
        assert (await town.rows("SELECT division FROM cases"))[0]["division"] is None
        await town.hear(enrolled(ANNA))
        case = (await town.rows("SELECT * FROM cases"))[0]
        assert (case["state"], case["division"]) == ("detected", VILLAGE)
        await town.import_grids(roll_csv(NEIGHBOUR))
        assert (await town.rows("SELECT state FROM cases"))[0]["state"] == "detected"
        await town.import_grids()
        assert (await town.rows("SELECT state FROM cases"))[0]["state"] == "assigned"

    async def test_a_large_message_and_a_small_one_do_the_same(self, town):
        await town.import_grids()
        many = [subject(number) for number in range(1, 1201)]
        await town.hear(enrolled(*many), due(*many), certified(*many[:700]))
        few = [subject(number, "1") for number in range(1, 51)]
        await town.hear(enrolled(*few), due(*few), certified(*few[:20]))
        rows = await town.rows(
            "SELECT left(subject::text, 1) AS s, state, count(*) AS n FROM tasks GROUP BY 1, 2 ORDER BY 1, 2"
        )
        assert [(row["s"], row["state"], row["n"]) for row in rows] == [
            ("0", "closed", 700),
            ("0", "dispatched", 500),
            ("1", "closed", 20),
            ("1", "dispatched", 30),
        ]
