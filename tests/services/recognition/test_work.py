"""What waits for officers, and the whole history of a person for those who may see it."""

from datetime import date, timedelta

import pytest

from services.recognition.jobs import WaitingLoop
from shared.contracts.events.recognition import WORK_WAITING
from tests.services.recognition.rights import GROUNDS, Officers, facts, pay, tell
from tests.services.recognition.world import assessed, assessment, concluded, enrolled, enrolment, subject

pytestmark = pytest.mark.db
SHE = subject(1)
PURPOSE = {"Purpose-Code": "review", "Legal-Basis": "art26", "Case-Ref": "c-1"}


@pytest.fixture
def officers(http, issuer):
    return Officers(http, issuer)


async def work(officers, name: str = "officer-1"):
    return (await officers.get("/v1/work", name)).json()


async def kinds(officers, name: str = "officer-1"):
    return [each["kind"] for each in (await work(officers, name))["items"]]


async def test_the_list_leads_through_a_stop_step_by_step(world, officers):
    await world.hear(enrolled(enrolment(SHE)), concluded(SHE, "confirmed"))
    await pay(world, SHE, [date(2023, 9, 1)])
    assert await kinds(officers) == ["decide"]
    [proposal] = await officers.proposals()
    await officers.post(f"/v1/proposals/{proposal['proposal_id']}:decide", "officer-1", GROUNDS)
    assert (await kinds(officers), await kinds(officers, "officer-2")) == ([], ["confirm"])
    assert (await work(officers))["counts"] == {"confirm": 1}
    confirmed = await officers.post(f"/v1/proposals/{proposal['proposal_id']}:confirm", "officer-2")
    decision = confirmed.json()["decision_id"]
    assert await kinds(officers) == []
    world.deps.clock.move(timedelta(days=31))
    await tell(world, SHE, channels=1)
    assert await kinds(officers) == ["not_told"]
    await tell(world, SHE)
    [item] = (await work(officers))["items"]
    assert (item["kind"], item["id"], item["due_on"]) == ("carry_out", decision, "2023-12-02")
    assert item["next_step"] == "告知期已满，可以执行"
    await officers.post(f"/v1/decisions/{decision}:carry-out")
    [item] = (await work(officers))["items"]
    assert item["kind"] == "ask_refund"


async def test_on_each_working_morning_it_is_said_what_waits_and_nothing_where_nothing_does(world, officers):
    loop = WaitingLoop(world.deps)
    assert await loop.step() == 0  # nothing waits
    await world.hear(enrolled(enrolment(SHE)), concluded(SHE, "confirmed"))
    for hours, said in ((0, 0), (24, 1), (1, 0), (48, 0), (48, 1)):  # Wednesday, Thursday, then Saturday, Monday
        world.deps.clock.move(timedelta(hours=hours))
        assert await loop.step() == said, hours
    told = await facts(world, WORK_WAITING)
    assert [(each["program"], each["counts"]) for each in told] == [("resident_pension", {"decide": 1})] * 2


async def test_the_list_leads_through_a_recovery_step_by_step(world, officers):
    path = await overpaid(world, officers)
    assert await kinds(officers) == ["ask_refund"]
    await officers.post(f"{path}:ask-refund")
    assert await kinds(officers) == []
    world.deps.clock.move(timedelta(days=60))
    assert await kinds(officers) == ["refund_overdue"]
    assert (await officers.post(f"{path}:refer", body={"to": "court"})).json()["state"] == "referred"
    asked = {"kind": "written_off", "amount_fen": 20_000, "happened_on": "2024-01-31", "reference": "W-1"}
    recovery = (await officers.post(f"{path}:recover", body=asked)).json()["recovery_id"]
    assert (await kinds(officers), await kinds(officers, "officer-2")) == ([], ["approve_written_off"])
    assert (await officers.post(f"/v1/recoveries/{recovery}:refuse", "officer-2")).json()["state"] == "refused"
    assert (await officers.get(path)).json()["left_fen"] == 20_000
    looks = await world.rows(
        "SELECT answer FROM usage WHERE action = 'overpayment' AND subject = $1 ORDER BY usage_id", SHE
    )
    assert [row["answer"] for row in looks] == ["seen", "ask-refund", "refer", "recover", "refuse", "seen"]


@pytest.mark.parametrize("announced", [False, True])
async def test_an_objection_made_before_the_decision_counts_against_it(world, officers, http, issuer, announced):
    await world.hear(enrolled(enrolment(SHE)), concluded(SHE, "confirmed", hours=0))
    citizen = issuer.headers("me.read", "me.write", role="citizen", user=str(SHE))
    body = {"program": "resident_pension", "about": "data", "said": "我还活着"}
    made = (await http.post("/v1/me/objections", json=body, headers=citizen)).json()
    path, answer = (
        f"/v1/objections/{made['objection_id']}:answer",
        {"upheld": True, "answer": "属实，您健在", "alive_on": "2023-11-01"},
    )
    proposal = f"/v1/proposals/{(await officers.proposals())[0]['proposal_id']}"
    await officers.post(f"{proposal}:decide", "officer-1", GROUNDS)
    if announced:
        await officers.post(f"{proposal}:confirm", "officer-2")
    for name in ("officer-1", "officer-2")[: 1 + announced]:
        assert (await officers.post(path, name, answer)).json()["code"] == "four_eyes"
    assert (await officers.post(path, "officer-3", answer)).status_code == 200
    assert (await world.rows("SELECT state FROM proposal"))[0]["state"] == ("confirmed" if announced else "rejected")
    assert [row["state"] for row in await world.rows("SELECT state FROM decision")] == ["withdrawn"] * announced
    assert await world.rows("SELECT status, decision_owed FROM enrolment") == [
        {"status": "active", "decision_owed": False}
    ]


async def test_an_objection_about_something_else_leaves_what_people_found_to_be_decided(world, officers, http, issuer):
    await world.hear(enrolled(enrolment(SHE)), concluded(SHE, "confirmed", kind="suspected_incarceration", hours=0))
    body = {"program": "resident_pension", "about": "other", "said": "电话号码错了"}
    citizen = issuer.headers("me.write", role="citizen", user=str(SHE))
    made = (await http.post("/v1/me/objections", json=body, headers=citizen)).json()
    answer = {"upheld": True, "answer": "已更正"}
    assert (await officers.post(f"/v1/objections/{made['objection_id']}:answer", body=answer)).status_code == 200
    assert await kinds(officers) == ["decide"]
    decision = await officers.decided((await officers.proposals())[0]["proposal_id"])
    made = (await http.post("/v1/me/objections", json={**body, "about": "data"}, headers=citizen)).json()
    path = f"/v1/objections/{made['objection_id']}:answer"
    assert (await officers.post(path, "officer-3", answer)).status_code == 200
    await tell(world, SHE)
    world.deps.clock.move(timedelta(days=31))
    assert await kinds(officers) == ["carry_out"]
    await officers.post(f"/v1/decisions/{decision}:carry-out")
    assert await kinds(officers) == []


async def test_an_objection_upheld_against_a_stop_in_effect_leads_to_its_lifting(world, officers, http, issuer):
    await overpaid(world, officers)
    citizen = issuer.headers("me.read", "me.write", role="citizen", user=str(SHE))
    body = {"program": "resident_pension", "about": "stop", "said": "我还活着"}
    made = (await http.post("/v1/me/objections", json=body, headers=citizen)).json()
    path, answer = f"/v1/objections/{made['objection_id']}:answer", {"upheld": True, "answer": "经视频核实，本人健在"}
    assert (await officers.post(path, "officer-3", answer)).status_code == 200
    assert await kinds(officers) == ["reinstate", "ask_refund"]
    [first, _] = (await officers.get("/v1/work")).json()["items"]
    assert first["next_step"].endswith("：本人健在的，自停发首月起全部补发")


async def test_deadlines_come_first_then_the_oldest(world, officers, http, issuer):
    for number in range(3):
        await world.hear(
            enrolled(enrolment(subject(number))), concluded(subject(number), "confirmed", hours=3 - number)
        )
    citizen = issuer.headers("me.read", "me.write", role="citizen", user=str(subject(0)))
    body = {"program": "resident_pension", "about": "data", "said": "有疑问"}
    assert (await http.post("/v1/me/objections", json=body, headers=citizen)).status_code == 201
    items = (await work(officers))["items"]
    assert [each["kind"] for each in items] == ["answer_objection", "decide", "decide", "decide"]
    assert [each["subject"] for each in items[1:]] == [str(subject(number)) for number in (2, 1, 0)]


async def test_another_departments_work_is_not_in_it(world, http, issuer):
    await world.hear(enrolled(enrolment(SHE)), concluded(SHE, "confirmed"))
    others = Officers(http, issuer, programs=["dibao"])
    assert await work(others) == {"items": [], "counts": {}}


@pytest.mark.parametrize(
    ("amount", "status"), [(20_001, 409), (0, 422), (-5, 422), (20_000, 200)], ids=["more", "none", "negative", "all"]
)
async def test_nothing_is_booked_that_is_not_owed(world, officers, amount, status):
    path = await overpaid(world, officers)
    body = {"kind": "paid", "amount_fen": amount, "happened_on": "2023-12-05", "reference": "R-1"}
    assert (await officers.post(f"{path}:recover", body=body)).status_code == status
    assert (await officers.get(path)).json()["left_fen"] == (0 if status == 200 else 20_000)


async def test_one_receipt_stands_for_one_amount(world, officers):
    path = await overpaid(world, officers)
    body = {"kind": "paid", "amount_fen": 5_000, "happened_on": "2023-12-05", "reference": "R-1"}
    first = (await officers.post(f"{path}:recover", body=body)).json()
    assert (await officers.post(f"{path}:recover", body=body)).json() == first
    other = await officers.post(f"{path}:recover", body={**body, "amount_fen": 6_000})
    assert (other.status_code, other.json()["code"]) == (409, "reference_taken")
    assert (await officers.get(path)).json()["left_fen"] == 15_000


async def test_two_proposals_for_the_same_rest_cannot_both_be_approved(world, officers):
    path = await overpaid(world, officers)
    ids = []
    for number in range(2):
        body = {"kind": "written_off", "amount_fen": 15_000, "happened_on": "2023-12-05", "reference": f"W-{number}"}
        ids.append((await officers.post(f"{path}:recover", body=body)).json()["recovery_id"])
    assert (await officers.post(f"/v1/recoveries/{ids[0]}:approve", "officer-2")).status_code == 200
    second = await officers.post(f"/v1/recoveries/{ids[1]}:approve", "officer-2")
    assert (second.status_code, second.json()["code"]) == (409, "amount")
    assert (await officers.get(path)).json()["left_fen"] == 5_000


async def overpaid(world, officers) -> str:
    await world.hear(enrolled(enrolment(SHE)), concluded(SHE, "confirmed"))
    await pay(world, SHE, [date(2023, 9, 1)])
    [proposal] = await officers.proposals()
    decision = await officers.decided(proposal["proposal_id"])
    await tell(world, SHE)
    world.deps.clock.move(timedelta(days=31))
    await officers.post(f"/v1/decisions/{decision}:carry-out")
    [owed] = (await officers.get("/v1/overpayments")).json()["items"]
    return f"/v1/overpayments/{owed['overpayment_id']}"


@pytest.fixture
def history(http, issuer):
    async def ask(body, *, role: str = "officer", scope: str = "recognition.manage", headers=None, **options):
        token = issuer.headers(scope, role=role, **{"programs": ["*"], "user": "officer-1", **options})
        return await http.post("/v1/people:history", json=body, headers={**token, **(headers or PURPOSE)})

    return ask


async def test_an_officer_sees_his_programs_and_the_look_is_logged_first(world, officers, history):
    await overpaid(world, officers)
    await world.hear(enrolled(enrolment(SHE), program="old_age_allow"), assessed(assessment(SHE)))
    said = (await history({"subject": str(SHE)}, programs=["resident_pension"])).json()
    assert {each["program"] for each in said["enrolments"]} == {"resident_pension"}
    assert len(said["certificates"]) == 1
    assert len(said["findings"]) == 1
    assert [each["state"] for each in said["decisions"]] == ["effective"]
    stop = next(each for each in said["notices"] if each["kind"] == "intended_stop")
    assert {each["outcome"] for each in stop["attempts"]} == {"delivered", "failed"}
    assert [each["amount_fen"] for each in said["payments"]] == [20_000]
    assert said["overpayments"][0]["left_fen"] == 20_000
    assert said["looks"] is None
    [row] = await world.rows("SELECT * FROM usage WHERE action = 'history'")
    assert (row["subject"], row["purpose"], row["case_ref"], row["user_ref"]) == (SHE, "review", "c-1", "officer-1")


async def test_an_auditor_sees_everything_and_who_looked(world, officers, history):
    await overpaid(world, officers)
    await history({"subject": str(SHE)})
    said = (await history({"subject": str(SHE)}, role="auditor", scope="audit.read", user="auditor-1")).json()
    # The lists the officer worked by showed her too, and so did the answer to each of his steps.
    assert [(each["user_ref"], each["action"], each["answer"]) for each in said["looks"]] == [
        ("auditor-1", "history", "history"),
        ("officer-1", "history", "history"),
        ("officer-1", "overpayment", "seen"),
        ("officer-1", "decision", "carry-out"),
        ("officer-2", "proposal", "confirm"),
        ("officer-1", "proposal", "decide"),
        ("officer-1", "proposal", "seen"),
    ]


async def test_a_person_of_no_program_of_his_is_not_there_and_the_try_is_logged(world, history):
    await world.hear(enrolled(enrolment(SHE)))
    answer = await history({"subject": str(SHE)}, programs=["dibao"])
    assert answer.status_code == 404
    assert [row["answer"] for row in await world.rows("SELECT answer FROM usage")] == ["denied:not_found"]


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"role": "partner"}, 403),
        ({"role": "citizen"}, 403),
        ({"role": "operator", "scope": "audit.read"}, 403),
        ({"headers": {"Purpose-Code": "review"}}, 422),
    ],
)
async def test_nobody_else_and_nobody_without_a_purpose(world, history, options, status):
    await world.hear(enrolled(enrolment(SHE)))
    assert (await history({"subject": str(SHE)}, **options)).status_code == status
    if status == 403:
        assert [row["answer"] for row in await world.rows("SELECT answer FROM usage")] == ["denied:forbidden"]


@pytest.mark.parametrize("body", [{}, {"subject": str(SHE), "citizen_id": "341602195005051227"}])
async def test_exactly_one_way_of_naming_a_person(history, body):
    assert (await history(body)).status_code == 422


async def test_an_id_that_is_none_is_not_echoed(world, history):
    answer = await history({"citizen_id": "341602195005051220"})
    assert answer.status_code == 422
    assert "341602195005051220" not in answer.text
    assert [row["answer"] for row in await world.rows("SELECT answer FROM usage")] == ["denied:malformed"]
