"""The officer's API: two people, a notice, a stop, and the way back."""

from datetime import date, timedelta

import pytest

from services.recognition.jobs import MoneyLoop
from shared.contracts.events import CERTIFICATE_REVOKED, CERTIFICATES_ISSUED, NOTICE_GIVEN
from tests.services.recognition.rights import facts, pay, stop_verified, tell
from tests.services.recognition.world import NOW, WHY, assessed, assessment, concluded, enrolled, enrolment, subject

pytestmark = pytest.mark.db
SHE = subject(1)


@pytest.fixture
def officer(issuer):
    def headers(name: str = "officer-1", programs=("resident_pension",), role: str = "officer"):
        return issuer.headers("recognition.manage", role=role, programs=programs, user=name)

    return headers


async def proposed(world, http, officer, *, kind: str = "suspected_death", program: str = "resident_pension"):
    await world.hear(enrolled(enrolment(SHE), program=program), concluded(SHE, "confirmed", kind=kind))
    listed = await http.get("/v1/proposals", headers=officer(programs=["*"]))
    return listed.json()["items"][0]["proposal_id"]


async def decide(http, officer, proposal, name: str = "officer-1", **changes):
    body = {"grounds": "死亡证明已核对", **changes}
    return await http.post(f"/v1/proposals/{proposal}:decide", json=body, headers=officer(name))


async def confirm(http, officer, proposal, name: str = "officer-2"):
    return await http.post(f"/v1/proposals/{proposal}:confirm", headers=officer(name))


async def stopped(world, http, officer, *found, **changes):
    await world.hear(enrolled(enrolment(SHE)), *(found or [concluded(SHE, "confirmed")]))
    [proposal] = (await http.get("/v1/proposals", headers=officer())).json()["items"]
    proposal = proposal["proposal_id"]
    await decide(http, officer, proposal, **changes)
    decision = (await confirm(http, officer, proposal)).json()["decision_id"]
    world.deps.clock.move(timedelta(days=31))
    await tell(world, SHE)
    answer = await http.post(f"/v1/decisions/{decision}:carry-out", headers=officer())
    assert answer.status_code == 200
    return decision


async def test_what_an_officer_sends_again_under_its_key_has_one_effect_and_no_other_officer_gets_his_answer(
    world, http, officer
):
    proposal = await proposed(world, http, officer)
    await decide(http, officer, proposal)
    path, key = f"/v1/proposals/{proposal}:confirm", {"Idempotency-Key": "confirm-0001"}
    first, again = [await http.post(path, headers=officer("officer-2") | key) for _ in range(2)]
    assert (first.status_code, first.json()) == (200, again.json())
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (await http.post(path, headers=officer("officer-3") | key)).status_code == 409
    other = await http.post(f"/v1/proposals/{proposal}:reject", headers=officer("officer-2") | key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert len(await world.rows("SELECT FROM decision")) == 1


async def status(world):
    return (await world.rows("SELECT status FROM enrolment"))[0]["status"]


async def test_two_officers_and_a_notice_lead_to_a_stop(world, http, officer):
    proposal = await proposed(world, http, officer)
    assert (
        await decide(http, officer, proposal, stops_from="2023-08-01")
    ).status_code == 422  # the month of death is due
    assert (await decide(http, officer, proposal)).json()["state"] == "decided"
    assert await status(world) == "active"
    confirmed = (await confirm(http, officer, proposal)).json()
    assert (confirmed["state"], confirmed["notice_until"], confirmed["stops_from"]) == (
        "notice",
        "2023-12-01",
        "2023-09-01",
    )
    assert await status(world) == "notice_of_intended_stop"
    early = await http.post(f"/v1/decisions/{confirmed['decision_id']}:carry-out", headers=officer())
    assert (early.status_code, early.json()["code"]) == (409, "notice_runs")
    world.deps.clock.move(timedelta(days=31))
    untold = await http.post(f"/v1/decisions/{confirmed['decision_id']}:carry-out", headers=officer())
    assert (untold.status_code, untold.json()["code"]) == (409, "not_told")
    await tell(world, SHE)
    late = await http.post(f"/v1/decisions/{confirmed['decision_id']}:carry-out", headers=officer())
    assert late.json()["state"] == "effective"
    assert await status(world) == "terminated"


async def test_an_id_number_in_the_grounds_is_not_kept(world, http, officer):
    proposal = await proposed(world, http, officer)
    said = await decide(http, officer, proposal, grounds="死亡证明 341602195005051227 已核对")
    assert "341602195005051227" not in said.text
    assert "已核对" in said.json()["grounds"]


async def test_one_officer_alone_stops_nobody(world, http, officer):
    proposal = await proposed(world, http, officer)
    assert (await confirm(http, officer, proposal)).status_code == 409
    await decide(http, officer, proposal, "officer-1")
    alone = await confirm(http, officer, proposal, "officer-1")
    assert (alone.status_code, alone.json()["code"]) == (403, "four_eyes")
    assert await status(world) == "active"


@pytest.mark.parametrize("path", ["decide", "confirm", "reject"])
async def test_another_departments_proposal_is_not_there(world, http, officer, path):
    proposal = await proposed(world, http, officer)
    answer = await http.post(
        f"/v1/proposals/{proposal}:{path}", json={"grounds": "说明"}, headers=officer(programs=["dibao"])
    )
    assert answer.status_code in {404, 422}
    assert (await http.get("/v1/proposals", headers=officer(programs=["dibao"]))).json()["items"] == []
    assert await status(world) == "active"


@pytest.mark.parametrize(("division", "seen"), [("341602", True), ("341621", False)])
async def test_an_officer_of_a_county_has_to_do_with_its_people_alone(world, http, issuer, officer, division, seen):
    proposal = await proposed(world, http, officer)
    await world.hear(enrolled(enrolment(SHE, division="341621001001"), program="farmland"))  # another department's
    his = WHY | issuer.headers("recognition.manage", role="officer", user="officer-1", divisions=[division],
                               programs=["resident_pension"])  # fmt: skip
    lists = ["proposals", "work", "certification-cycles/people?program=resident_pension&state=suspected"]
    for path in (*lists, "objections", "overpayments", "graces"):
        answer = await http.get(f"/v1/{path}", headers=his)
        assert answer.status_code == 200
        assert bool(answer.json()["items"]) == (seen and path in lists)
    assert (await http.get("/v1/work", headers=his)).json()["counts"] == ({"decide": 1} if seen else {})
    counts = issuer.headers("recognition.check", divisions=[division], programs=["resident_pension"])
    counted = (await http.get("/v1/certification-cycles?program=resident_pension", headers=counts)).json()["people"]
    assert sum(counted.values()) == seen
    history = await http.post("/v1/people:history", json={"subject": str(SHE)}, headers=his)
    one = await http.get(f"/v1/proposals/{proposal}", headers=his)
    assert {history.status_code, one.status_code} == {200 if seen else 404}


@pytest.mark.parametrize("path", ["decide", "confirm", "reject"])
async def test_a_client_without_a_named_person_behind_it_decides_nothing(world, http, officer, path):
    proposal = await proposed(world, http, officer)
    if path == "confirm":
        await decide(http, officer, proposal)
    answer = await http.post(
        f"/v1/proposals/{proposal}:{path}", json={"grounds": "说明说明"}, headers=officer("test-client")
    )
    assert answer.status_code == 403
    assert "named person" in answer.json()["detail"]


@pytest.mark.parametrize("role", ["partner", "operator", "service", "citizen"])
async def test_only_officers_decide(world, http, officer, role):
    proposal = await proposed(world, http, officer)
    answer = await http.post(
        f"/v1/proposals/{proposal}:decide", json={"grounds": "说明说明"}, headers=officer(role=role)
    )
    assert answer.status_code == 403


async def test_a_rejected_proposal_ends_the_review(world, http, officer):
    proposal = await proposed(world, http, officer)
    await world.hear(assessed(assessment(SHE)))
    assert await world.said(CERTIFICATES_ISSUED) == []
    why = {"grounds": "致电 341602195005051227 本人接听", "not_about_death": True}
    answer = (await http.post(f"/v1/proposals/{proposal}:reject", json=why, headers=officer())).json()
    assert (answer["state"], answer["rejected_by"]) == ("rejected", "officer-1")
    assert answer["rejected_for"].endswith("本人接听")
    assert "341602195005051227" not in answer["rejected_for"]
    assert (await decide(http, officer, proposal)).status_code == 409


async def test_an_answer_within_the_notice_gives_the_stop_up(world, http, officer):
    proposal = await proposed(world, http, officer)
    await decide(http, officer, proposal)
    decision = (await confirm(http, officer, proposal)).json()["decision_id"]
    word = {"not_about_death": True}
    given_up = await http.post(f"/v1/decisions/{decision}:withdraw", json=word, headers=officer())
    assert given_up.json()["state"] == "withdrawn"
    assert await status(world) == "active"


async def test_a_stop_for_a_death_revokes_what_certifies_life_after_it(world, http, officer):
    await world.hear(
        assessed(assessment(SHE, as_of=date(2023, 9, 10))), assessed(assessment(SHE, as_of=date(2023, 8, 1)))
    )
    await stopped(world, http, officer)
    revoked = await world.rows("SELECT c.as_of FROM revocation r JOIN certificate c USING (subject, certificate_id)")
    assert revoked == [{"as_of": date(2023, 9, 10)}]
    assert await world.rows("SELECT as_of FROM holding") == [{"as_of": date(2023, 8, 1)}]
    said = await world.rows("SELECT 1 FROM outbox WHERE subject = $1", CERTIFICATE_REVOKED.name)
    assert len(said) == 1


async def test_a_revoked_certificate_does_not_come_back_by_a_redelivery(world, http, officer):
    late = assessed(assessment(SHE, as_of=date(2023, 9, 10)))
    await world.hear(late)
    await stopped(world, http, officer)
    await world.hear(late)
    assert await world.rows("SELECT 1 FROM holding") == []


async def test_a_false_death_is_reinstated_in_one_step_with_all_arrears(world, http, officer):
    decision = await stopped(world, http, officer)
    body = {"reason": "false_death", "passed_on": "2023-12-02"}
    lifted = (await http.post(f"/v1/decisions/{decision}:lift", json=body, headers=officer())).json()
    assert (lifted["paid_again_from"], lifted["arrears_fen"]) == ("2024-01-01", 4 * 20_000)
    assert await status(world) == "active"


async def test_a_termination_is_lifted_for_a_false_reason_only(world, http, officer):
    decision = await stopped(world, http, officer)
    body = {"reason": "overdue", "passed_on": "2023-12-05"}
    assert (await http.post(f"/v1/decisions/{decision}:lift", json=body, headers=officer())).status_code == 409
    assert await status(world) == "terminated"


@pytest.mark.parametrize(
    ("found", "reason", "requested_on", "arrears"),
    [
        (concluded(SHE, "confirmed", kind="suspected_incarceration"), "imprisonment", None, 20_000),  # May was paid on
        (concluded(SHE, "confirmed", kind="suspected_incarceration"), "imprisonment", "2024-05-02", 20_000),
        (concluded(SHE, "confirmed", kind="suspected_incarceration"), "detained_acquitted", None, 10 * 20_000),
        (concluded(SHE, "confirmed", kind="suspected_missing"), "missing_returned", None, 20_000 * 2 + 22_000 + 24_000),
        (stop_verified(SHE), "own_request", None, 0),
        (stop_verified(SHE), "own_request", "2024-05-20", 20_000),  # and May, which was paid on
    ],
)
async def test_the_reason_decides_what_is_paid_back(world, http, officer, found, reason, requested_on, arrears):  # noqa: PLR0917
    decision = await stopped(world, http, officer, found)
    assert await status(world) == "suspended"
    world.deps.clock.move(timedelta(days=183))
    for days, fen in ((183, 22_000), (213, 24_000)):  # in May and in June
        await world.hear(enrolled(enrolment(SHE, amount_fen=fen), received_at=NOW + timedelta(days=days)))
    paid_on = (reason, requested_on) in {("own_request", "2024-05-20"), ("imprisonment", None)}
    if paid_on:  # all the same: in a month that was not due, and in one that was after all
        await pay(world, SHE, [date(2023, 12, 1), date(2024, 5, 1)])
        await MoneyLoop(world.deps).step()
    body = {"reason": reason, "passed_on": "2024-04-20", "requested_on": requested_on}  # and every run until June stops
    lifted = (await http.post(f"/v1/decisions/{decision}:lift", json=body, headers=officer())).json()
    assert (lifted["paid_again_from"], lifted["arrears_fen"]) == ("2024-07-01", arrears)
    owed = (await http.get("/v1/overpayments", headers=officer())).json()["items"]
    assert [(each["state"], each["due_fen"]) for each in owed] == [("calculated", 20_000)] * paid_on
    assert await status(world) == "active"


@pytest.mark.parametrize(
    ("program", "effect", "told"), [("farmland", "change_payee", "payee_change"), ("dibao", "reduce", "reduced")]
)
async def test_what_changes_payee_or_amount_stops_nobody_and_is_told(world, http, officer, program, effect, told):
    proposal = await proposed(world, http, officer, program=program)
    both = [officer(name, programs=[program]) for name in ("officer-1", "officer-2")]
    await http.post(f"/v1/proposals/{proposal}:decide", json={"grounds": "户主去世"}, headers=both[0])
    assert await facts(world, NOTICE_GIVEN) == []
    confirmed = (await http.post(f"/v1/proposals/{proposal}:confirm", headers=both[1])).json()
    assert (confirmed["effect"], confirmed["state"]) == (effect, "effective")
    assert await status(world) == "active"
    (notice,) = await facts(world, NOTICE_GIVEN)
    assert (notice["kind"], notice["programs"], notice["decision_id"]) == (told, [program], confirmed["decision_id"])
    assert await world.rows("SELECT kind FROM notice") == [{"kind": told}]
    [event] = await world.rows("SELECT kind, about FROM partner_event WHERE program = $1", program)
    assert (event["kind"], str(event["about"])) == ("enrolment.changed", confirmed["decision_id"])


async def test_an_officer_may_find_another_event_of_the_rule_in_what_people_found(world, http, officer):
    proposal, his = await proposed(world, http, officer, program="dibao"), officer(programs=["dibao"])
    body = {"grounds": "户内只有其一人", "reason": "adulthood"}
    assert (await http.post(f"/v1/proposals/{proposal}:decide", json=body, headers=his)).status_code == 422
    body["reason"] = "household_extinct"
    said = (await http.post(f"/v1/proposals/{proposal}:decide", json=body, headers=his)).json()
    assert (said["reason"], said["effect"], said["stops_from"]) == ("household_extinct", "terminate", "2023-09-01")


async def test_proposals_come_in_pages(world, http, officer):
    for number in range(3):
        await world.hear(enrolled(enrolment(subject(number))), concluded(subject(number), "confirmed"))
    first = (await http.get("/v1/proposals?limit=2", headers=officer())).json()
    rest = (await http.get(f"/v1/proposals?limit=2&after={first['next']}", headers=officer())).json()
    assert len(first["items"]) == 2
    assert (len(rest["items"]), rest["next"]) == (1, None)


async def test_the_schema_refuses_one_person_alone(world, http, officer):
    proposal = await proposed(world, http, officer)
    await decide(http, officer, proposal)
    await confirm(http, officer, proposal)
    with pytest.raises(Exception, match="four_eyes"):
        async with world.deps.database.write() as tx:
            await tx.run("UPDATE decision SET confirmed_by = decided_by")


async def test_a_decision_on_one_enrolment_stops_no_other(world, http, officer):
    decision = await stopped(world, http, officer)
    await world.hear(enrolled(enrolment(SHE), program="old_age_allow"))
    with pytest.raises(Exception, match="fk_enrolment_decision"):
        async with world.deps.database.write() as tx:
            await tx.run(
                "UPDATE enrolment SET status = 'suspended', decision_id = $1::text::uuid WHERE program = $2",
                decision,
                "old_age_allow",
            )
