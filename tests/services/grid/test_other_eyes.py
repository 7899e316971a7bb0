"""A second look is another person's, wherever the task goes, and whoever holds the grid."""

from datetime import timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.grid.jobs.upkeep import go_round
from services.grid.policies import Policies
from tests.services.grid.test_casework import FOUND_DEAD, reviewed, step
from tests.services.grid.town import (
    NEIGHBOUR,
    NOW,
    VILLAGE,
    Town,
    due,
    enrolled,
    prompt_shown,
    revoked,
    roll_csv,
    subject,
    suspected,
    visit,
)

ANNA = subject(1)
FIRST = VILLAGE + "001"


@pytest.fixture
async def village(town: Town) -> Town:
    """Anna lives in the first of three grids."""
    await town.import_grids(roll_csv(VILLAGE, NEIGHBOUR, groups=3))
    await town.hear(enrolled(ANNA), due(ANNA))
    return town


async def task(town: Town, reason: str) -> dict[str, Any]:
    rows = await town.rows("SELECT * FROM tasks WHERE reason = $1 AND state <> 'closed'", reason)
    return rows[0]


async def told(town: Town, who: dict[str, str], **report: Any) -> dict[str, Any]:
    report = visit(report.pop("task_id"), report.pop("result", "seen_alive"), at=town.clock.now(), **report)
    return dict((await town.ask("POST", "/v1/visits", headers=who, json=report)).json())


async def second_look(town: Town, visitor: dict[str, str]) -> dict[str, Any]:
    """Somebody sees Anna, and the lot falls on her."""
    version = town.deps.policies.on(town.clock.today())
    object.__setattr__(town.deps, "policies", Policies([version.model_copy(update={"sample_percent": 100.0})]))
    assert (await told(town, visitor, task_id=(await task(town, "unmatched"))["task_id"]))["task_state"] == "closed"
    town.clock.move(timedelta(days=1))
    assert (await go_round(town.deps)).sampled == 1
    return await task(town, "sample")


class TestSecondLook:
    @pytest.mark.parametrize("grid", [FIRST, VILLAGE + "002", NEIGHBOUR + "001"])
    async def test_not_mine_never_brings_it_to_who_was_there(self, village, grid):
        first = await village.member_of(FIRST)
        look = await second_look(village, village.member(first))
        path = f"/v1/tasks/{look['task_id']}/relocation"
        answer = await village.ask("POST", path, headers=village.member(first), json={"grid_code": grid})
        assert answer.status_code == 200
        assert (await task(village, "sample"))["worker_id"] != first
        assert (await told(village, village.member(first), task_id=look["task_id"]))["reception"] == "refused"

    async def test_where_nobody_else_holds_a_grid_the_leader_looks(self, town):
        await town.import_grids(roll_csv(VILLAGE, groups=1))
        await town.hear(enrolled(ANNA), due(ANNA))
        look = await second_look(town, town.member(await town.member_of(FIRST)))
        assert look["worker_id"] == await town.holder_of(FIRST, "leader")

    async def test_a_leader_who_was_there_is_told_of_lateness_and_does_not_get_it(self, village):
        leader = await village.holder_of(FIRST, "leader")
        look = await second_look(village, village.leader(leader))
        village.clock.move(timedelta(days=20))
        await go_round(village.deps)
        late = await task(village, "sample")
        assert (late["rung"], late["worker_id"]) == ("leader", look["worker_id"])
        refused = await told(village, village.leader(leader), task_id=look["task_id"])
        assert refused["reasons"] == ["another_member_needed"]

    async def test_who_stands_in_for_the_second_member_may_look_and_the_first_may_not(self, village):
        first, third = await village.member_of(FIRST), await village.member_of(VILLAGE + "003")
        look = await second_look(village, village.member(first))
        seconds = {first: "refused", third: "recorded"}
        seconds.pop(look["worker_id"], None)
        for who, reception in seconds.items():
            day = village.clock.today().isoformat()
            body = {"worker_id": look["worker_id"], "substitute_id": who, "from_on": day, "until_on": day}
            await village.ask("POST", "/v1/substitutions", headers=village.officer("o", VILLAGE), json=body)
            answer = await told(village, village.member(who), task_id=look["task_id"])
            assert answer["reception"] == reception
            village.clock.move(timedelta(days=1))


class TestReturned:
    async def odd(self, town: Town, worker: str) -> dict[str, Any]:
        found = await task(town, "unmatched")
        receipt = await told(town, town.member(worker), task_id=found["task_id"], place={"lon": 115.9, "lat": 33.85})
        path = f"/v1/visits/{receipt['visit_id']}/review"
        await town.ask("POST", path, headers=town.village(), json={"verdict": "returned"})
        return await task(town, "unmatched")

    async def test_who_holds_the_grid_does_not_visit_again(self, village):
        first = await village.member_of(FIRST)
        back = await self.odd(village, first)
        again = await told(village, village.member(first), task_id=back["task_id"])
        assert again["reasons"] == ["another_member_needed"]
        second = {"task_id": back["task_id"], "prompt_id": prompt_shown(back["task_id"], 1)}
        village.clock.move(timedelta(hours=1))
        other = await told(village, village.member(back["worker_id"]), **second)
        assert other["task_state"] == "closed"

    async def test_nor_does_his_visit_for_another_reason_answer_it(self, village):
        first = await village.member_of(FIRST)
        await self.odd(village, first)
        await village.hear(suspected(ANNA))
        await told(village, village.member(first), task_id=(await task(village, "suspicion"))["task_id"])
        assert (await task(village, "unmatched"))["state"] == "returned"

    async def test_where_everybody_there_has_been_the_town_hears_soon(self, town):
        await town.import_grids(roll_csv(VILLAGE, groups=1))
        await town.hear(enrolled(ANNA), due(ANNA))
        hands = [await town.holder_of(FIRST, duty) for duty in ("leader", "member", "assistant")]
        for who, then in pairwise([*hands, None]):
            assert (await self.odd(town, who))["worker_id"] == then
        back = await task(town, "unmatched")
        assert (back["state"], back["worker_id"], back["deadline_on"]) == ("created", None, town.clock.today())

    async def test_it_begins_its_way_up_anew(self, village):
        village.clock.move(timedelta(days=20))
        await go_round(village.deps)
        assert (await task(village, "unmatched"))["rung"] == "leader"
        back = await self.odd(village, await village.member_of(FIRST))
        assert (back["state"], back["rung"]) == ("returned", "member")


class TestCase:
    async def inconclusive(self, town: Town) -> str:
        """The member refused entry; the case goes to the door again. Returns who was there."""
        await town.hear(suspected(ANNA))
        found = await task(town, "suspicion")
        await told(town, town.member(found["worker_id"]), task_id=found["task_id"], result="refused")
        await reviewed(town, finding="unclear", not_family=True)
        await step(town, "conclusion", town.officer("agency"), conclusion="inconclusive", not_family=True)
        town.clock.move(timedelta(days=2))
        return str(found["worker_id"])

    @pytest.mark.parametrize(
        ("duty", "event"), [("member", {}), ("leader", {"kind": "suspected_missing", "event_on": None})]
    )
    async def test_who_saw_her_in_the_time_that_it_doubts_stays_out_of_it(self, village, duty, event):
        who = await village.holder_of(FIRST, duty)
        seen = village.leader(who) if duty == "leader" else village.member(who)
        await told(village, seen, task_id=(await task(village, "unmatched"))["task_id"])
        village.clock.move(timedelta(days=5))
        await village.hear(suspected(ANNA, **event), due(ANNA, run="run-2"))
        look = await task(village, "suspicion")
        assert look["worker_id"] == (await village.rows("SELECT worker_id FROM cases"))[0]["worker_id"] != who
        assert (await told(village, seen, task_id=look["task_id"]))["reasons"] == ["another_member_needed"]
        await told(village, seen, task_id=(await task(village, "unmatched"))["task_id"])  # proves nothing in the case
        alive = {"finding": "alive", "basis": [{"kind": "lease", "reference": "l-1"}]}
        assert (await step(village, "finding", village.village(user=who), **alive)).json()["reason"] == "own_visit"
        answer = await step(village, "finding", village.village(), finding="alive")
        assert answer.json()["code"] == "basis_missing"

    async def test_what_happened_after_his_sighting_he_may_look_into_and_not_what_turns_out_to_be_before_it(
        self, village
    ):
        who = await village.member_of(FIRST)
        await told(village, village.member(who), task_id=(await task(village, "unmatched"))["task_id"])
        village.clock.move(timedelta(days=5))
        await village.hear(suspected(ANNA, event_on=NOW.date() + timedelta(days=3)))
        assert (await task(village, "suspicion"))["worker_id"] == who
        # Until the register names an earlier day.
        await village.hear(suspected(ANNA, event_on=NOW.date(), revision=2))
        look = await task(village, "suspicion")
        assert (look["worker_id"] != who, look["not_by"]) == (True, [who])

    async def test_a_phone_that_tells_late_what_he_saw_before_it_clears_nobody(self, village):
        who = village.member(await village.member_of(FIRST))
        early = visit((await task(village, "unmatched"))["task_id"])
        village.clock.move(timedelta(days=5))
        await village.hear(suspected(ANNA, event_on=NOW.date() + timedelta(days=3)))
        await village.ask("POST", "/v1/visits", headers=who, json=early)
        for status in (409, 200):
            assert (await step(village, "finding", village.village(), finding="alive")).status_code == status
            if status == 409:
                await told(village, who, task_id=(await task(village, "suspicion"))["task_id"])

    @pytest.mark.parametrize("order", [("unmatched", "suspicion"), ("suspicion", "unmatched")])
    async def test_who_tells_late_what_he_saw_leaves_the_knock_to_another(self, village, order):
        who = await village.member_of(FIRST)
        early = visit((await task(village, "unmatched"))["task_id"])
        village.clock.move(timedelta(days=5))
        await village.hear(suspected(ANNA))
        knock = visit((await task(village, "suspicion"))["task_id"], at=village.clock.now())
        reports = {"unmatched": early, "suspicion": knock}
        for each in order:
            await village.ask("POST", "/v1/visits", headers=village.member(who), json=reports[each])
        look = await task(village, "suspicion")
        assert (look["worker_id"] != who, look["not_by"]) == (True, [who])
        assert (await step(village, "finding", village.village(), finding="alive")).json()["code"] == "basis_missing"
        await told(village, village.member(look["worker_id"]), task_id=look["task_id"])
        assert (await step(village, "finding", village.village(), finding="alive")).status_code == 200

    @pytest.mark.parametrize("stage", ["visited", "found", "concluded"])
    async def test_what_rests_on_a_visit_that_officers_find_false_is_looked_into_by_another(self, village, stage):
        await village.hear(suspected(ANNA))
        first = await task(village, "suspicion")
        seen = await told(village, village.member(first["worker_id"]), task_id=first["task_id"])
        if stage == "found":
            await step(village, "finding", village.village(), finding="alive")
        if stage == "concluded":
            await reviewed(village, finding="alive")
            await step(village, "conclusion", village.officer("agency"), conclusion="false_death")
        village.clock.move(timedelta(hours=1))
        await village.hear(revoked(ANNA, uuid4(), channel="home", visit_id=UUID(seen["visit_id"])))
        if stage == "found":
            refused = await step(village, "review", village.officer("town"), verdict="agreed")
            assert refused.json()["reason"] == "basis_withdrawn"
            await step(village, "review", village.officer("town"), verdict="returned")
        answer = await step(village, "finding", village.village(), finding="alive")
        assert answer.json()["code"] == "basis_missing"
        look = await task(village, "suspicion")
        assert (look["worker_id"] != first["worker_id"], look["not_by"]) == (True, [first["worker_id"]])
        cases = await village.rows("SELECT previous_case_id IS NULL AS first FROM cases ORDER BY case_id")
        assert [row["first"] for row in cases] == ([True, False] if stage == "concluded" else [True])

    async def test_a_case_cleared_on_a_false_visit_is_looked_into_where_she_lives_now(self, village):
        await village.hear(suspected(ANNA))
        first = await task(village, "suspicion")
        seen = await told(village, village.member(first["worker_id"]), task_id=first["task_id"])
        await reviewed(village, finding="alive")
        await step(village, "conclusion", village.officer("agency"), conclusion="false_death")
        village.clock.move(timedelta(days=60))
        moved = enrolled(ANNA, change="changed", village=NEIGHBOUR, received_at=village.clock.now())
        await village.hear(moved, revoked(ANNA, uuid4(), channel="home", visit_id=UUID(seen["visit_id"])))
        assert (await task(village, "suspicion"))["division"] == NEIGHBOUR

    @pytest.mark.parametrize("reason", ["suspicion", "unmatched"])
    async def test_a_case_whose_only_visitor_is_sent_back_by_his_leader_is_knocked_for_by_another(
        self, village, reason
    ):
        await village.hear(suspected(ANNA))
        first = await task(village, reason)
        who, early = village.member(first["worker_id"]), visit(first["task_id"], place=None)
        village.clock.move(timedelta(hours=1))
        counted = await told(village, who, task_id=first["task_id"])
        await village.ask("POST", "/v1/visits", headers=who, json=early)  # whose prompt the other one showed
        if reason == "suspicion":
            assert (await told(village, who, task_id=first["task_id"], result="dead"))["task_state"] == "closed"
        path = f"/v1/visits/{counted['visit_id']}/review"
        await village.ask("POST", path, headers=village.village(), json={"verdict": "returned"})
        look = await task(village, "suspicion")
        assert (look["state"] != "submitted", look["worker_id"] != first["worker_id"]) == (True, True)

    async def test_who_was_there_first_does_not_make_the_second_visit(self, village):
        first = await self.inconclusive(village)
        look = await task(village, "suspicion")
        refused = await told(village, village.member(first), task_id=look["task_id"], result="dead")
        assert refused["reasons"] == ["another_member_needed"]
        through_another = await told(
            village, village.member(first), task_id=(await task(village, "unmatched"))["task_id"], result="dead"
        )
        assert through_another["reception"] == "recorded"
        answer = await step(village, "finding", village.village(), **FOUND_DEAD)
        assert answer.json()["code"] == "basis_missing"
        await told(village, village.member(look["worker_id"]), task_id=look["task_id"], result="dead")
        assert (await step(village, "finding", village.village(), **FOUND_DEAD)).status_code == 200

    async def test_the_knock_of_who_withdraws_after_his_visit_is_anothers(self, village):
        first = await self.inconclusive(village)
        look = await task(village, "suspicion")
        await told(village, village.member(look["worker_id"]), task_id=look["task_id"])
        assert (await step(village, "recusal", village.member(look["worker_id"]), note="姑母")).status_code == 200
        third = await task(village, "suspicion")
        assert third["worker_id"] not in {None, first, look["worker_id"]}
        assert sorted(third["not_by"]) == sorted([first, look["worker_id"]])

    async def test_who_saw_her_before_the_day_that_a_register_names_later_goes_again(self, village):
        await village.hear(suspected(ANNA, event_on=None))
        look = await task(village, "suspicion")
        await told(village, village.member(look["worker_id"]), task_id=look["task_id"])
        village.clock.move(timedelta(days=20))
        await village.hear(suspected(ANNA, revision=2, event_on=village.clock.today() - timedelta(days=5)))
        again = await task(village, "suspicion")
        assert (again["worker_id"], again["not_by"]) == (look["worker_id"], [])

    async def test_a_first_visit_that_is_told_late_is_not_the_second(self, village):
        await self.inconclusive(village)
        look = await task(village, "suspicion")
        late = visit(look["task_id"], "dead", at=NOW - timedelta(hours=1))
        headers = village.member(look["worker_id"])
        assert (await village.ask("POST", "/v1/visits", headers=headers, json=late)).json()["reception"] == "recorded"
        answer = await step(village, "finding", village.village(), **FOUND_DEAD)
        assert answer.json()["code"] == "basis_missing"

    @pytest.mark.parametrize("through", ["his own token", "the mobile back end"])
    async def test_a_member_who_withdraws_is_relieved_and_what_he_tells_proves_nothing(self, village, through):
        await village.hear(suspected(ANNA))
        found = await task(village, "suspicion")
        member = village.member(found["worker_id"])
        if through == "his own token":
            answer = await step(village, "recusal", member, note="堂兄")
        else:
            back_end = village.issuer.headers("grid.read", role="citizen", user="demo-mobile")
            answer = await step(village, "recusal", back_end, worker_id=found["worker_id"])
        assert answer.status_code == 200
        after = await task(village, "suspicion")
        assert after["worker_id"] != found["worker_id"]
        assert (await village.rows("SELECT worker_id FROM cases"))[0]["worker_id"] == after["worker_id"]
        refused = await told(village, member, task_id=found["task_id"], result="dead")
        assert refused["reasons"] == ["another_member_needed"]
        await told(village, member, task_id=(await task(village, "unmatched"))["task_id"], result="dead")
        answer = await step(village, "finding", village.village(), **FOUND_DEAD)
        assert answer.json()["code"] == "basis_missing"

    @pytest.mark.parametrize("duties", [("leader", "assistant", "member"), ("leader", "assistant")])
    async def test_where_nobody_is_left_to_knock_the_town_hears_soon(self, town, duties):
        await town.import_grids(roll_csv(VILLAGE, groups=1))
        await town.hear(enrolled(ANNA), suspected(ANNA))
        for duty in duties:
            answer = await step(town, "recusal", town.leader(await town.holder_of(FIRST, duty)), note="堂兄")
            assert answer.status_code == 200
        today = town.clock.today()
        if "member" not in duties:
            await self.inconclusive(town)
        look = await task(town, "suspicion")
        assert (look["state"], look["worker_id"], look["deadline_on"]) == ("created", None, today)

    async def test_an_import_hands_nothing_to_a_leader_who_withdrew(self, village):
        await village.hear(suspected(ANNA))
        leader = await village.holder_of(FIRST, "leader")
        assert (await step(village, "recusal", village.leader(leader), note="堂兄")).status_code == 200
        before = await task(village, "suspicion")
        lines = roll_csv(VILLAGE, groups=3).decode().splitlines()
        member, chosen = (",".join(lines[1].split(",")[place : place + 2]) for place in (5, 7))
        lines[1] = lines[1].replace(member, chosen, 1)
        await village.import_grids("\n".join(lines).encode())
        assert await village.member_of(FIRST) == leader
        left, taking = (await task(village, "suspicion"))["worker_id"], await village.holder_of(FIRST, "assistant")
        assert left == taking != before["worker_id"]
        assert (await task(village, "unmatched"))["worker_id"] == leader
