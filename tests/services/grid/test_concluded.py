"""What comes after a conclusion, or when none comes: new evidence, cleared tasks, cases that are late."""

from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.grid.jobs.upkeep import go_round
from shared.contracts.events.recognition import ENROLMENT_RESUMED
from tests.services.grid.test_casework import ANNA, FOUND_DEAD, knock, reviewed, step
from tests.services.grid.test_reasons import decided
from tests.services.grid.town import NOW, VILLAGE, Town, certified, due, enrolled, revoked, roll_csv, suspected, visit


async def concluded(town: Town, result: str, finding: str, conclusion: str) -> None:
    await knock(town, result)
    await concluded_on(town, finding, conclusion)


async def concluded_on(town: Town, finding: str, conclusion: str) -> None:
    await reviewed(town, finding=finding, event_on="2023-09-09", not_family=True)
    answer = await step(town, "conclusion", town.officer("agency"), conclusion=conclusion)
    assert answer.json()["state"] == "concluded"


async def test_new_evidence_after_a_false_death_is_a_new_case(detected):
    await concluded(detected, "seen_alive", "alive", "false_death")
    await detected.hear(suspected(ANNA, revision=2))
    cases = await detected.rows("SELECT case_id, state, previous_case_id FROM cases ORDER BY case_id")
    assert [case["state"] for case in cases] == ["concluded", "assigned"]
    assert cases[1]["previous_case_id"] == cases[0]["case_id"]


async def test_what_was_cleared_on_a_visit_that_an_earlier_report_throws_doubt_on_is_looked_into_anew(detected):
    detected.clock.move(timedelta(days=3))
    first, [task] = await knock(detected, "seen_alive"), await detected.rows("SELECT task_id FROM tasks")
    await concluded_on(detected, "alive", "false_death")
    early = visit(task["task_id"])  # whose prompt the other one showed, as it seems now
    del early["place"]
    await detected.ask("POST", "/v1/visits", headers=detected.member(first), json=early)
    cases = await detected.rows("SELECT state, event_on::text AS day FROM cases ORDER BY case_id")
    assert [tuple(row.values()) for row in cases] == [("concluded", "2023-09-09"), ("assigned", "2023-09-09")]
    [look] = await detected.rows("SELECT worker_id FROM tasks WHERE state <> 'closed'")
    assert look["worker_id"] != first


async def test_more_evidence_for_a_confirmed_death_opens_nothing(detected):
    await concluded(detected, "dead", "dead", "confirmed")
    await detected.hear(suspected(ANNA, revision=2, confidence="conclusive"))
    assert [row["state"] for row in await detected.rows("SELECT state FROM cases")] == ["concluded"]
    steps = await detected.rows("SELECT action FROM case_steps ORDER BY step_no DESC LIMIT 1")
    assert steps[0]["action"] == "evidence_added"


async def test_a_visit_that_is_told_late_opens_nothing_beside_a_confirmed_death(detected):
    at = detected.clock.now()
    await detected.hear(due(ANNA))
    unmatched = (await detected.rows("SELECT task_id FROM tasks WHERE reason = 'unmatched'"))[0]["task_id"]
    await knock(detected, "dead")
    await concluded_on(detected, "dead", "confirmed")
    late = visit(unmatched, "dead", at=at)
    member = await detected.member_of(VILLAGE + "001")
    answer = await detected.ask("POST", "/v1/visits", headers=detected.member(member), json=late)
    assert answer.json()["reception"] == "recorded"
    assert [row["state"] for row in await detected.rows("SELECT state FROM cases")] == ["concluded"]
    steps = await detected.rows("SELECT action, basis::text AS basis FROM case_steps ORDER BY step_no DESC LIMIT 1")
    assert steps[0]["action"] == "evidence_added"
    assert late["visit_id"] in steps[0]["basis"]


async def test_concluding_one_case_leaves_the_knock_for_another(detected):
    await detected.hear(suspected(ANNA, kind="conflict", suspicion=UUID(int=9)))
    paper = [{"kind": "death_certificate", "reference": "archive-7"}]
    await reviewed(detected, finding="dead", event_on="2023-09-09", basis=paper)
    await step(detected, "conclusion", detected.officer("agency"), conclusion="confirmed")
    states = await detected.rows("SELECT state FROM cases ORDER BY state")
    assert [row["state"] for row in states] == ["assigned", "concluded"]
    assert len(await detected.rows("SELECT FROM tasks WHERE reason = 'suspicion' AND state <> 'closed'")) == 1


class TestCleared:
    """Somebody is told to have moved; the case is cleared on paper, and nobody has seen her."""

    async def moved(self, town: Town) -> None:
        await town.hear(due(ANNA))
        await knock(town, "moved")

    async def clear(self, town: Town) -> None:
        for case in await town.rows("SELECT case_id, kind FROM cases ORDER BY case_id"):
            path, paper = (
                f"/v1/cases/{case['case_id']}",
                [{"kind": "lease", "reference": "l-1", "day": str(NOW.date())}],
            )
            body = {"finding": "present", "not_family": True, "basis": paper}
            await town.ask("POST", f"{path}/finding", headers=town.village(), json=body)
            agrees = {"verdict": "agreed", "not_family": True}
            await town.ask("POST", f"{path}/review", headers=town.officer("town"), json=agrees)
            how = "unfounded" if case["kind"] == "suspected_missing" else "false_death"
            ends = {"conclusion": how, "not_family": True}
            answer = await town.ask("POST", f"{path}/conclusion", headers=town.officer("agency"), json=ends)
            assert answer.json()["state"] == "concluded"

    async def test_somebody_knocks_again(self, detected):
        await self.moved(detected)
        detected.clock.move(timedelta(days=3))
        await self.clear(detected)
        rows = await detected.rows(
            "SELECT state, outcome, deadline_on::text AS day FROM tasks WHERE reason = 'unmatched'"
        )
        assert [tuple(row.values()) for row in rows] == [("dispatched", None, "2023-11-17")]
        late = visit((await task_of(detected))["task_id"], "no_such_person", at=NOW)
        headers = detected.member(await detected.member_of(VILLAGE + "001"))
        assert (await detected.ask("POST", "/v1/visits", headers=headers, json=late)).json()[
            "task_state"
        ] == "dispatched"

    @pytest.mark.parametrize("how", ["certified", "seen"])
    async def test_nobody_knocks_who_is_certified_or_was_seen(self, detected, how):
        await self.moved(detected)
        detected.clock.move(timedelta(days=3))
        if how == "certified":
            await detected.hear(certified(ANNA))
        else:
            body = visit((await task_of(detected))["task_id"], at=detected.clock.now())
            headers = detected.member(await detected.member_of(VILLAGE + "001"))
            await detected.ask("POST", "/v1/visits", headers=headers, json=body)
        await self.clear(detected)
        assert (await task_of(detected))["state"] == "closed"


async def task_of(town: Town) -> dict[str, Any]:
    return (await town.rows("SELECT task_id, state FROM tasks WHERE reason = 'unmatched'"))[0]


@pytest.mark.parametrize(
    "news",
    [
        {"revision": 2, "event_on": NOW.date() + timedelta(days=150)},
        # Officers have found since that he lived then, as scoring heard from them and grid did not.
        {"suspicion": UUID(int=9)},
    ],
)
async def test_what_was_not_confirmed_is_a_new_matter_beside_what_was(detected, news):
    await concluded(detected, "dead", "dead", "confirmed")
    detected.clock.move(timedelta(days=200))
    await detected.hear(suspected(ANNA, **news))
    assert len(await detected.rows("SELECT 1 FROM cases")) == 2


async def test_whoever_tells_of_a_matter_after_the_person_is_paid_again_opens_another_case(detected):
    told = {"subject": str(ANNA), "kind": "suspected_death", "note": "社区来电"}
    ask = partial(detected.ask, "POST", "/v1/cases", headers=detected.officer("o"), json=told)
    await concluded(detected, "dead", "dead", "confirmed")
    detected.clock.move(timedelta(days=300))
    await detected.hear(enrolled(ANNA, change="changed", received_at=detected.clock.now()))  # another amount
    old = (await ask()).json()
    await detected.hear(decided(ENROLMENT_RESUMED, ANNA, at=detected.clock.now()))
    new = (await ask()).json()
    assert (old["state"], new["state"], new["previous_case_id"]) == ("concluded", "assigned", old["case_id"])


async def test_whoever_is_paid_again_after_a_confirmed_stop_is_knocked_at_again(town):
    """Out of prison, under the certification run that had found him there; and again where a certificate falls."""
    await town.import_grids(roll_csv(VILLAGE, groups=3))
    await town.hear(enrolled(ANNA), due(ANNA))
    await knock(town, "in_custody", event_on="2023-10-01", proofs=["judgement"])
    await reviewed(town, finding="in_custody", event_on="2023-10-01")
    await step(town, "conclusion", town.officer("agency"), conclusion="confirmed")
    town.clock.move(timedelta(days=300))
    await town.hear(decided(ENROLMENT_RESUMED, ANNA, at=town.clock.now()))
    assert (await task_of(town))["state"] == "dispatched"
    fake = uuid4()
    await town.hear(certified(ANNA, certificate=fake, until=NOW.date() + timedelta(days=900)))
    assert (await task_of(town))["state"] == "closed"
    await town.hear(revoked(ANNA, fake))
    assert (await task_of(town))["state"] == "dispatched"
    late = visit((await task_of(town))["task_id"], "in_custody", at=town.clock.now() - timedelta(days=3))
    headers = town.member(await town.member_of(VILLAGE + "001"))
    answer = await town.ask("POST", "/v1/visits", headers=headers, json=late)
    assert answer.json()["task_state"] == "dispatched"


async def test_a_case_without_a_village_is_late_too_and_its_time_does_not_begin_anew_with_one(town):
    await town.hear(suspected(ANNA))
    town.clock.move(timedelta(days=15))
    assert (await go_round(town.deps)).late == 1
    await town.import_grids()
    await town.hear(enrolled(ANNA))
    cases = await town.rows("SELECT state, deadline_on::text AS day FROM cases")
    assert [tuple(row.values()) for row in cases] == [("assigned", "2023-11-15")]
    said = await town.said("grid.case.overdue.v1")
    assert [(fact["waits_for"], fact["division"]) for fact in said] == [("agency", None)]


async def test_a_case_past_its_deadline_is_told_once_with_whose_turn_it_is(detected):
    await go_round(detected.deps)
    assert await detected.said("grid.case.overdue.v1") == []
    for days in (15, 1):  # ten working days are over on the fifteenth day
        detected.clock.move(timedelta(days=days))
        await go_round(detected.deps)
    await knock(detected, "dead")
    await reviewed(detected, **FOUND_DEAD)
    await step(
        detected, "conclusion", detected.officer("agency"), conclusion="inconclusive"
    )  # a new look, a new deadline
    detected.clock.move(timedelta(days=20))
    await go_round(detected.deps)
    said = await detected.said("grid.case.overdue.v1")
    assert [(fact["waits_for"], fact["deadline_on"], fact["division"]) for fact in said] == [
        ("village", "2023-11-15", VILLAGE),
        ("village", "2023-12-01", VILLAGE),
    ]
