"""Two stops of one benefit: the second is announced over the first, waits for it, or takes its place."""

from datetime import date, timedelta

import pytest

from services.recognition.domain.programs import EndingEvent
from services.recognition.jobs import MoneyLoop
from services.recognition.store import lookups
from shared.contracts.events.recognition import NOTICE_GIVEN
from tests.services.recognition.rights import GROUNDS, Officers, facts, stop_verified, tell
from tests.services.recognition.test_owed import carry_out, lift, proposal
from tests.services.recognition.world import (
    DIVISION,
    NOW,
    assessed,
    assessment,
    concluded,
    enrolled,
    enrolment,
    subject,
)

pytestmark = pytest.mark.db
SHE = subject(1)
PROGRAM = "resident_pension"


@pytest.fixture
def officers(http, issuer):
    return Officers(http, issuer)


async def enrolment_of(world):
    [row] = await world.rows("SELECT status, decision_id::text FROM enrolment")
    return row["status"], row["decision_id"]


@pytest.mark.parametrize(("verb", "status"), [("withdraw", "active"), ("carry-out", "terminated")])
async def test_an_end_announced_over_a_suspension_outlives_it(world, http, issuer, officers, verb, status):
    await world.hear(enrolled(enrolment(SHE)), concluded(SHE, "confirmed", kind="suspected_incarceration"))
    first = await carry_out(world, officers, SHE, PROGRAM)
    await world.hear(concluded(SHE, "confirmed"))
    second = await officers.decided(await proposal(officers, PROGRAM))
    me = (await http.get("/v1/me", headers=issuer.headers("me.read", role="citizen", user=str(SHE)))).json()
    assert (me["benefits"][0]["standing"], me["benefits"][0]["answer_by"]) == ("stop_intended", "2024-01-01")
    assert me["benefits"][0]["sentence"].startswith("城乡居民基本养老金：目前已暂停发放，现拟从2023年9月起停止发放")
    assert await enrolment_of(world) == ("suspended", first)
    assert (await lift(officers, first, "imprisonment", "2023-12-02")).status_code == 200
    assert await enrolment_of(world) == ("notice_of_intended_stop", second)
    await tell(world, SHE)
    world.deps.clock.move(timedelta(days=31))
    assert (await officers.post(f"/v1/decisions/{second}:{verb}", body={"not_about_death": True})).status_code == 200
    assert (await enrolment_of(world))[0] == status


@pytest.mark.parametrize("announced", [True, False])
async def test_nothing_is_paid_back_to_whom_people_hold_for_dead(world, officers, announced):
    await world.hear(enrolled(enrolment(SHE)), concluded(SHE, "confirmed", kind="suspected_missing"))
    first = await carry_out(world, officers, SHE, PROGRAM)
    await world.hear(concluded(SHE, "confirmed"))
    path = f"/v1/proposals/{(death := await proposal(officers, PROGRAM))}:reject"
    if announced:
        path = f"/v1/decisions/{await officers.decided(death)}:withdraw"
    world.deps.clock.move(timedelta(days=150))  # missing from March, dead in August
    back = world.deps.clock.today().isoformat()
    lifted = (await lift(officers, first, "missing_returned", back)).json()
    assert (lifted["owed_from"], lifted["arrears_fen"], lifted["withheld_fen"]) == ("2024-03-01", 0, 2 * 20_000)
    await MoneyLoop(world.deps).step()
    assert (await officers.post(path, body={"alive_on": back})).status_code == 200
    await MoneyLoop(world.deps).step()
    told = [(each["kind"], each["amount_fen"]) for each in await facts(world, NOTICE_GIVEN)]
    assert [fen for kind, fen in told if kind == "arrears"] == [2 * 20_000]


@pytest.mark.parametrize(("about", "announced"), [("data", True), ("intended_stop", False)])
async def test_an_objection_upheld_takes_back_the_end_found_over_a_suspension(
    world, http, issuer, officers, about, announced
):
    await world.hear(enrolled(enrolment(SHE)), concluded(SHE, "confirmed", kind="suspected_incarceration"))
    await carry_out(world, officers, SHE, PROGRAM)
    await world.hear(concluded(SHE, "confirmed"))
    body = {"program": PROGRAM, "about": about, "said": "我还活着"}
    she = issuer.headers("me.write", role="citizen", user=str(SHE))
    made = (await http.post("/v1/me/objections", json=body, headers=she)).json()
    path, death = f"/v1/objections/{made['objection_id']}:answer", await proposal(officers, PROGRAM)
    await (officers.decided(death) if announced else officers.post(f"/v1/proposals/{death}:decide", body=GROUNDS))
    answer = {"upheld": True, "answer": "您健在", "alive_on": "2023-12-02"}
    assert (await officers.post(path, body=answer)).json()["code"] == "four_eyes"
    assert (await officers.post(path, "officer-3", answer)).status_code == 200
    assert [each["status"] for each in await world.rows("SELECT status FROM enrolment")] == ["suspended"]
    assert (await officers.get("/v1/work")).json()["counts"] == {}


async def test_a_second_suspension_is_announced_to_nobody_who_is_suspended(world, officers):
    prison = stop_verified(SHE, reason=EndingEvent.IMPRISONMENT, relation="child", event_on=date(2023, 11, 1))
    await world.hear(enrolled(enrolment(SHE)), stop_verified(SHE))
    first = await carry_out(world, officers, SHE, PROGRAM)
    await world.hear(prison)
    second = f"/v1/proposals/{await proposal(officers, PROGRAM)}"
    assert (await officers.get("/v1/work")).json()["counts"] == {}
    await officers.post(f"{second}:decide", body={"grounds": "判决书已核对"})
    assert (await officers.post(f"{second}:confirm", "officer-2")).status_code == 409
    await lift(officers, first, "own_request", "2023-12-02")
    assert (await officers.get("/v1/work")).json()["counts"] == {"confirm": 1}
    assert (await officers.post(f"{second}:confirm", "officer-2")).status_code == 200


async def test_a_false_death_is_lifted_by_nobody_whose_divisions_do_not_lead_there(world, http, officers):
    rosters = (("resident_pension", DIVISION), ("old_age_allow", "341623001001"))
    await world.hear(*(enrolled(enrolment(SHE, division=where), program=code) for code, where in rosters))
    await world.hear(concluded(SHE, "confirmed"))
    await officers.decided(await proposal(officers, "old_age_allow"))
    decision = await carry_out(world, officers, SHE, "resident_pension")
    lives = {"reason": "false_death", "passed_on": "2023-12-02"}
    his = officers.headers(divisions=[DIVISION[:6]])
    assert (await http.post(f"/v1/decisions/{decision}:lift", json=lives, headers=his)).json()["also"] == []
    rows = await world.rows("SELECT status FROM enrolment ORDER BY program")
    assert [row["status"] for row in rows] == ["notice_of_intended_stop", "active"]


async def test_a_suspended_person_found_dead_loses_the_benefit(world, officers):
    await world.hear(
        enrolled(enrolment(SHE)), concluded(SHE, "confirmed", kind="suspected_incarceration"), assessed(assessment(SHE))
    )
    await carry_out(world, officers, SHE, "resident_pension")
    await world.hear(concluded(SHE, "confirmed"))
    assert [each["reason"] for each in await officers.proposals()] == ["death"]
    await carry_out(world, officers, SHE, "resident_pension")
    assert (await world.rows("SELECT status FROM enrolment"))[0]["status"] == "terminated"
    assert len(await world.rows("SELECT 1 FROM revocation")) == 1
    async with world.deps.database.read() as tx:
        assert (await lookups.figures(tx, NOW.date()))["payments_stopped"] == 1
