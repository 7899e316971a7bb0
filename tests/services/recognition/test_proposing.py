"""Proposals beside those of cases: double receipt, lateness, requests people verified, villages' lists."""

from datetime import date, timedelta
from uuid import uuid4

import pytest

from services.recognition.domain.programs import EndingEvent
from services.recognition.jobs import RunLoop
from services.recognition.store import hearing, proposals
from services.recognition.usecases.runs import request_run
from shared.contracts.events.grid import ConfirmedPerson
from tests.services.recognition.rights import Officers, locked, stop_verified, tell
from tests.services.recognition.world import (
    NOW,
    PROGRAMS,
    TODAY,
    assessed,
    assessment,
    concluded,
    enrolled,
    enrolment,
    subject,
    visited,
)

pytestmark = pytest.mark.db
SHE = subject(1)
LATER = NOW + timedelta(hours=1)


_FILL = """
INSERT INTO enrolment (subject, program, status, listed, amount_fen, division, received_at)
SELECT md5(n::text || p)::uuid, p, 'active', true, 100, '341602001001', now()
FROM generate_series(1, 3000) n, unnest(ARRAY['resident_pension', 'ue_pension']) p
"""

_ASKED = """
INSERT INTO citizen_request (request_id, asked_by, subject, kind, programs, relation, reason, event_on, requested_at)
VALUES ($1, $2, $2, 'stop', '{}', 'child', 'in_own_words', '2021-01-01', $3)
"""


@pytest.fixture
def officers(http, issuer):
    return Officers(http, issuer)


async def proposed(world):
    return await world.rows(
        "SELECT program, reason, effect, event_on, origin, state FROM proposal ORDER BY proposal_id"
    )


@pytest.mark.parametrize("order", [("ue_pension", "resident_pension"), ("resident_pension", "ue_pension")])
async def test_two_rosters_that_exclude_each_other_propose_one_end_once(world, order):
    began = {"ue_pension": date(2023, 3, 1), "resident_pension": date(2010, 6, 1)}
    for number, program in enumerate(order * 2):
        row = enrolment(SHE, started_on=began[program])
        await world.hear(enrolled(row, program=program, received_at=NOW + timedelta(hours=number)))
    [one] = await proposed(world)
    assert (one["program"], one["reason"], one["effect"]) == ("resident_pension", "duplicate_receipt", "terminate")
    assert (one["event_on"], one["origin"]) == (date(2023, 3, 1), "double_receipt")


async def test_what_an_officer_rejected_is_not_proposed_by_the_next_roster(world, officers):
    for number, program in enumerate(("ue_pension", "unemployment", "ue_pension", "unemployment")):
        await world.hear(enrolled(enrolment(SHE), program=program, received_at=NOW + timedelta(hours=number)))
        for each in await officers.proposals():
            await officers.post(f"/v1/proposals/{each['proposal_id']}:reject")
    assert [(each["reason"], each["state"]) for each in await proposed(world)] == [("other_pension", "rejected")]


async def test_deciding_on_a_double_receipt_clears_no_suspicion(world, officers):
    await world.hear(
        enrolled(enrolment(SHE), program="ue_pension"),
        enrolled(enrolment(SHE)),
        assessed(assessment(SHE, "suspected")),
    )
    [each] = await officers.proposals()
    await officers.post(f"/v1/proposals/{each['proposal_id']}:reject")
    assert (await world.rows("SELECT under_review FROM standing"))[0]["under_review"] is True


@pytest.mark.parametrize("listed", [True, False])
async def test_neither_a_list_nor_a_request_that_is_no_answer_to_scoring_ends_a_review(world, listed):
    other = ConfirmedPerson(subject=SHE, kind="suspected_incarceration", case_id=None, event_on=date(2023, 9, 2))
    later = NOW + timedelta(hours=1)
    said = locked(other, at=later) if listed else stop_verified(SHE, reason="nationality_lost", concluded_at=later)
    await world.hear(enrolled(enrolment(SHE)), assessed(assessment(SHE, "suspected")), said)
    assert len(await proposed(world)) == 1
    assert (await world.rows("SELECT under_review FROM standing"))[0]["under_review"] is True


async def test_benefits_that_may_be_held_together_propose_nothing(world):
    await world.hear(enrolled(enrolment(SHE)), enrolled(enrolment(SHE), program="old_age_allow"))
    assert await proposed(world) == []


async def run(world):
    async with world.deps.database.write() as tx:
        await request_run(world.deps, tx, "operator-1")
    loop = RunLoop(world.deps, world.deps.wake_runs)
    while await loop.step():
        pass


async def test_lateness_is_proposed_after_the_days_of_looking_and_never_twice(world):
    await world.hear(enrolled(enrolment(SHE, due_on=date(2023, 10, 31))))
    await run(world)  # already late when first looked for: the platform's delay is not hers
    assert await proposed(world) == []
    world.deps.clock.move(timedelta(days=30))
    for _ in range(2):
        await run(world)
    [one] = await proposed(world)
    assert (one["reason"], one["effect"], one["event_on"]) == ("overdue", "suspend", date(2023, 10, 31))


async def test_whom_a_run_finds_certified_or_under_review_is_not_late(world):
    he, they = subject(2), subject(3)
    rows = [enrolment(each, due_on=date(2023, 10, 31)) for each in (SHE, he, they)]
    await world.hear(enrolled(*rows))
    await run(world)
    await world.hear(assessed(assessment(SHE)), assessed(assessment(he, "suspected")))
    world.deps.clock.move(timedelta(days=31))
    await run(world)
    assert [row["subject"] for row in await world.rows("SELECT subject FROM proposal")] == [they]


async def test_whoever_is_seen_within_the_notice_is_late_no_more(world, officers):
    he = subject(2)
    await world.hear(enrolled(*(enrolment(each, due_on=date(2023, 10, 31)) for each in (SHE, he))))
    await run(world)
    world.deps.clock.move(timedelta(days=30))
    await run(world)
    hers, _ = sorted(await officers.proposals(), key=lambda each: each["subject"])
    decision = await officers.decided(hers["proposal_id"])
    seen = NOW + timedelta(days=31)
    await world.hear(*(visited(each, on=seen.date(), at=seen) for each in (SHE, he)))
    assert await officers.proposals() == []
    await tell(world, SHE)
    world.deps.clock.move(timedelta(days=31))
    refused = await officers.post(f"/v1/decisions/{decision}:carry-out")
    assert (refused.status_code, refused.json()["code"]) == (409, "ground_gone")
    assert (await officers.get("/v1/work")).json()["counts"] == {"carry_out": 1, "withdraw": 1}


async def test_a_second_benefit_that_is_drawn_no_more_ends_nothing(world, officers):
    he = subject(2)
    both = [enrolment(each, started_on=date(2023, 3, 1)) for each in (SHE, he)]
    await world.hear(enrolled(*both, program="ue_pension"), enrolled(*map(enrolment, (SHE, he))))
    hers, _ = sorted(await officers.proposals(), key=lambda each: each["subject"])
    decision = await officers.decided(hers["proposal_id"])
    assert (await officers.get("/v1/work")).json()["counts"] == {"decide": 1}
    gone = [{**row, "change": "ended", "ended_on": date(2023, 10, 1)} for row in both]
    await world.hear(enrolled(*gone, program="ue_pension", received_at=NOW + timedelta(days=1)))
    assert await officers.proposals() == []
    await tell(world, SHE)
    world.deps.clock.move(timedelta(days=31))
    refused = await officers.post(f"/v1/decisions/{decision}:carry-out")
    assert (refused.status_code, refused.json()["code"]) == (409, "ground_gone")
    assert (await officers.get("/v1/work")).json()["counts"] == {"carry_out": 1, "withdraw": 1}


@pytest.mark.parametrize(
    ("changes", "reason", "effect"),
    [
        ({}, "own_request", "suspend"),
        ({"programs": []}, "own_request", "suspend"),
        ({"relation": "child", "reason": "death", "event_on": date(2023, 10, 20)}, "death", "terminate"),
        ({"relation": "child", "reason": "in_own_words", "event_on": date(2023, 10, 20)}, "own_request", "suspend"),
        ({"relation": "child", "reason": "imprisonment"}, "imprisonment", "suspend"),
    ],
)
async def test_a_verified_request_is_proposed_once(world, changes, reason, effect):
    await world.hear(enrolled(enrolment(SHE)))
    said = stop_verified(SHE, **changes)
    await world.hear(said, said)
    [one] = await proposed(world)
    assert (one["reason"], one["effect"], one["origin"]) == (reason, effect, "stop_request")
    owed = await world.rows("SELECT FROM enrolment WHERE decision_owed")
    assert bool(owed) == (reason != "own_request")


async def test_a_confirmed_case_is_proposed_in_every_program_whose_rule_names_what_it_found(world):
    means = {
        subject(1): ("suspected_death", [EndingEvent.DEATH]),
        subject(2): ("suspected_incarceration", [EndingEvent.IMPRISONMENT, EndingEvent.CRIMINAL_PUNISHMENT]),
        subject(3): ("suspected_missing", [EndingEvent.MISSING]),
    }
    programs = {code: program.in_force(TODAY) for code, program in PROGRAMS.items() if not program.sandbox}
    for code in programs:
        await world.hear(enrolled(*map(enrolment, means), program=code))
    for who, (kind, _) in means.items():
        await world.hear(concluded(who, "confirmed", kind=kind))
    rows = await world.rows("SELECT subject, program, reason, effect FROM proposal WHERE origin = 'case'")
    assert {(row["subject"], row["program"]): (row["reason"], row["effect"]) for row in rows} == {
        (who, code): next((each, rule.events[each]) for each in reasons if each in rule.events)
        for who, (_, reasons) in means.items()
        for code, rule in programs.items()
        if set(reasons) & set(rule.events)
    }


@pytest.mark.parametrize(
    ("reason", "named", "other", "later"),
    [
        ("death", "resident_pension", "old_age_allow", False),
        ("death", "resident_pension", "old_age_allow", True),
        ("imprisonment", "resident_pension", "vet_war", False),
        ("imprisonment", "resident_pension", "vet_war", True),
        # A program that asks nothing of who is in prison may be all she had when people verified it.
        ("imprisonment", "old_age_allow", "resident_pension", True),
    ],
)
async def test_what_people_verified_holds_in_every_program_and_an_own_request_in_those_it_names(
    world, reason, named, other, later
):
    he, request_id = subject(2), uuid4()
    for who in (SHE, he):
        await world.hear(enrolled(enrolment(who), program=named))
    told = [enrolled(enrolment(SHE), enrolment(he), program=other, received_at=at) for at in (NOW, LATER)]
    if not later:
        await world.hear(told[0])
    async with world.deps.database.write() as tx:
        await tx.run(_ASKED, request_id, SHE, NOW)
    found = {"relation": "child", "reason": reason, "event_on": date(2023, 10, 20), "programs": [named]}
    await world.hear(stop_verified(SHE, request_id=request_id, **found), stop_verified(he, programs=[named]))
    await world.hear(*told)
    rows = await world.rows("SELECT subject, program, event_on AS day FROM proposal ORDER BY subject, program")
    fits = [code for code in sorted((named, other)) if reason in PROGRAMS[code].in_force(TODAY).events]
    hers = [(SHE, code, found["event_on"]) for code in fits]
    assert [(row["subject"], row["program"], row["day"]) for row in rows] == [*hers, (he, named, None)]


async def test_a_request_that_is_not_as_it_says_proposes_nothing(world):
    await world.hear(enrolled(enrolment(SHE)), stop_verified(SHE, confirmed=False))
    assert await proposed(world) == []


async def test_whoever_wants_his_benefit_back_may_ask_to_stop_it_again_later(world, officers):
    await world.hear(enrolled(enrolment(SHE)), stop_verified(SHE))
    [one] = await officers.proposals()
    await officers.post(f"/v1/proposals/{one['proposal_id']}:reject")
    await world.hear(stop_verified(SHE))
    assert len(await officers.proposals()) == 1


@pytest.mark.parametrize("stopped", [False, True])
async def test_whoever_takes_his_own_request_back_is_stopped_no_further(world, officers, http, issuer, stopped):
    await world.hear(enrolled(enrolment(SHE)))
    me = issuer.headers("me.read", "me.write", role="citizen", user=str(SHE))
    body = {"programs": ["resident_pension"], "reason": "own_request"}
    asked = (await http.post("/v1/me/stop-requests", json=body, headers=me)).json()["request_id"]
    await world.hear(stop_verified(SHE, request_id=asked))
    [one] = await officers.proposals()
    decision = await officers.decided(one["proposal_id"])
    await tell(world, SHE)
    world.deps.clock.move(timedelta(days=31))
    path = f"/v1/decisions/{decision}"
    if stopped:
        assert (await officers.post(f"{path}:carry-out")).status_code == 200
    assert (await http.post(f"/v1/me/stop-requests/{asked}:withdraw", headers=me)).status_code == 202
    counts = (await officers.get("/v1/work")).json()["counts"]
    if not stopped:
        assert counts == {"carry_out": 1, "withdraw": 1}
        assert (await officers.post(f"{path}:carry-out")).json()["code"] == "ground_gone"
        return
    assert counts == {"resume": 1}
    world.deps.clock.move(timedelta(days=60))
    lifted = await officers.post(f"{path}:lift", body={"reason": "own_request", "passed_on": "2024-01-31"})
    assert lifted.json()["arrears_fen"] == 2 * 20_000  # from the month in which she took it back


async def test_a_program_whose_rule_is_silent_may_still_be_given_up(world):
    await world.hear(enrolled(enrolment(SHE), program="orphan"), stop_verified(SHE, programs=["orphan"]))
    [one] = await proposed(world)
    assert (one["reason"], one["effect"]) == ("own_request", "suspend")


async def test_a_list_that_comes_before_its_case_is_proposed_once_and_falls_with_the_case(world):
    case = uuid4()
    person = ConfirmedPerson(subject=SHE, kind="suspected_death", case_id=case, event_on=date(2023, 8, 20))
    await world.hear(enrolled(enrolment(SHE)), locked(person), concluded(SHE, "confirmed", case_id=case))
    assert [(each["origin"], each["state"]) for each in await proposed(world)] == [("report", "open")]
    await world.hear(concluded(SHE, "unfounded", case_id=case, hours=2))
    assert [each["state"] for each in await proposed(world)] == ["withdrawn"]
    await world.hear(locked(person))
    assert len(await proposed(world)) == 1


@pytest.mark.parametrize("new_first", [True, False])
async def test_a_household_that_is_paid_through_somebody_else_needs_no_officer_any_more(world, new_first):
    home = subject(99).bytes
    await world.hear(enrolled(enrolment(SHE, household=home), program="farmland"), concluded(SHE, "confirmed"))
    assert [(each["effect"], each["state"]) for each in await proposed(world)] == [("change_payee", "open")]
    later = NOW + timedelta(days=1)
    said = [
        enrolled(enrolment(subject(5), household=home), program="farmland", received_at=later),
        enrolled(enrolment(SHE, "ended", household=home), program="farmland", received_at=later),
    ]
    first, second = said if new_first else said[::-1]
    await world.hear(first)
    assert [each["state"] for each in await proposed(world)] == ["open"]
    await world.hear(second)
    assert [each["state"] for each in await proposed(world)] == ["withdrawn"]


async def test_a_zero_report_and_a_person_no_roster_lists_propose_nothing(world):
    person = ConfirmedPerson(subject=SHE, kind="suspected_death", case_id=None, event_on=TODAY)
    await world.hear(locked(), locked(person))
    assert await proposed(world) == []


async def test_double_receipts_are_looked_for_by_the_person_however_a_city_is_being_filled(world):
    """Through the index of programs each person was looked for among everybody of his program, for minutes."""
    async with world.deps.database.write() as tx:
        await tx.run(hearing._HEARD_ENROLMENTS)
        await tx.run(_FILL)
        await tx.run("ANALYZE enrolment")  # many rows of one program and few people heard: a roster of changes
        plan = await tx.fetch(f"EXPLAIN {proposals._DOUBLE}", "resident_pension", ["ue_pension"])
    steps = "\n".join(row[0] for row in plan)
    assert "pk_enrolment" in steps
    assert "ix_enrolment_program_subject" not in steps


GROUND = "户籍窗口告知张建国已再婚"


async def learnt(officers, name="officer-1", **changes):
    body = {"subject": str(SHE), "program": "unit_survivor", "reason": "remarriage", "event_on": "2023-09-12"}
    return await officers.post("/v1/proposals", name, {**body, "ground": GROUND, **changes})


async def test_what_an_officer_learns_himself_needs_another_and_holds_nothing_before(world, officers, http, issuer):
    await world.hear(enrolled(enrolment(SHE), program="unit_survivor"))
    made = await learnt(officers)
    assert (made.status_code, made.json()["ground"], made.json()["origin"]) == (201, "in_own_words", "officer")
    assert (await learnt(officers, "officer-2")).json()["code"] == "proposed"
    assert await world.rows("SELECT FROM enrolment WHERE decision_owed") == []
    [one] = await officers.proposals()
    assert (one["opened_by"], one["ground"], one["stops_from"]) == ("officer-1", GROUND, "2023-10-01")
    kept = await world.rows("SELECT to_jsonb(p)::text AS row FROM proposal p")
    assert "张建国" not in kept[0]["row"]
    path = f"/v1/proposals/{one['proposal_id']}"
    assert (await officers.post(f"{path}:decide", "officer-2", {"grounds": "婚姻登记已核对"})).status_code == 200
    waits = [(await officers.get("/v1/work", f"officer-{each}")).json()["items"] for each in (1, 2, 3)]
    assert [[item["kind"] for item in items] for items in waits] == [[], [], ["confirm"]]
    for name in ("officer-1", "officer-2"):  # who opened it and who decided it have said what they had to say
        assert (await officers.post(f"{path}:confirm", name)).json()["code"] == "four_eyes"
    assert (await officers.post(f"{path}:confirm", "officer-3")).json()["state"] == "notice"
    body = {"program": "unit_survivor", "about": "intended_stop", "said": "没有再婚"}
    me = issuer.headers("me.write", role="citizen", user=str(SHE))
    answer = (
        f"/v1/objections/{(await http.post('/v1/me/objections', json=body, headers=me)).json()['objection_id']}:answer"
    )
    upheld = {"upheld": True, "answer": "经核实未再婚"}
    assert (await officers.post(answer, "officer-1", upheld)).json()["code"] == "four_eyes"
    assert (await officers.post(answer, "officer-4", upheld)).status_code == 200


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"reason": "overdue"}, 422),
        ({"reason": "death"}, 422),
        ({"reason": "own_request"}, 422),
        ({"reason": "work_refused"}, 422),
        ({"event_on": "2023-11-02"}, 422),
        ({"subject": str(subject(2))}, 404),
        ({"program": "sandbox_pension"}, 409),
    ],
    ids=["lateness", "a death", "another's wish", "not of the rule", "tomorrow", "a stranger", "a sandbox"],
)
async def test_an_officer_proposes_what_the_rule_knows_of_people_it_pays(world, officers, changes, status):
    await world.hear(enrolled(enrolment(SHE), program="unit_survivor"))
    assert (await learnt(officers, **changes)).status_code == status
    assert await proposed(world) == []
