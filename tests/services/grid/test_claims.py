"""Requests to stop, and tips: two people look, reporters stay hidden, the first one of a proved tip is owed."""

import base64
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.grid.domain.claims import (
    Reward,
    StopAction,
    StopState,
    TipAction,
    TipState,
    follow_stop,
    follow_tip,
)
from services.grid.jobs.upkeep import go_round
from shared.contracts.events.recognition import (
    ENROLMENT_SUSPENDED,
    ENROLMENT_TERMINATED,
    OVERPAYMENT_CHANGED,
    STOP_REQUESTED,
    OverpaymentChanged,
    StopRequested,
)
from shared.kit.bus import Message, PoisonError
from tests.services.grid.test_casework import FOUND_DEAD, knock, step
from tests.services.grid.test_reasons import decided
from tests.services.grid.town import NOW, VILLAGE, Town, enrolled, fact, roll_csv, subject, suspected

ANNA = subject(1)
REQUEST = UUID(int=77)
NAME, PHONE = "举报人甲", "13800001111"


def asks(person: UUID = ANNA) -> Message:
    told = StopRequested(
        request_id=REQUEST,
        subject=person,
        programs=["resident_pension"],
        relation="child",
        reason="death",
        event_on=date(2023, 10, 20),
        requested_at=NOW,
    )
    return fact(STOP_REQUESTED, told)


def asks_saying(words: str, town: Town, *, bound_to: UUID = REQUEST) -> Message:
    told = asks().fact(StopRequested)
    sealed = base64.b64encode(town.deps.vault.seal(words.encode(), bound_to.bytes)).decode()
    return fact(STOP_REQUESTED, told.model_copy(update={"reason": "in_own_words", "sealed_reason": sealed}))


def recovered(case_id: UUID, fen: int, *, minutes: int = 0, overpayment: int = 5, closed: bool = True) -> Message:
    told = OverpaymentChanged(
        overpayment_id=UUID(int=overpayment),
        subject=ANNA,
        program="resident_pension",
        case_id=case_id,
        due_fen=2_000_000,
        recovered_fen=fen,
        closed=closed,
        changed_at=NOW + timedelta(minutes=minutes),
    )
    return fact(OVERPAYMENT_CHANGED, told)


@pytest.fixture
async def village(town: Town) -> Town:
    """A village where Anna lives."""
    await town.import_grids(roll_csv(VILLAGE, groups=3))
    await town.hear(enrolled(ANNA))
    return town


class TestMachines:
    def test_every_state_can_be_reached_and_ends_stay(self):
        stops = {follow_stop(state, action) for state in StopState for action in StopAction} - {None}
        assert stops == set(StopState) - {StopState.RECEIVED}
        tips = {follow_tip(state, action) for state in TipState for action in TipAction} - {None}
        assert tips == set(TipState) - {TipState.RECEIVED}
        for end in (TipState.DISMISSED, TipState.KNOWN, TipState.NOT_PROVED, TipState.EXPIRED, TipState.PAID):
            assert not [action for action in TipAction if follow_tip(end, action)]

    @pytest.mark.parametrize(
        ("recovered_fen", "lost", "reward"),
        [
            (0, False, 50_000),
            (0, True, 10_000),
            (1, True, 10_000),
            (199_999, True, 10_000),
            (1_000_019, True, 50_000),
            (10**10, True, 10_000_000),
        ],
    )
    def test_a_reward_follows_the_recovered_sum(self, recovered_fen, lost, reward):
        rule = Reward(
            since=date(2023, 1, 1), without_loss=50_000, share_percent=5.0, least=10_000, most=10_000_000, claim_days=90
        )
        assert rule.of(recovered_fen, lost=lost) == reward


class TestStopRequest:
    async def post(self, town: Town, name: str, headers: dict[str, str], **body: Any) -> Any:
        return await town.ask("POST", f"/v1/stop-requests/{REQUEST}/{name}", headers=headers, json=body)

    async def verified(self, town: Town, *, as_stated: bool = True) -> Any:
        body = {"as_stated": as_stated, "not_family": True}
        return await self.post(town, "verification", town.village(), **body)

    async def test_two_people_look_and_only_then_it_is_said(self, village):
        await village.hear(asks(), asks())
        items = (await village.ask("GET", "/v1/stop-requests", headers=village.village())).json()["items"]
        assert [(each["state"], each["matched"], each["division"]) for each in items] == [("received", False, VILLAGE)]
        early = await self.post(village, "conclusion", village.officer("agency"), confirmed=True)
        assert early.json()["code"] == "step_not_possible"
        assert (await self.verified(village)).json()["state"] == "verified"
        same = await self.post(village, "conclusion", village.officer("village-head"), confirmed=True)
        assert same.json()["reason"] == "four_eyes"
        assert await village.said("grid.stop_request.concluded.v1") == []
        await self.post(village, "conclusion", village.officer("agency"), confirmed=True)
        said = await village.said("grid.stop_request.concluded.v1")
        assert [(each["confirmed"], each["verified_by"], each["concluded_by"], each["event_on"]) for each in said] == [
            (True, "village-head", "agency", "2023-10-20")
        ]

    async def test_what_the_village_did_not_find_cannot_be_confirmed(self, village):
        await village.hear(asks())
        await self.verified(village, as_stated=False)
        refused = await self.post(village, "conclusion", village.officer("agency"), confirmed=True)
        assert refused.json()["reason"] == "finding_does_not_confirm"
        await self.post(village, "conclusion", village.officer("agency"), confirmed=False)
        assert [each["confirmed"] for each in await village.said("grid.stop_request.concluded.v1")] == [False]

    async def test_what_somebody_wrote_is_read_on_screen_and_nowhere_else(self, village):
        words = "我父亲张建国去世"
        await village.hear(asks_saying(words, village))
        for path in ("/v1/stop-requests", f"/v1/stop-requests/{REQUEST}"):
            answer = (await village.ask("GET", path, headers=village.village())).json()
            assert answer.get("items", [answer])[0]["reason"] == words
        assert (await self.verified(village)).json()["reason"] == words
        await self.post(village, "conclusion", village.officer("agency"), confirmed=True)
        assert [each["reason"] for each in await village.said("grid.stop_request.concluded.v1")] == ["in_own_words"]
        [kept] = await village.rows("SELECT * FROM stop_requests")
        assert words not in str(kept)
        assert words.encode() not in kept["sealed_reason"]

    async def test_words_of_an_older_version_are_sealed_and_said_to_nobody(self, village):
        words = "我父亲张建国去世"
        older = asks().fact(StopRequested).model_copy(update={"reason": words})
        await village.hear(fact(STOP_REQUESTED, older))
        [kept] = await village.rows("SELECT reason FROM stop_requests")
        assert kept == {"reason": "in_own_words"}
        assert (await self.verified(village)).json()["reason"] == words
        # As a version before sealing kept it.
        async with village.database.write() as tx:
            await tx.run("UPDATE stop_requests SET reason = $1, sealed_reason = NULL", words)
        await self.post(village, "conclusion", village.officer("agency"), confirmed=True)
        assert [each["reason"] for each in await village.said("grid.stop_request.concluded.v1")] == ["in_own_words"]

    async def test_the_village_names_what_somebody_wrote_of_and_its_day(self, village):
        words = "我父亲张建国去世"
        undated = asks_saying(words, village).fact(StopRequested).model_copy(update={"event_on": None})
        await village.hear(fact(STOP_REQUESTED, undated))
        found = {"as_stated": True, "not_family": True, "tells_of": "death"}
        refused = await self.post(village, "verification", village.village(), **found)
        assert refused.json()["reason"] == "event_on_missing"
        told = (await self.post(village, "verification", village.village(), **found, event_on="2023-10-19")).json()
        assert (told["reason"], told["tells_of"]) == (words, "death")
        await self.post(village, "conclusion", village.officer("agency"), confirmed=True)
        [said] = await village.said("grid.stop_request.concluded.v1")
        assert (said["reason"], said["event_on"]) == ("death", "2023-10-19")

    async def test_words_of_another_request_are_refused(self, village):
        with pytest.raises(PoisonError):
            await village.hear(asks_saying("我父亲去世", village, bound_to=UUID(int=78)))

    async def test_what_registers_say_stands_beside_it(self, village):
        reasons = ("death", "declared_dead", "missing", "detention", "employment", "in_own_words")
        for place, reason in enumerate(reasons):
            other = {"request_id": UUID(int=100 + place), "reason": reason}
            await village.hear(fact(STOP_REQUESTED, asks().fact(StopRequested).model_copy(update=other)))

        async def matched() -> list[str]:
            items = (await village.ask("GET", "/v1/stop-requests", headers=village.village())).json()["items"]
            return [each["reason"] for each in items if each["matched"]]

        await village.hear(suspected(ANNA, kind="suspected_missing", suspicion=UUID(int=9)))
        assert await matched() == ["missing", "in_own_words"]
        await village.hear(suspected(ANNA))
        assert await matched() == ["death", "declared_dead", "missing", "in_own_words"]
        async with village.database.write() as tx:
            await tx.run("UPDATE cases SET state = 'concluded', conclusion = 'false_death', concluded_at = now(), "
                         "verified_by = 'one', concluded_by = 'other'")  # fmt: skip
        assert await matched() == []

    async def test_the_office_whose_turn_it_is_is_told_once_that_it_is_late(self, village):
        await village.hear(asks())
        for days in (15, 1):
            village.clock.move(timedelta(days=days))
            await go_round(village.deps)
        said = await village.said("grid.case.overdue.v1")
        assert [(each["kind"], each["case_id"], each["waits_for"], each["division"]) for each in said] == [
            ("stop_request", str(REQUEST), "village", VILLAGE)
        ]

    async def test_it_finds_its_village_when_the_roster_comes(self, village):
        other = subject(2)
        await village.hear(asks(other))
        path = f"/v1/stop-requests/{REQUEST}"
        assert (await village.ask("GET", path, headers=village.village())).status_code == 404
        await village.hear(enrolled(other))
        assert (await village.ask("GET", path, headers=village.village())).status_code == 200


class TestTip:
    def citizen(self, town: Town) -> dict[str, str]:
        return town.issuer.headers("me.read", role="citizen", user="back-end")

    async def report(self, town: Town, **who: str) -> str:
        told = {"subject": str(ANNA), "kind": "suspected_death", "text": "听说去年就不在了"}
        body = {"report_id": str(uuid4()), **told, **who}
        answer = await town.ask("POST", "/v1/tips", headers=self.citizen(town), json=body)
        assert answer.status_code == 201
        return str(answer.json()["claim_code"])

    async def status(self, town: Town, code: str) -> dict[str, Any]:
        answer = await town.ask("POST", "/v1/tips:status", headers=self.citizen(town), json={"claim_code": code})
        return dict(answer.json())

    async def tips(self, town: Town) -> list[dict[str, Any]]:
        return list((await town.ask("GET", "/v1/tips", headers=town.officer("screener"))).json()["items"])

    async def post(self, town: Town, name: str, user: str, place: int = 0, **body: Any) -> Any:
        tip = (await self.tips(town))[place]["tip_id"]
        return await town.ask("POST", f"/v1/tips/{tip}/{name}", headers=town.officer(user), json=body)

    async def proved(self, town: Town, conclusion: str = "confirmed") -> tuple[str, UUID]:
        """A tip whose case people have confirmed."""
        code = await self.report(town, name=NAME, phone=PHONE)
        assert (await self.post(town, "screening", "screener", accepted=True)).json()["state"] == "accepted"
        await knock(town, "dead")
        await step(town, "finding", town.village(), **FOUND_DEAD)
        await step(town, "review", town.officer("town"), verdict="agreed")
        await step(town, "conclusion", town.officer("agency"), conclusion=conclusion)
        return code, UUID((await self.tips(town))[0]["case_id"])

    async def test_from_the_report_to_the_payment(self, village):
        code, case = await self.proved(village)
        early = await self.post(village, "approval", "approver")
        assert (early.json()["code"], (await self.status(village, code))["reward_fen"]) == ("step_not_possible", None)
        await village.hear(recovered(case, 1_000_000, minutes=2), recovered(case, 400_000, minutes=1, closed=False))
        await village.hear(recovered(case, 1, overpayment=6, closed=False))
        again = await self.post(village, "approval", "approver")
        assert again.json()["code"] == "step_not_possible"
        await village.hear(recovered(case, 500_000, overpayment=6, minutes=3))
        assert (await self.status(village, code))["reward_fen"] == 75_000
        assert (await self.post(village, "approval", "screener")).json()["reason"] == "four_eyes"
        assert (await self.post(village, "approval", "approver")).json()["state"] == "reward_approved"
        await village.hear(recovered(case, 2_000_000, minutes=9))
        claimed = await village.ask(
            "POST", "/v1/tips:claim", headers=self.citizen(village), json={"claim_code": code, "account": "6222-1"}
        )
        assert (claimed.json()["state"], claimed.json()["reward_fen"]) == ("reward_claimed", 75_000)
        assert (await self.post(village, "payment", "cashier")).json()["state"] == "reward_paid"
        revealed = (await self.post(village, "reporter:reveal", "cashier")).json()
        assert (revealed["name"], revealed["account"]) == (NAME, "6222-1")
        steps = await village.rows("SELECT action, actor FROM tip_steps ORDER BY step_no")
        assert [row["action"] for row in steps][-5:] == ["calculate", "approve", "claim", "pay", "revealed"]
        assert steps[-1]["actor"] == "cashier"

    async def test_a_case_tells_the_village_nothing_of_what_it_came_from(self, village):
        await self.report(village)
        await self.post(village, "screening", "screener", accepted=True)
        await village.hear(suspected(ANNA), enrolled(subject(2)), *(suspected(subject(2), revision=n) for n in (1, 2)))
        seen: list[Any] = []
        for case in await village.rows("SELECT case_id FROM cases"):
            shown = (await village.ask("GET", f"/v1/cases/{case['case_id']}", headers=village.village())).json()
            assert {shown["case"][name] for name in ("confidence", "event_on", "previous_case_id")} == {None}
            seen.append([{**step, "happened_at": "", "basis": len(step["basis"])} for step in shown["steps"]])
        assert seen[0] == seen[1]

    @pytest.mark.parametrize("event", [ENROLMENT_TERMINATED, ENROLMENT_SUSPENDED])
    async def test_a_benefit_that_ended_before_anything_was_lost_is_rewarded_as_such(self, village, event):
        code, case = await self.proved(village)
        await village.hear(decided(event, ANNA, case_id=case))
        assert (await self.post(village, "approval", "approver")).json()["reward_fen"] == 50_000
        assert (await self.status(village, code))["state"] == "reward_approved"

    async def test_only_the_first_reporter_is_owed(self, village):
        await self.report(village)
        await self.report(village, name=NAME)
        await self.post(village, "screening", "screener", accepted=True)
        second = await self.post(village, "screening", "screener", place=1, accepted=True)
        assert second.json()["state"] == "known_before"

    async def test_the_first_reporter_is_who_reported_first_whatever_is_examined_first(self, village):
        await self.report(village)
        await self.report(village, name=NAME)
        early = await self.post(village, "screening", "screener", place=1, accepted=True)
        assert early.json()["code"] == "step_not_possible"
        await self.post(village, "screening", "screener", accepted=False)
        second = await self.post(village, "screening", "screener", place=1, accepted=True)
        assert second.json()["state"] == "accepted"

    async def test_a_report_sent_again_is_the_same_tip_with_the_same_code(self, village):
        once = {"report_id": str(uuid4())}
        codes = [await self.report(village, **once) for _ in range(2)]
        assert len(set(codes)) == len(await self.tips(village)) == 1
        assert await self.report(village) not in codes
        body = {"subject": str(ANNA), "kind": "suspected_death", "text": "另一件事", **once}
        other = await village.ask("POST", "/v1/tips", headers=self.citizen(village), json=body)
        assert (other.status_code, other.json()["code"]) == (409, "report_id_used")
        assert len(await self.tips(village)) == 2

    async def test_what_the_platform_knew_already_earns_nothing(self, village):
        await village.hear(suspected(ANNA))
        await self.report(village)
        answer = await self.post(village, "screening", "screener", accepted=True)
        assert (answer.json()["state"], answer.json()["case_id"]) == ("known_before", None)

    async def test_the_reporter_is_told_and_a_late_answer_can_be_seen(self, village):
        code = await self.report(village)
        assert (await self.status(village, code))["state"] == "received"
        tip = (await self.tips(village))[0]
        assert (tip["screen_by"], tip["tell_by"], tip["told_at"]) == ("2023-11-08", "2023-11-15", None)
        await self.post(village, "screening", "screener", accepted=False)
        assert (await self.status(village, code))["state"] == "dismissed"
        assert (await self.tips(village))[0]["told_at"] is not None

    async def test_the_citys_office_is_told_of_a_tip_nobody_examines_at_each_of_its_deadlines(self, village):
        await self.report(village)
        for days in (8, 1, 7):
            village.clock.move(timedelta(days=days))
            await go_round(village.deps)
        said = await village.said("grid.case.overdue.v1")
        assert [(each["kind"], each["deadline_on"], each["division"]) for each in said] == [
            ("tip", "2023-11-08", None),
            ("tip", "2023-11-15", None),
        ]

    @pytest.mark.parametrize("how", ["told", "nobody asks"])
    async def test_a_reporter_nobody_told_in_time_is_late(self, village, how):
        await self.report(village, name=NAME)
        assert (await self.post(village, "telling", "screener")).json()["code"] == "step_not_possible"
        await self.post(village, "screening", "screener", accepted=False)
        if how == "told":
            assert (await self.post(village, "telling", "screener")).json()["told_at"]
        village.clock.move(timedelta(days=20))
        for _ in range(2):
            await go_round(village.deps)
        said = [each["deadline_on"] for each in await village.said("grid.case.overdue.v1")]
        assert said == ([] if how == "told" else ["2023-11-15"])

    async def test_a_reward_nobody_claims_lapses(self, village):
        code, _ = await self.proved(village, "confirmed_no_overpayment")
        assert (await self.status(village, code))["reward_fen"] == 50_000
        await self.post(village, "approval", "approver")
        village.clock.move(timedelta(days=91))
        await go_round(village.deps)
        assert (await self.status(village, code))["state"] == "reward_expired"
        late = {"claim_code": code, "account": "6222-1"}
        answer = await village.ask("POST", "/v1/tips:claim", headers=self.citizen(village), json=late)
        assert answer.json()["code"] == "step_not_possible"

    async def test_nobody_of_the_village_the_grid_or_a_county_learns_of_a_tip(self, village):
        await self.proved(village)
        member = await village.member_of(VILLAGE + "001")
        wide = ("grid.work", "grid.read", "grid.manage", "me.read")
        callers = {
            "member": village.issuer.headers(*wide, role="grid_worker", user=member),
            "leader": village.issuer.headers(*wide, role="grid_leader", user=member, divisions=[VILLAGE]),
            "cadre": village.issuer.headers(*wide, role="village", user="cadre", divisions=[VILLAGE]),
            "county": village.officer("officer", "341602"),
        }
        tip = (await self.tips(village))[0]["tip_id"]
        for headers in callers.values():
            assert (await village.ask("GET", "/v1/tips", headers=headers)).status_code == 403
            for name in ("screening", "approval", "payment", "reporter:reveal"):
                body = {"accepted": True} if name == "screening" else None
                answer = await village.ask("POST", f"/v1/tips/{tip}/{name}", headers=headers, json=body)
                assert answer.status_code == 403
        for headers in (callers["cadre"], callers["county"]):
            for path in ("/v1/cases", "/v1/tasks"):
                told = (await village.ask("GET", path, headers=headers)).text
                assert "reporter" not in told
                assert NAME not in told
        sealed = (await village.rows("SELECT sealed FROM tips"))[0]["sealed"]
        assert NAME.encode() not in sealed
        assert PHONE.encode() not in sealed
        outbox = await village.rows("SELECT body FROM outbox")
        assert not [row for row in outbox if NAME.encode() in row["body"] or tip.encode() in row["body"]]

    async def test_a_code_nobody_was_given_opens_nothing(self, village):
        assert (await self.status(village, "x" * 20))["code"] == "no_such_tip"
        other = await village.ask("POST", f"/v1/tips/{uuid4()}/approval", headers=village.officer("o"))
        assert other.json()["code"] == "no_such_tip"
