"""Two stories through the service's own handlers and API: a death, to the last fen; and a death that was none."""

from datetime import date, datetime, timedelta
from uuid import UUID

import pytest

from services.recognition.domain.certificates import certificate_id
from services.recognition.jobs import MoneyLoop
from services.recognition.store import certificates, lookups
from services.recognition.store.certificates import Revocation
from shared.contracts.events.grid import CASE_CONCLUDED, CaseConcluded, ConfirmedPerson
from shared.contracts.events.recognition import (
    CERTIFICATE_REVOKED,
    CORRECTION_REQUESTED,
    DEATH_RETRACTED,
    ENROLMENT_RESUMED,
    ENROLMENT_TERMINATED,
    NOTICE_GIVEN,
    OVERPAYMENT_CHANGED,
)
from shared.contracts.vocabulary import Channel, Claim
from tests.services.recognition.rights import Officers, facts, locked, pay, tell
from tests.services.recognition.world import (
    NOW,
    TODAY,
    assessed,
    assessment,
    concluded,
    enrolled,
    enrolment,
    message,
    subject,
)

pytestmark = pytest.mark.db
SHE = subject(1)
CASE = UUID(int=77)


@pytest.fixture
def officers(http, issuer):
    return Officers(http, issuer)


def case(conclusion: str, hours: int = 1, case_id: UUID = CASE):
    said = concluded(SHE, conclusion, hours=hours, case_id=case_id)
    body = said.body.replace(b'"evidence_ids":[]', b'"evidence_ids":[42,43]')
    return message(said.event, body, at=said.happened_at)


async def stopped(world, officers, program: str = "resident_pension"):
    """From a concluded death to the stop; the decision."""
    [proposal] = [each for each in await officers.proposals() if each["program"] == program]
    decision = await officers.decided(proposal["proposal_id"])
    await tell(world, SHE)
    world.deps.clock.move(timedelta(days=31))
    answer = await officers.post(f"/v1/decisions/{decision}:carry-out")
    assert answer.json()["state"] == "effective", answer.text
    return decision


async def paid_in_parts(world, officers, path):
    """The family is asked, agrees on four parts, hears once that the first is due, and pays three of them."""
    asked = (await officers.post(f"{path}:ask-refund")).json()
    assert (asked["state"], asked["refund_due_on"]) == ("notified", "2024-01-13")
    plan = await officers.post(f"{path}:plan", body={"parts": 4, "first_due_on": "2023-12-31"})
    parts = plan.json()["items"]
    assert [part["amount_fen"] for part in parts] == [15_001, 15_001, 15_001, 15_000]
    assert [part["due_on"] for part in parts] == ["2023-12-31", "2024-01-31", "2024-02-29", "2024-03-31"]
    world.deps.clock.move(timedelta(days=19))  # ten days before the first
    assert [await MoneyLoop(world.deps).step() for _ in range(2)] == [True, False]

    for number, part in enumerate(parts[:3]):
        body = {
            "kind": "paid",
            "amount_fen": part["amount_fen"],
            "happened_on": part["due_on"],
            "reference": f"R-{number}",
        }
        for _ in range(2):  # a receipt handed in twice counts once
            assert (await officers.post(f"{path}:recover", body=body)).status_code == 200
    partly = (await officers.get(path)).json()
    assert (partly["state"], partly["left_fen"], len(partly["recoveries"])) == ("notified", 15_000, 3)


async def set_off(officers, path):
    """The last part is set off against the funeral grant, by two officers."""
    rest = {"kind": "offset", "amount_fen": 15_000, "happened_on": "2024-03-31", "reference": "F-1"}
    asked = await officers.post(f"{path}:recover", body={**rest, "against": "funeral_grant"})
    recovery = asked.json()["recovery_id"]
    alone = await officers.post(f"/v1/recoveries/{recovery}:approve")
    assert (alone.status_code, alone.json()["code"]) == (403, "four_eyes")
    assert (await officers.post(f"/v1/recoveries/{recovery}:approve", "officer-2")).json()["state"] == "booked"


async def test_a_death_leads_to_a_stop_and_every_fen_comes_back(world, officers):
    await world.hear(enrolled(enrolment(SHE)), assessed(assessment(SHE)))
    await pay(world, SHE, [date(2023, 8, 1), date(2023, 9, 1), date(2023, 10, 1), date(2023, 11, 1)], 20_001)
    await world.hear(case("confirmed"))  # died on 2023-08-20: August is still paid
    await stopped(world, officers)

    kinds = [each["kind"] for each in await facts(world, NOTICE_GIVEN)]
    assert kinds == ["intended_stop", "terminated"]
    [ended] = await facts(world, ENROLMENT_TERMINATED)
    assert (ended["program"], ended["effective_on"], ended["case_id"]) == ("resident_pension", "2023-09-01", str(CASE))
    assert len(await facts(world, CERTIFICATE_REVOKED)) == 1

    [owed] = (await officers.get("/v1/overpayments")).json()["items"]
    assert (owed["due_fen"], owed["state"]) == (3 * 20_001, "calculated")
    path = f"/v1/overpayments/{owed['overpayment_id']}"
    await paid_in_parts(world, officers, path)
    await set_off(officers, path)
    told = [
        (each["kind"], each["reason"], each["amount_fen"], each["deadline_on"])
        for each in await facts(world, NOTICE_GIVEN)
    ]
    assert told[2:5] == [
        ("refund", "death", 60_003, "2024-01-13"),
        ("plan_agreed", "death", 60_003, "2023-12-31"),
        ("instalment_due", "death", 15_001, "2023-12-31"),
    ]
    assert told[5:] == [("repaid", "repaid_in_part", 15_001, None)] * 3 + [("repaid", "repaid_in_full", 15_000, None)]
    done = (await officers.get(path)).json()
    assert (done["state"], done["left_fen"]) == ("closed", 0)
    assert sum(each["amount_fen"] for each in done["payments"]) == sum(
        each["amount_fen"] for each in done["recoveries"]
    )
    said = await facts(world, OVERPAYMENT_CHANGED)
    assert (said[0]["recovered_fen"], said[0]["closed"]) == (0, False)
    assert (said[-1]["recovered_fen"], said[-1]["due_fen"], said[-1]["closed"]) == (60_003, 60_003, True)
    assert all(each["case_id"] == str(CASE) for each in said)
    async with world.deps.database.read() as tx:
        assert (await lookups.figures(tx, world.deps.clock.today()))["recovered_fen"] == 60_003


async def test_what_is_confirmed_as_paid_after_the_stop_is_gathered_too(world, officers):
    await world.hear(enrolled(enrolment(SHE)), case("confirmed"))
    await stopped(world, officers)
    assert (await officers.get("/v1/overpayments")).json()["items"] == []
    loop = MoneyLoop(world.deps)
    for month in (date(2023, 9, 1), date(2023, 10, 1)):
        await pay(world, SHE, [month])
        while await loop.step():
            pass
    [owed] = (await officers.get("/v1/overpayments")).json()["items"]
    assert owed["due_fen"] == 40_000
    assert [each["due_fen"] for each in await facts(world, OVERPAYMENT_CHANGED)] == [20_000, 40_000]


@pytest.mark.parametrize(
    ("program", "reason", "claimed"),
    [
        ("resident_pension", "imprisonment", 40_000),  # no month of it was due
        ("resident_pension", "detained_acquitted", 20_000),  # September is netted; October is paid back and paid
        ("unemployment", None, 40_000),  # drawn anew after its end
    ],
)
async def test_what_is_confirmed_as_paid_for_a_stop_that_has_ended_is_gathered_too(
    world, officers, program, reason, claimed
):
    found = concluded(SHE, "confirmed", kind="suspected_incarceration")
    await world.hear(enrolled(enrolment(SHE), program=program), found)
    decision = await stopped(world, officers, program)
    await pay(world, SHE, [date(2023, 9, 1)], program=program)
    await MoneyLoop(world.deps).step()
    world.deps.clock.move(timedelta(days=1))
    if reason:
        body = {"reason": reason, "passed_on": "2023-12-02"}
        assert (await officers.post(f"/v1/decisions/{decision}:lift", body=body)).status_code == 200
    else:
        anew = enrolment(SHE, started_on=date(2024, 1, 10))
        await world.hear(enrolled(anew, program=program, received_at=NOW + timedelta(days=70)))
    world.deps.clock.move(timedelta(days=60))
    await pay(world, SHE, [date(2023, 10, 1), date(2024, 1, 1), date(2024, 2, 1)], program=program)
    await MoneyLoop(world.deps).step()
    listed = (await officers.get("/v1/overpayments")).json()["items"]
    assert [each["due_fen"] for each in listed if each["state"] != "cancelled"] == [claimed]


async def test_a_false_death_is_made_good_everywhere_in_one_step(world, officers, http, issuer):
    await world.hear(
        enrolled(enrolment(SHE)),
        enrolled(enrolment(SHE, amount_fen=5_000), program="old_age_allow"),
        enrolled(enrolment(SHE, amount_fen=7_000), program="vet_war"),
        assessed(assessment(SHE)),
        case("confirmed"),
    )
    await pay(world, SHE, [date(2023, 9, 1)])
    first = await stopped(world, officers)
    second = await stopped(world, officers, "old_age_allow")
    operator = issuer.headers("operate")
    assert (await http.get("/v1/figures", headers=operator)).json()["payments_stopped"] == 2
    [third] = [each for each in await officers.proposals() if each["program"] == "vet_war"]
    announced = await officers.decided(third["proposal_id"])

    await world.hear(case("false_death", hours=24 * 80))
    [correction] = await facts(world, CORRECTION_REQUESTED)
    assert (correction["evidence_ids"], correction["reason"]) == ([42, 43], "false_death")
    waiting = (await officers.get("/v1/work")).json()["counts"]
    assert (waiting["reinstate"], waiting["withdraw"]) == (2, 1)

    body = {"reason": "false_death", "passed_on": "2024-01-02"}
    lifted = (await officers.post(f"/v1/decisions/{first}:lift", body=body)).json()
    assert (lifted["paid_again_from"], set(lifted["also"])) == ("2024-02-01", {second, announced})
    assert (await http.get("/v1/figures", headers=operator)).json()["payments_stopped"] == 0
    # September was paid and is not claimed back, so only the four months after it are owed.
    assert lifted["arrears_fen"] == 4 * 20_000
    assert (await officers.get("/v1/overpayments")).json()["items"][0]["state"] == "cancelled"
    assert {row["status"] for row in await world.rows("SELECT status FROM enrolment")} == {"active"}
    assert {each["program"] for each in await facts(world, ENROLMENT_RESUMED)} == {"resident_pension", "old_age_allow"}
    assert await told_after(world) == ["2024-01-02"]
    told = [(each["kind"], each["programs"]) for each in await facts(world, NOTICE_GIVEN)]
    assert told[-1] == ("apology", ["old_age_allow", "resident_pension"])
    assert ("withdrawn", ["vet_war"]) in told
    assert ("arrears", ["old_age_allow"]) in told
    assert len(await facts(world, CORRECTION_REQUESTED)) == 1
    # The officer's word certifies her: she has to prove nothing.
    answer = await http.get("/v1/me", headers=issuer.headers("me.read", role="citizen", user=str(SHE)))
    assert answer.json()["certified"] is True
    assert answer.json()["summary"] == "您无需办理任何手续，有效期至2025年1月31日。"


async def told_after(world):
    """Days on which she was known to live; who lives is told so himself, as that is said before any notice of it."""
    sql = "SELECT seq, convert_from(body, 'UTF8')::jsonb->>'kind' AS kind FROM outbox WHERE subject = ANY ($1) ORDER BY seq"
    said = [row["kind"] for row in await world.rows(sql, [DEATH_RETRACTED.name, NOTICE_GIVEN.name])]
    assert not {"withdrawn", "answered", "resumed", "apology"} & set(said[: said.index(None)])
    return [each["alive_on"] for each in await facts(world, DEATH_RETRACTED)]


async def objected(world, http, issuer, about):
    """She objects to something about the benefit a decision is about; where that is answered."""
    citizen = issuer.headers("me.read", "me.write", role="citizen", user=str(SHE))
    program = (await world.rows("SELECT program FROM decision"))[0]["program"]
    body = {"program": program, "about": about, "said": "请核实"}
    made = (await http.post("/v1/me/objections", json=body, headers=citizen)).json()
    return f"/v1/objections/{made['objection_id']}:answer"


async def test_an_objection_is_upheld_for_what_it_says_and_makes_nobody_alive_by_itself(world, officers, http, issuer):
    await world.hear(enrolled(enrolment(SHE)), case("confirmed", hours=0))
    await officers.decided((await officers.proposals())[0]["proposal_id"])
    upheld = {"upheld": True, "answer": "情况属实"}
    for about, state in (("look", "notice"), ("overpayment", "notice"), ("intended_stop", "withdrawn")):
        path = await objected(world, http, issuer, about)
        if state == "withdrawn":  # against a stop for a death it has to be said whether there was one
            assert (await officers.post(path, "officer-3", upheld)).status_code == 422
            upheld["not_about_death"] = True
        assert (await officers.post(path, "officer-3", upheld)).status_code == 200
        assert (await world.rows("SELECT state FROM decision"))[0]["state"] == state
    assert await facts(world, DEATH_RETRACTED) == []


@pytest.mark.parametrize("how", ["objection", "withdraw", "reject"])
async def test_a_death_that_stopped_nothing_yet_is_none_in_every_program_either(world, officers, http, issuer, how):
    rosters = [enrolled(enrolment(SHE), program=code) for code in ("resident_pension", "old_age_allow")]
    await world.hear(*rosters, case("confirmed", hours=0))
    first = (await officers.proposals())[0]["proposal_id"]
    path, answer = f"/v1/proposals/{first}:reject", {}
    if how != "reject":
        path = f"/v1/decisions/{await officers.decided(first)}:withdraw"
    if how == "objection":
        path = await objected(world, http, issuer, "intended_stop")
        answer = {"upheld": True, "answer": "经视频核实，本人健在"}
    for never in ("2023-08-20", "2099-12-31"):  # whoever was seen that day may have died that night
        assert (await officers.post(path, "officer-3", {**answer, "alive_on": never})).status_code == 422
    assert (await officers.post(path, "officer-3", {**answer, "alive_on": TODAY.isoformat()})).status_code == 200
    [fact] = await facts(world, DEATH_RETRACTED)
    assert (fact["event_on"], fact["alive_on"]) == ("2023-08-20", TODAY.isoformat())
    if how != "reject":
        await told_after(world)
    assert len(await facts(world, CORRECTION_REQUESTED)) == 1
    assert await officers.proposals() == []
    assert {row["status"] for row in await world.rows("SELECT status FROM enrolment")} == {"active"}


async def test_whoever_lives_is_not_stopped_for_his_death_whatever_else_is_suspected_of_him(world, officers):
    rosters = [enrolled(enrolment(SHE), program=code) for code in ("resident_pension", "old_age_allow")]
    jailed = assessment(SHE, decision="suspected", reasons=["suspected_incarceration:probable"])
    await world.hear(*rosters, case("confirmed", hours=-2), assessed(jailed, at=NOW - timedelta(hours=1)))
    lives, other = [await officers.decided(each["proposal_id"]) for each in await officers.proposals()]
    await tell(world, SHE)
    world.deps.clock.move(timedelta(days=31))
    await officers.post(f"/v1/decisions/{lives}:withdraw", body={"alive_on": "2023-11-20"})
    answer = await officers.post(f"/v1/decisions/{other}:carry-out")
    assert (answer.status_code, answer.json()["code"]) == (409, "cleared")


async def test_a_death_without_a_day_is_no_older_than_a_year_when_it_is_proposed(world, officers):
    dayless = CaseConcluded(case_id=CASE, subject=SHE, kind="suspected_death", conclusion="confirmed", event_on=None,
                            concluded_at=NOW, verified_by="w-1", concluded_by="o-1")  # fmt: skip
    await world.hear(enrolled(enrolment(SHE)), message(CASE_CONCLUDED, dayless.model_dump_json().encode()))
    path = f"/v1/proposals/{(await officers.proposals())[0]['proposal_id']}:reject"
    for alive_on, status in (("1900-01-01", 422), ("2022-10-31", 422), ("2022-11-01", 200)):
        assert (await officers.post(path, body={"alive_on": alive_on})).status_code == status
    [fact] = await facts(world, DEATH_RETRACTED)
    assert datetime.fromisoformat(fact["about_at"]) == NOW  # whoever is found dead later is


async def test_giving_up_the_last_stop_for_a_death_that_was_none_answers_no_later_one(world, officers):
    rosters = [enrolled(enrolment(SHE), program=code) for code in ("resident_pension", "old_age_allow")]
    await world.hear(*rosters, case("confirmed", hours=0))
    lives, other = [await officers.decided(each["proposal_id"]) for each in await officers.proposals()]
    world.deps.clock.move(timedelta(days=2))
    body = {"alive_on": (TODAY - timedelta(days=10)).isoformat()}
    assert (await officers.post(f"/v1/decisions/{lives}:withdraw", body=body)).status_code == 200
    died = assessment(SHE, "suspected", reasons=["suspected_death:conclusive"]) | {"as_of": TODAY - timedelta(days=3)}
    await world.hear(assessed(died, at=NOW + timedelta(days=3)))
    world.deps.clock.move(timedelta(days=2))
    assert (await officers.post(f"/v1/decisions/{other}:withdraw")).status_code == 200
    assert await world.rows("SELECT under_review FROM standing") == [{"under_review": True}]


async def test_a_case_found_false_meanwhile_cannot_be_carried_out(world, officers):
    await world.hear(enrolled(enrolment(SHE)), case("confirmed"))
    [proposal] = await officers.proposals()
    decision = await officers.decided(proposal["proposal_id"])
    await tell(world, SHE)
    await world.hear(case("false_death", hours=48))
    world.deps.clock.move(timedelta(days=31))
    answer = await officers.post(f"/v1/decisions/{decision}:carry-out")
    assert (answer.status_code, answer.json()["code"]) == (409, "cleared")
    assert (await world.rows("SELECT status FROM enrolment"))[0]["status"] == "notice_of_intended_stop"


async def test_whoever_lives_is_certified_though_that_days_certificate_was_revoked(world, officers):
    await world.hear(enrolled(enrolment(SHE)), case("confirmed"))
    decision = await stopped(world, officers)
    revoked = certificate_id(SHE, Claim.ALIVE, date(2023, 12, 2), Channel.COUNTER)
    async with world.deps.database.write() as tx:
        made = Revocation(subject=SHE, certificate_id=revoked, reason="wrong_person", revoked_by="officer-1")
        await certificates.revoke(tx, made, world.deps.clock.now())
    body = {"reason": "false_death", "passed_on": "2023-12-02"}
    assert (await officers.post(f"/v1/decisions/{decision}:lift", body=body)).status_code == 200
    [holding] = await world.rows("SELECT certificate_id, as_of FROM holding WHERE subject = $1", SHE)
    assert holding["as_of"] == date(2023, 12, 2)
    assert holding["certificate_id"] != revoked


async def test_refunds_of_a_false_death_come_back_with_the_arrears(world, officers):
    await world.hear(enrolled(enrolment(SHE)), case("confirmed"))
    await pay(world, SHE, [date(2023, 9, 1), date(2023, 10, 1)])
    decision = await stopped(world, officers)
    [owed] = (await officers.get("/v1/overpayments")).json()["items"]
    back = {"kind": "paid", "amount_fen": 12_345, "happened_on": "2023-12-02", "reference": "R-1"}
    await officers.post(f"/v1/overpayments/{owed['overpayment_id']}:recover", body=back)
    body = {"reason": "false_death", "passed_on": "2023-08-20"}
    assert (await officers.post(f"/v1/decisions/{decision}:lift", body=body)).status_code == 422
    body = {"reason": "false_death", "passed_on": "2023-12-02"}
    lifted = (await officers.post(f"/v1/decisions/{decision}:lift", body=body)).json()
    assert lifted["arrears_fen"] == 2 * 20_000 + 12_345  # from November, and what the family had given back
    late = {"kind": "paid", "amount_fen": 1, "happened_on": "2023-12-06", "reference": "R-2"}
    refused = await officers.post(f"/v1/overpayments/{owed['overpayment_id']}:recover", body=late)
    assert refused.status_code == 409


async def test_a_village_s_signed_list_proposes_what_no_case_did_once(world, officers):
    other = subject(2)
    await world.hear(enrolled(enrolment(SHE), enrolment(other)), case("confirmed"))
    people = [
        ConfirmedPerson(subject=SHE, kind="suspected_death", case_id=CASE, event_on=date(2023, 8, 20)),
        ConfirmedPerson(subject=other, kind="suspected_death", case_id=None, event_on=date(2023, 9, 2)),
    ]
    await world.hear(locked(*people), locked(*people))
    listed = await officers.proposals()
    assert {(each["subject"], each["origin"]) for each in listed} == {(str(SHE), "case"), (str(other), "report")}
    assert len(listed) == 2


async def test_of_a_quarter_paid_ahead_only_the_months_after_the_death_are_asked_back(world, officers):
    await world.hear(enrolled(enrolment(SHE, amount_fen=10_000), program="ex_village_doctor"), case("confirmed"))
    await pay(world, SHE, [date(2023, 4, 1), date(2023, 7, 1), date(2023, 10, 1)], 30_000, "ex_village_doctor")
    await stopped(world, officers, "ex_village_doctor")
    [owed] = (await officers.get("/v1/overpayments")).json()["items"]
    detail = (await officers.get(f"/v1/overpayments/{owed['overpayment_id']}")).json()
    # She died in August: September of the third quarter, and all of the fourth.
    assert [(each["month"], each["amount_fen"]) for each in detail["payments"]] == [
        ("2023-07-01", 10_000),
        ("2023-10-01", 30_000),
    ]
    assert owed["due_fen"] == 40_000
