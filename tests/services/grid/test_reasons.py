"""Why somebody is asked to knock, beside a certificate that ends: requests, draws, benefits that seem to be owed."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.grid.domain.draws import drawn
from services.grid.domain.takeup import born_by, months_before
from services.grid.jobs import DailyRound
from services.grid.jobs.upkeep import go_round, order_visits, tell_morning
from services.grid.policies import Policies
from services.grid.policies.take_up import RuleShape, TakeUp, TakeUpFile, load_take_up
from shared.contracts.events.recognition import (
    ENROLMENT_RESUMED,
    ENROLMENT_SUSPENDED,
    ENROLMENT_TERMINATED,
    VISIT_REQUESTED,
    EnrolmentStateChanged,
    VisitRequested,
)
from shared.kit.bus import Message
from tests.services.grid.town import (
    NOW,
    VILLAGE,
    Town,
    certified,
    due,
    enrolled,
    fact,
    roll_csv,
    subject,
    suspected,
    visit,
)

ANNA, BERT = subject(1), subject(2)
PENSION = ("resident_pension", "ue_pension", "gi_pension")


def asked(person: UUID) -> Message:
    told = VisitRequested(request_id=uuid4(), subject=person, reason="bedridden", requested_at=NOW)
    return fact(VISIT_REQUESTED, told)


def decided(event: Any, person: UUID, *, case_id: UUID | None = None, at: datetime = NOW) -> Message:
    told = EnrolmentStateChanged(
        subject=person,
        program="resident_pension",
        decision_id=uuid4(),
        case_id=case_id,
        reason="death",
        effective_on=date(2023, 12, 1),
        decided_at=at,
    )
    return fact(event, told)


async def tasks(town: Town, reason: str) -> list[dict[str, Any]]:
    return await town.rows("SELECT * FROM tasks WHERE reason = $1 ORDER BY subject, created_at", reason)


def with_policy(town: Town, **changes: object) -> None:
    version = town.deps.policies.on(town.clock.today())
    object.__setattr__(town.deps, "policies", Policies([version.model_copy(update=changes)]))


@pytest.fixture
async def village(town: Town) -> Town:
    """Three grids."""
    await town.import_grids(roll_csv(VILLAGE, groups=3))
    return town


class TestRequest:
    async def test_somebody_asks_and_his_member_is_sent_before_the_others(self, village):
        await village.hear(enrolled(ANNA), due(ANNA), asked(ANNA))
        rows = await tasks(village, "request")
        assert rows[0]["worker_id"] == await village.member_of(VILLAGE + "001")
        assert rows[0]["priority"] > (await tasks(village, "unmatched"))[0]["priority"]

    async def test_asking_twice_is_one_knock_and_it_answers_both_reasons(self, village):
        await village.hear(enrolled(ANNA), due(ANNA), asked(ANNA), asked(ANNA))
        rows = await tasks(village, "request")
        assert len(rows) == 1
        member = rows[0]["worker_id"]
        await village.ask("POST", "/v1/visits", headers=village.member(member), json=visit(rows[0]["task_id"]))
        assert {row["outcome"] for row in await village.rows("SELECT outcome FROM tasks")} == {"seen_alive"}

    async def test_a_stranger_waits_until_a_roster_says_where_he_lives(self, village):
        await village.hear(asked(BERT))
        assert [(row["state"], row["division"]) for row in await tasks(village, "request")] == [("created", None)]
        await village.hear(enrolled(BERT, group=2))
        rows = await tasks(village, "request")
        assert (rows[0]["state"], rows[0]["worker_id"]) == ("dispatched", await village.member_of(VILLAGE + "002"))


class TestWeakSample:
    async def test_a_share_of_those_certified_by_weak_evidence_alone_is_visited(self, village):
        with_policy(village, weak_sample_percent=100.0)
        await village.hear(enrolled(ANNA, BERT), certified(ANNA, strength="weak"), certified(BERT))
        assert [row["subject"] for row in await tasks(village, "sample")] == [ANNA]

    async def test_the_same_certificate_is_drawn_once_and_others_by_the_share(self, village):
        with_policy(village, weak_sample_percent=25.0)
        people = [subject(number) for number in range(400)]
        told = certified(*people, strength="weak")
        await village.hear(enrolled(*people), told)
        first = {row["subject"] for row in await tasks(village, "sample")}
        assert 60 < len(first) < 140
        await village.hear(told)
        assert {row["subject"] for row in await tasks(village, "sample")} == first

    @given(st.lists(st.binary(min_size=16, max_size=16), min_size=1, max_size=50), st.floats(0, 99), st.floats(0, 1))
    def test_a_greater_share_draws_everybody_a_smaller_one_does(self, keys, percent, more):
        rows = np.frombuffer(b"".join(keys), np.uint8).reshape(-1, 16)
        assert not (drawn(rows, percent) & ~drawn(rows, percent + more)).any()
        assert drawn(rows, 100).all()
        assert not drawn(rows, 0).any()


class TestOldest:
    """Whom data certify at ninety-five is visited all the same."""

    async def test_the_oldest_are_visited_once_a_year_though_data_certify_them(self, village):
        await village.hear(enrolled(ANNA, born_on=date(1925, 5, 1)), enrolled(BERT, born_on=date(1930, 5, 1)))
        await village.hear(certified(ANNA, BERT, until=date(2026, 10, 31)))
        assert (await go_round(village.deps)).sampled == 1
        [row] = await tasks(village, "sample")
        assert (row["subject"], row["state"], row["about"]) == (ANNA, "dispatched", ["oldest"])
        assert (await go_round(village.deps)).sampled == 0
        await village.ask("POST", "/v1/visits", headers=village.member(row["worker_id"]), json=visit(row["task_id"]))
        village.clock.move(timedelta(days=200))
        await go_round(village.deps)
        assert len(await tasks(village, "sample")) == 1
        village.clock.move(timedelta(days=200))
        await go_round(village.deps)
        assert len(await tasks(village, "sample")) == 2

    @pytest.mark.parametrize(
        "told",
        [
            [],  # nobody certified her: a knock comes by itself
            [certified(ANNA, channel="home")],
            [certified(ANNA, until=date(2023, 11, 30)), due(ANNA)],
            [certified(ANNA), suspected(ANNA)],
            [certified(ANNA, until=date(2023, 9, 30))],
        ],
    )
    async def test_nobody_knocks_twice_or_where_a_case_is_open(self, village, told):
        await village.hear(enrolled(ANNA, born_on=date(1925, 5, 1)), *told)
        assert (await go_round(village.deps)).sampled == 0


class TestTakeUp:
    """Everybody here is 83: entitled to the old-age allowance and a pension."""

    async def rosters(self, town: Town) -> None:
        """Somebody draws each program, so that its roster is known to have come."""
        for program in (*PENSION, "old_age_allow"):
            await town.hear(enrolled(subject(99), program=program))

    async def test_who_is_old_enough_and_draws_nothing_is_asked_once_with_every_benefit(self, village):
        await self.rosters(village)
        await village.hear(enrolled(ANNA, program="dibao"), enrolled(BERT, program="resident_pension"))
        assert (await go_round(village.deps)).owed == 2
        assert [(row["subject"], row["about"]) for row in await tasks(village, "take_up")] == [
            (ANNA, ["any_pension", "old_age_allow"]),
            (BERT, ["old_age_allow"]),
        ]
        assert (await go_round(village.deps)).owed == 0

    async def test_the_member_reads_what_it_is_about(self, village):
        await self.rosters(village)
        await village.hear(enrolled(BERT))
        await go_round(village.deps)
        headers = village.member(await village.member_of(VILLAGE + "001"))
        items = (await village.ask("GET", "/v1/worklist", headers=headers)).json()["items"]
        assert items[0]["tasks"][0]["about"] == ["年满80周岁,名册中未见高龄津贴"]

    async def test_a_roster_that_never_came_makes_nobody_entitled(self, village):
        await village.hear(enrolled(ANNA, program="dibao"))
        assert (await go_round(village.deps)).owed == 0

    async def test_the_young_and_the_ended_are_left_alone(self, village):
        await self.rosters(village)
        await village.hear(
            enrolled(ANNA, program="dibao", born_on=date(1963, 11, 2)),
            enrolled(BERT, program="dibao", change="ended"),
        )
        assert (await go_round(village.deps)).owed == 0
        village.clock.move(timedelta(days=1))
        assert (await go_round(village.deps)).owed == 1

    @pytest.mark.parametrize(("until", "asked_for"), [(date(2024, 10, 31), 1), (date(2023, 10, 31), 0)])
    async def test_who_draws_nothing_any_more_and_is_certified_alive_is_asked(self, village, until, asked_for):
        await self.rosters(village)
        await village.hear(enrolled(BERT, program="dibao", change="ended"), certified(BERT, until=until))
        assert (await go_round(village.deps)).owed == asked_for

    async def test_whoever_draws_it_now_is_no_longer_asked(self, village):
        await self.rosters(village)
        await village.hear(enrolled(BERT, program="dibao"))
        await go_round(village.deps)
        await village.hear(enrolled(BERT))
        assert ((await go_round(village.deps)).owed, (await tasks(village, "take_up"))[0]["about"]) == (
            0,
            ["old_age_allow"],
        )
        await village.hear(enrolled(BERT, program="old_age_allow"))
        assert (await go_round(village.deps)).taken_up == 1
        assert [row["outcome"] for row in await tasks(village, "take_up")] == ["taken_up"]

    async def test_who_could_not_be_asked_for_a_while_has_taken_nothing_up_and_is_asked_then(self, village):
        await self.rosters(village)
        await village.hear(enrolled(BERT))
        await go_round(village.deps)
        await village.hear(suspected(BERT, kind="suspected_missing"))
        assert (await go_round(village.deps)).taken_up == 0
        assert [row["outcome"] for row in await tasks(village, "take_up")] == ["withdrawn"]
        async with village.database.write() as tx:
            await tx.run("UPDATE cases SET state = 'concluded', conclusion = 'unfounded', concluded_at = now(), "
                         "verified_by = 'one', concluded_by = 'other'")  # fmt: skip
        assert (await go_round(village.deps)).owed == 1

    async def test_a_knock_for_another_reason_does_not_answer_it_unasked(self, village):
        await self.rosters(village)
        await village.hear(enrolled(BERT), due(BERT))
        await go_round(village.deps)
        row = (await tasks(village, "unmatched"))[0]
        body = visit(row["task_id"], at=NOW + timedelta(minutes=5))  # offline, before his phone knew of the benefit
        await village.ask("POST", "/v1/visits", headers=village.member(row["worker_id"]), json=body)
        assert [row["state"] for row in await tasks(village, "unmatched")] == ["closed"]
        assert [row["state"] for row in await tasks(village, "take_up")] == ["dispatched"]

    async def test_an_answer_holds_for_a_year(self, village):
        await self.rosters(village)
        await village.hear(enrolled(BERT))
        await go_round(village.deps)
        row = (await tasks(village, "take_up"))[0]
        await village.ask("POST", "/v1/visits", headers=village.member(row["worker_id"]), json=visit(row["task_id"]))
        assert (await go_round(village.deps)).owed == 0
        village.clock.move(timedelta(days=400))
        assert (await go_round(village.deps)).owed == 1

    async def test_nobody_asks_about_benefits_in_a_house_of_mourning(self, village):
        await self.rosters(village)
        await village.hear(enrolled(BERT), suspected(BERT))
        assert (await go_round(village.deps)).owed == 0

    def test_rules_are_checked_whole(self):
        assert load_take_up().labels(("any_pension",))
        rule = {"code": "x1", "label": "某某津贴", "reference": "某某办法", "min_age": 3, "without_any": ["x1"]}
        assert TakeUp(TakeUpFile(label="规则", repeat_months=1, rule=(RuleShape(**rule),))).rules[0].programs == ("x1",)
        with pytest.raises(ValidationError, match="must differ: x1"):
            TakeUpFile(label="规则", repeat_months=1, rule=(RuleShape(**rule), RuleShape(**rule)))

    @pytest.mark.parametrize(
        ("today", "years", "born"),
        [
            (date(2023, 11, 1), 80, date(1943, 11, 1)),
            (date(2024, 2, 29), 60, date(1964, 2, 29)),
            (date(2024, 2, 29), 61, date(1963, 2, 28)),
        ],
    )
    def test_a_birthday_counts_on_its_day(self, today, years, born):
        assert born_by(today, years) == born
        assert months_before(date(2024, 2, 29), 12) == date(2023, 2, 1)


class TestLate:
    async def test_whoever_had_a_late_task_and_whom_it_went_to_is_said(self, village):
        await village.hear(enrolled(ANNA), due(ANNA))
        village.clock.move(timedelta(days=15))
        await go_round(village.deps)
        await go_round(village.deps)
        said = await village.said("grid.task.overdue.v1")
        member = await village.member_of(VILLAGE + "001")
        assert [(each["stage"], each["worker_id"], each["deadline_on"]) for each in said] == [
            ("leader", member, "2023-11-15")
        ]


class TestMorning:
    async def test_a_towns_members_are_told_once_on_working_mornings(self, village):
        await village.hear(due(*[subject(number) for number in range(12)]), due(subject(20), group=2))
        round_ = DailyRound(village.deps, seconds=1)
        for _ in range(2):
            await round_.look()
        assert await tell_morning(village.deps) == 0
        said = await village.said("grid.workday.planned.v1")
        assert [(each["division"], each["day"]) for each in said] == [(VILLAGE[:9], "2023-11-01")]
        assert sorted((each["tasks"], each["overdue"]) for each in said[0]["workers"]) == [(1, 0), (8, 0)]

    async def test_a_member_is_reminded_before_his_time_is_over(self, village):
        await village.hear(due(ANNA, BERT))
        days = [date(2023, 11, 10), date(2023, 11, 13), date(2023, 11, 15)]  # of ten working days, one each
        for day in days:
            village.clock.move(day - village.clock.today())
            await tell_morning(village.deps)
        said = await village.said("grid.workday.planned.v1")
        assert [(each["day"], each["workers"][0]["due_soon"]) for each in said] == [
            ("2023-11-10", 0),
            ("2023-11-13", 2),
            ("2023-11-15", 2),
        ]

    @pytest.mark.parametrize("moved", [timedelta(hours=-4), timedelta(days=3)])
    async def test_nobody_is_told_at_night_or_on_a_saturday(self, village, moved):
        await village.hear(due(ANNA))
        village.clock.move(moved)
        assert await tell_morning(village.deps) == 0

    async def test_whoever_stands_in_has_the_day(self, village):
        await village.hear(due(ANNA))
        member, other = [await village.member_of(VILLAGE + code) for code in ("001", "002")]
        body = {"worker_id": member, "substitute_id": other, "from_on": "2023-11-01", "until_on": "2023-11-02"}
        await village.ask("POST", "/v1/substitutions", headers=village.operator(), json=body)
        await tell_morning(village.deps)
        said = await village.said("grid.workday.planned.v1")
        assert [each["worker_id"] for each in said[0]["workers"]] == [other]


class TestOrder:
    async def ordered(self, database_for: Any, issuer: Any, answer: Any) -> Town:
        town = Town(await database_for("grid"), issuer, peers=httpx.MockTransport(answer))
        await town.import_grids()
        await town.hear(enrolled(ANNA, BERT), due(ANNA, BERT), suspected(subject(3)))
        return town

    async def test_scoring_says_whom_to_see_first(self, database_for, issuer):
        questions: list[dict[str, Any]] = []

        def scoring(request: httpx.Request) -> httpx.Response:
            questions.append(json.loads(request.content))
            risks = {str(ANNA): 0.001, str(BERT): 0.5}
            why = {str(BERT): ["hospital_without_return", "oldest"]}
            said = [{"subject": k, "risk": v, "reasons": why.get(k, [])} for k, v in risks.items()]
            return httpx.Response(200, json={"items": said})

        town = await self.ordered(database_for, issuer, scoring)
        assert await order_visits(town.deps) == 2
        rows = await town.rows("SELECT subject FROM tasks WHERE reason = 'unmatched' ORDER BY priority DESC")
        assert [row["subject"] for row in rows] == [BERT, ANNA]
        assert questions[0]["people"][0] == {"subject": str(ANNA), "born_on": "1940-05-01", "sex": "female"}
        for headers, reasons in (
            (town.officer("officer-1"), ["hospital_without_return", "oldest"]),
            (town.operator(), []),
        ):
            listed = await town.ask("GET", f"/v1/tasks?subject={BERT}", headers=headers)
            assert [each["visit_reasons"] for each in listed.json()["items"]] == [reasons]
        assert await order_visits(town.deps) == 0
        town.clock.move(timedelta(days=8))
        await go_round(town.deps)
        assert await order_visits(town.deps) == 2

    @pytest.mark.parametrize("answer", [httpx.Response(503), httpx.Response(422), httpx.Response(200, json={"no": 1})])
    async def test_without_scoring_the_own_order_stays_and_is_asked_for_again(self, database_for, issuer, answer):
        town = await self.ordered(database_for, issuer, lambda _request: answer)
        before = await tasks(town, "unmatched")
        assert await order_visits(town.deps) == 0
        assert await tasks(town, "unmatched") == before
        assert {row["ordered_on"] for row in before} == {None}
        assert {row["priority"] > 0 for row in before} == {True}


class TestDecisions:
    async def test_a_decision_is_kept_with_its_case_and_nobody_knocks_where_nothing_is_paid(self, village):
        await village.hear(enrolled(ANNA), due(ANNA), suspected(ANNA))
        case = (await village.rows("SELECT case_id FROM cases"))[0]["case_id"]
        await village.hear(decided(ENROLMENT_SUSPENDED, ANNA, case_id=case))
        assert [row["state"] for row in await tasks(village, "unmatched")] == ["dispatched"]
        await village.hear(decided(ENROLMENT_TERMINATED, ANNA, case_id=case))
        assert [row["outcome"] for row in await tasks(village, "unmatched")] == ["not_enrolled"]
        steps = await village.rows("SELECT outcome FROM case_steps WHERE action = 'decided' ORDER BY step_no")
        assert [row["outcome"] for row in steps] == ["suspended:resident_pension", "terminated:resident_pension"]

    async def test_a_resumed_person_is_a_recipient_again_and_a_newer_roster_has_the_last_word(self, village):
        later = datetime(2023, 12, 1, tzinfo=UTC)
        await village.hear(
            enrolled(ANNA), due(ANNA), decided(ENROLMENT_TERMINATED, ANNA), decided(ENROLMENT_RESUMED, ANNA)
        )
        assert [row["state"] for row in await tasks(village, "unmatched")] == ["dispatched"]
        active = "SELECT active FROM recipients"
        assert [row["active"] for row in await village.rows(active)] == [True]
        await village.hear(enrolled(ANNA, change="ended", received_at=later))
        await village.hear(decided(ENROLMENT_RESUMED, ANNA, at=NOW))
        assert [row["active"] for row in await village.rows(active)] == [False]
