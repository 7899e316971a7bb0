"""What time and leaders do: escalation, relief, samples, reviews, people nobody reaches."""

from datetime import date, timedelta
from uuid import UUID, uuid4

import pytest

from services.grid.domain.doubts import metres, prompt_for
from services.grid.jobs import DailyRound
from services.grid.jobs.upkeep import go_round, go_todays_round
from services.grid.policies import Policies
from services.grid.usecases.visiting import prompt_of
from shared.contracts.events.recognition import VISIT_REQUESTED, VisitRequested
from tests.services.grid.town import NEIGHBOUR, NOW, VILLAGE, Town, due, enrolled, fact, roll_csv, subject, visit

ANNA = subject(1)


@pytest.fixture
async def member(town: Town) -> str:
    """The member of the first grid, with Anna to visit."""
    await town.import_grids(roll_csv(VILLAGE, groups=3))
    await town.hear(enrolled(ANNA), due(ANNA))
    return await town.member_of(VILLAGE + "001")


async def anna(town: Town, reason: str = "unmatched") -> dict[str, object]:
    return (await town.rows("SELECT * FROM tasks WHERE subject = $1 AND reason = $2", ANNA, reason))[0]


class TestEscalation:
    async def test_an_overdue_task_climbs_rung_by_rung_to_the_town(self, town, member):
        grid = (await town.rows("SELECT * FROM grids WHERE grid_code = $1", VILLAGE + "001"))[0]
        climbed = []
        for _ in range(5):
            task = await anna(town)
            climbed.append((task["rung"], task["worker_id"]))
            assert isinstance(task["deadline_on"], date)
            town.clock.move(task["deadline_on"] - town.clock.today() + timedelta(days=1))
            while not (await go_round(town.deps)).escalated and task["rung"] != "town":
                town.clock.move(timedelta(days=1))
        assert climbed == [
            ("member", member),
            ("leader", grid["leader_id"]),
            ("assistant", grid["assistant_id"]),
            ("town", grid["assistant_id"]),
            ("town", grid["assistant_id"]),
        ]

    async def test_a_report_that_nobody_reviews_climbs_and_stays_with_who_reported(self, town, member):
        body = visit((await anna(town))["task_id"], prompt_answered=False)
        answer = await town.ask("POST", "/v1/visits", headers=town.member(member), json=body)
        assert answer.json()["notes"] == ["in_review"]
        town.clock.move(timedelta(days=15))
        assert (await go_round(town.deps)).escalated == 1
        task = await anna(town)
        assert (task["state"], task["rung"], task["worker_id"]) == ("submitted", "leader", member)
        said = await town.said("grid.task.overdue.v1")
        assert [(fact["stage"], fact["worker_id"]) for fact in said] == [("leader", member)]

    async def test_a_task_of_a_village_where_nobody_has_its_grid_becomes_the_towns(self, town, member):
        await town.hear(due(subject(2), group=77))
        town.clock.move(timedelta(days=15))
        for _ in range(2):
            await go_round(town.deps)
        said = [fact for fact in await town.said("grid.task.overdue.v1") if fact["worker_id"] is None]
        assert [(fact["stage"], fact["division"]) for fact in said] == [("town", VILLAGE)]

    async def test_the_city_is_told_of_a_late_task_of_somebody_whose_address_nobody_has_said(self, town, member):
        told = VisitRequested(request_id=uuid4(), subject=subject(3), reason="bedridden", requested_at=NOW)
        await town.hear(fact(VISIT_REQUESTED, told))
        town.clock.move(timedelta(days=15))
        await go_round(town.deps)
        said = [(each["kind"], each["waits_for"], each["division"]) for each in await town.said("grid.case.overdue.v1")]
        assert said == [("unplaced_task", "agency", None)]
        assert [row["rung"] for row in await town.rows("SELECT rung FROM tasks WHERE reason = 'request'")] == ["town"]

    async def test_nothing_climbs_before_its_day_or_twice_a_day(self, town, member):
        assert (await go_round(town.deps)).escalated == 0
        town.clock.move(timedelta(days=15))
        assert (await go_round(town.deps)).escalated == 1
        assert (await go_round(town.deps)).escalated == 0

    async def test_the_round_goes_once_a_business_day(self, town, member):
        round_ = DailyRound(town.deps, seconds=1)
        await round_.look()
        town.clock.move(timedelta(days=15))
        await round_.look()
        await round_.look()
        assert (await anna(town))["rung"] == "leader"

    async def test_a_service_that_starts_again_at_noon_does_not_go_the_mornings_round_once_more(self, town, member):
        await DailyRound(town.deps, seconds=1).look()
        town.clock.move(timedelta(hours=3))
        assert await go_todays_round(town.deps) is None
        town.clock.move(timedelta(days=1))
        assert await go_todays_round(town.deps) is not None


async def test_a_crowded_member_is_relieved_by_his_village(town, member):
    many = [subject(number) for number in range(100, 150)]
    await town.hear(due(*many))
    assert (await go_round(town.deps)).handed_over == 21
    loads = await town.rows("SELECT worker_id, count(*) AS n FROM tasks GROUP BY worker_id ORDER BY n")
    assert [row["n"] for row in loads] == [10, 11, 30]
    assert (await go_round(town.deps)).handed_over == 0


class TestSample:
    async def test_a_drawn_sighting_is_visited_again_by_another_member(self, town, member):
        version = town.deps.policies.on(town.clock.today())
        object.__setattr__(town.deps, "policies", Policies([version.model_copy(update={"sample_percent": 100.0})]))
        task = await anna(town)
        await town.ask("POST", "/v1/visits", headers=town.member(member), json=visit(task["task_id"]))
        assert (await go_round(town.deps)).sampled == 0
        town.clock.move(timedelta(days=1))
        assert (await go_round(town.deps)).sampled == 1
        assert (await go_round(town.deps)).sampled == 0
        sample = await anna(town, "sample")
        assert sample["worker_id"] != member
        body = visit(sample["task_id"], at=town.clock.now())
        own = await town.ask("POST", "/v1/visits", headers=town.member(member), json=body)
        assert own.json()["reasons"] == ["another_member_needed"]
        other = await town.ask("POST", "/v1/visits", headers=town.member(str(sample["worker_id"])), json=body)
        assert other.json()["task_state"] == "closed"


class TestReview:
    async def odd(self, town: Town, member: str) -> UUID:
        body = visit((await anna(town))["task_id"], place={"lon": 115.9, "lat": 33.85})
        receipt = (await town.ask("POST", "/v1/visits", headers=town.member(member), json=body)).json()
        assert (receipt["notes"], receipt["task_state"]) == (["in_review"], "submitted")
        return UUID(body["visit_id"])

    async def test_a_visit_far_from_the_grid_waits_for_the_village(self, town, member):
        found = await self.odd(town, member)
        assert await town.said("grid.visit.concluded.v1") == []
        waiting = (await town.ask("GET", "/v1/visits", headers=town.village())).json()["items"]
        assert [(each["visit_id"], each["flags"]) for each in waiting] == [(str(found), ["far_from_grid"])]
        answer = await town.ask(
            "POST", f"/v1/visits/{found}/review", headers=town.village(), json={"verdict": "accepted"}
        )
        assert answer.json()["status"] == "concluded"
        assert len(await town.said("grid.visit.concluded.v1")) == 1
        assert (await anna(town))["outcome"] == "seen_alive"
        again = await town.ask(
            "POST", f"/v1/visits/{found}/review", headers=town.village(), json={"verdict": "accepted"}
        )
        assert again.json()["code"] == "not_in_review"

    async def test_a_relocated_visit_waits_for_the_village_of_now(self, town, member):
        found = await self.odd(town, member)
        await town.import_grids(roll_csv(NEIGHBOUR))
        path = f"/v1/tasks/{(await anna(town))['task_id']}/relocation"
        await town.ask("POST", path, headers=town.member(member), json={"grid_code": NEIGHBOUR + "001"})
        new, old = town.village(NEIGHBOUR), town.village(VILLAGE)
        waiting = [(await town.ask("GET", "/v1/visits", headers=who)).json()["items"] for who in (new, old)]
        assert [[each["visit_id"] for each in items] for items in waiting] == [[str(found)], []]
        verdict = {"verdict": "accepted"}
        answers = [
            (await town.ask("POST", f"/v1/visits/{found}/review", headers=who, json=verdict)).status_code
            for who in (old, new)
        ]
        assert answers == [404, 200]

    async def test_returned_another_member_goes(self, town, member):
        found = await self.odd(town, member)
        await town.ask("POST", f"/v1/visits/{found}/review", headers=town.village(), json={"verdict": "returned"})
        task = await anna(town)
        assert task["state"] == "returned"
        assert task["worker_id"] != member
        assert await town.said("grid.visit.concluded.v1") == []

    @pytest.mark.parametrize(
        ("report", "flags"),
        [
            ({"id_card_read": False, "prompt_id": None}, ["no_prompt", "no_proof"]),
            ({"prompt_id": None}, ["no_prompt"]),  # a card somebody else may have handed over
            ({"place": None}, ["no_place"]),
            ({"at": NOW - timedelta(hours=1)}, ["before_task"]),  # the prompt was not known then
            ({"result": "seen_by_video", "prompt_id": None, "photo": True}, ["no_prompt"]),  # of an empty room
            ({"result": "seen_by_video", "prompt_answered": False}, ["prompt_not_answered", "no_proof"]),
        ],
    )
    async def test_who_saw_somebody_shows_him_answering_and_says_where(self, town, member, report, flags):
        task = (await anna(town))["task_id"]
        body = visit(task, report.pop("result", "seen_alive"), **report)
        await town.ask("POST", "/v1/visits", headers=town.member(member), json=body)
        assert [row["flags"] for row in await town.rows("SELECT flags FROM visits")] == [flags]

    async def test_nobody_reviews_his_own_visit(self, town, member):
        found = await self.odd(town, member)
        headers = town.issuer.headers("grid.work", "grid.read", role="grid_leader", user=member)
        answer = await town.ask("POST", f"/v1/visits/{found}/review", headers=headers, json={"verdict": "accepted"})
        assert answer.json()["reason"] == "own_visit"

    async def test_each_sighting_has_its_own_prompt(self, town, member):
        task = (await anna(town))["task_id"]
        assert isinstance(task, UUID)
        shown = [prompt_of(town.deps, task, sightings).prompt_id for sightings in range(2)]
        town.clock.move(timedelta(hours=2))
        wrong = visit(task, prompt_id=(shown[0] + 1) % 800)
        receipt = await town.ask("POST", "/v1/visits", headers=town.member(member), json=wrong)
        assert receipt.json()["notes"] == ["in_review"]
        listed = (await town.ask("GET", "/v1/worklist", headers=town.member(member))).json()["items"][0]
        assert listed["tasks"][0]["prompt"]["prompt_id"] == shown[1]
        before = shown[0] if shown[0] != shown[1] else (shown[1] + 1) % 800  # one of 800 is drawn again
        old = visit(task, prompt_id=before, at=NOW + timedelta(hours=1))
        receipt = await town.ask("POST", "/v1/visits", headers=town.member(member), json=old)
        assert receipt.json()["notes"] == ["in_review"]
        right = prompt_of(town.deps, task, 2).prompt_id
        good = visit(task, prompt_id=right, at=NOW + timedelta(hours=2))
        receipt = await town.ask("POST", "/v1/visits", headers=town.member(member), json=good)
        assert receipt.json()["task_state"] == "closed"


class TestUnreachable:
    async def give_up(self, town: Town) -> dict[str, object]:
        task = (await anna(town))["task_id"]
        return dict((await town.ask("POST", f"/v1/tasks/{task}/unreachable", headers=town.village())).json())

    async def test_knocks_on_three_days_document_a_person_as_unreachable(self, town, member):
        task = (await anna(town))["task_id"]
        for day in range(3):
            assert (await self.give_up(town))["code"] == "knock_again"
            for result in ("refused", "absent_informed_by"):
                body = visit(task, result, at=NOW + timedelta(days=day))
                await town.ask("POST", "/v1/visits", headers=town.member(member), json=body)
            town.clock.move(timedelta(days=1))
        path = f"/v1/tasks/{task}/unreachable"
        himself = await town.ask("POST", path, headers=town.leader(member))
        assert himself.json()["reason"] == "own_visit"
        documented = await self.give_up(town)
        assert (documented["outcome"], documented["closed_by"]) == ("unreachable", "village-head")
        assert await town.said("grid.visit.concluded.v1") == []


def test_prompts_differ_and_read_well():
    assert len({prompt_for(draw).text for draw in range(800)}) == 800
    assert prompt_for(742).text == "请挥一挥手,并念出数字42"
    assert len({prompt_for(*[7] * times).text for times in range(1, 31)}) == 30  # a drawn number may come again
    assert prompt_for(*[7] * 801) == prompt_for(7)


def test_distances_are_about_right():
    assert 9_000 < metres((115.78, 33.85), (115.88, 33.85)) < 9_500
