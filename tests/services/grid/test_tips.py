"""Tips: two people look, reporters stay hidden, the first one of a proved tip is owed."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.grid.jobs.upkeep import go_round
from shared.contracts.events.recognition import (
    ENROLMENT_SUSPENDED,
    ENROLMENT_TERMINATED,
    OVERPAYMENT_CHANGED,
    OverpaymentChanged,
)
from shared.kit.bus import Message
from tests.services.grid.test_casework import FOUND_DEAD, knock, step
from tests.services.grid.test_reasons import decided
from tests.services.grid.town import NOW, VILLAGE, Town, enrolled, fact, roll_csv, subject, suspected

ANNA = subject(1)
NAME, PHONE = "举报人甲", "13800001111"


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
        ended = decided(ENROLMENT_TERMINATED, ANNA, case_id=case)
        await village.hear(recovered(case, 1, overpayment=6, closed=False), ended)
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

    async def test_the_sum_waits_for_what_is_decided_of_each_benefit_as_long_as_that_is_due(self, village):
        await village.hear(enrolled(ANNA, program="old_age_allow"))
        _, case = await self.proved(village)
        await village.hear(decided(ENROLMENT_TERMINATED, ANNA, case_id=case))
        assert (await self.post(village, "approval", "approver")).json()["code"] == "step_not_possible"
        village.clock.move(timedelta(days=61))
        assert (await self.post(village, "approval", "approver")).json()["reward_fen"] == 50_000

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
