"""Cases: every step by somebody else, and nothing concluded that was not found."""

from datetime import date, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from tests.services.grid.town import (
    NOW,
    VILLAGE,
    Town,
    enrolled,
    subject,
    suspected,
    visit,
)

ANNA = subject(1)
TREATED = {"kind": "hospital_paper", "reference": "h-1", "day": "2023-10-29"}
FOUND_DEAD = {"finding": "dead", "event_on": "2023-09-09", "not_family": True}


async def case_of(town: Town, person: UUID = ANNA) -> str:
    rows = await town.rows("SELECT case_id FROM cases WHERE subject = $1 ORDER BY case_id DESC", person)
    return str(rows[0]["case_id"])


async def knock(town: Town, result: str, person: UUID = ANNA, **more: Any) -> str:
    """Somebody visits the person's suspicion task; returns who."""
    task = (await town.rows("SELECT task_id, worker_id FROM tasks WHERE subject = $1 AND state <> 'closed'", person))[0]
    body = visit(task["task_id"], result, at=town.clock.now(), **more)
    answer = await town.ask("POST", "/v1/visits", headers=town.member(task["worker_id"]), json=body)
    assert answer.json()["reception"] == "recorded"
    return str(task["worker_id"])


async def step(town: Town, name: str, headers: dict[str, str], **body: Any) -> Any:
    case = await case_of(town)
    stated = {"not_family": True, **body} if name != "recusal" else body
    return await town.ask("POST", f"/v1/cases/{case}/{name}", headers=headers, json=stated)


async def reviewed(town: Town, **finding: Any) -> None:
    assert (await step(town, "finding", town.village(), **finding)).status_code == 200
    assert (await step(town, "review", town.officer("town", "341602001"), verdict="agreed")).status_code == 200


async def test_a_case_ends_by_three_people_and_is_told(detected):
    await knock(detected, "dead")
    await reviewed(detected, **FOUND_DEAD)
    answer = await step(detected, "conclusion", detected.officer("agency"), conclusion="confirmed")
    assert answer.json()["state"] == "concluded"
    assert [
        (fact["conclusion"], fact["event_on"], fact["verified_by"], fact["concluded_by"])
        for fact in await detected.said("grid.case.concluded.v1")
    ] == [("confirmed", "2023-09-09", "village-head", "agency")]


async def test_a_year_mistyped_by_nine_hundred_is_refused_where_it_is_typed(detected):
    await knock(detected, "dead")
    slip = {"event_on": "1023-09-09"}
    assert (await step(detected, "finding", detected.village(), **FOUND_DEAD | slip)).status_code == 422
    await reviewed(detected, **FOUND_DEAD)
    agency = detected.officer("agency")
    assert (await step(detected, "conclusion", agency, conclusion="confirmed", **slip)).status_code == 422


@pytest.mark.parametrize(
    ("knocks", "basis", "seen_on"),
    [
        (["seen_alive"], [], NOW.date() + timedelta(1)),
        (["absent_informed_by"], [TREATED], NOW.date() - timedelta(3)),
        # A relative who says that she lives is no sighting.
        (["family"], [TREATED], NOW.date() - timedelta(3)),
    ],
)
async def test_a_false_death_tells_when_the_person_was_seen(detected, knocks, basis, seen_on):
    detected.clock.move(timedelta(days=1))
    for result in knocks:
        await (said_by_family(detected) if result == "family" else knock(detected, result))
    detected.clock.move(timedelta(days=8))
    await reviewed(detected, finding="alive", basis=basis, not_family=True)
    detected.clock.move(timedelta(days=4))
    await step(detected, "conclusion", detected.officer("agency"), conclusion="false_death")
    assert [fact["seen_on"] for fact in await detected.said("grid.case.concluded.v1")] == [str(seen_on)]


async def test_every_step_tells_who_when_and_on_what(detected):
    worker = await knock(detected, "dead")
    await reviewed(detected, **FOUND_DEAD)
    await step(detected, "conclusion", detected.officer("agency"), conclusion="confirmed")
    answer = await detected.ask("GET", f"/v1/cases/{await case_of(detected)}", headers=detected.village())
    steps = [(each["action"], each["actor"]) for each in answer.json()["steps"]]
    assert steps == [
        ("detected", "platform"),
        ("assigned", "grid"),
        ("visited", worker),
        ("finding", "village-head"),
        ("reviewed", "town"),
        ("concluded", "agency"),
    ]
    assert [each["kind"] for each in answer.json()["steps"][3]["basis"]] == ["visit", "death_certificate"]


@pytest.mark.parametrize(
    ("name", "body"),
    [("review", {"verdict": "agreed"}), ("conclusion", {"conclusion": "confirmed", "event_on": "2023-09-09"})],
)
async def test_no_step_can_be_left_out(detected, name, body):
    answer = await step(detected, name, detected.officer("agency"), **body)
    assert (answer.status_code, answer.json()["code"]) == (409, "step_not_possible")


async def test_nobody_checks_himself(detected):
    await knock(detected, "dead")
    await step(detected, "finding", detected.village(), **FOUND_DEAD)
    same = await step(detected, "review", detected.officer("village-head"), verdict="agreed")
    assert same.json()["reason"] == "own_finding"
    await step(detected, "review", detected.officer("town"), verdict="agreed")
    for user in ("town", "village-head"):
        answer = await step(detected, "conclusion", detected.officer(user), conclusion="confirmed")
        assert (answer.status_code, answer.json()["reason"]) == (403, "four_eyes")


async def test_another_officer_of_the_town_is_not_the_agency(detected):
    await knock(detected, "dead")
    await step(detected, "finding", detected.village(), **FOUND_DEAD)
    low = await step(detected, "review", detected.officer("cadre", VILLAGE), verdict="agreed")
    await step(detected, "review", detected.officer("town", VILLAGE[:9]), verdict="agreed")
    second = detected.officer("second", VILLAGE[:9])
    for conclusion in ("confirmed", "inconclusive"):
        answer = await step(detected, "conclusion", second, conclusion=conclusion)
        assert answer.json()["reason"] == low.json()["reason"] == "level"
    answer = await step(detected, "conclusion", detected.officer("agency", VILLAGE[:6]), conclusion="confirmed")
    assert answer.json()["state"] == "concluded"


async def test_a_leader_who_knocked_does_not_find(detected):
    leader = (await detected.rows("SELECT leader_id FROM grids LIMIT 1"))[0]["leader_id"]
    headers = detected.issuer.headers("grid.work", "grid.read", role="grid_leader", user=leader, divisions=[VILLAGE])
    task = (await detected.rows("SELECT task_id FROM tasks"))[0]["task_id"]
    assert (await detected.ask("POST", "/v1/visits", headers=headers, json=visit(task, "dead"))).json()[
        "reception"
    ] == "recorded"
    assert (await step(detected, "finding", headers, **FOUND_DEAD)).json()["reason"] == "own_visit"


async def test_who_recuses_himself_takes_no_more_steps(detected):
    await knock(detected, "dead")
    assert (await step(detected, "recusal", detected.village(), note="堂兄")).status_code == 200
    assert (await step(detected, "finding", detected.village(), **FOUND_DEAD)).json()["reason"] == "recused"
    assert (await step(detected, "finding", detected.village(user="deputy"), **FOUND_DEAD)).status_code == 200


@pytest.mark.parametrize(
    ("name", "body"),
    [("finding", {"finding": "dead"}), ("review", {"verdict": "agreed"}), ("conclusion", {"conclusion": "confirmed"})],
)
async def test_whoever_takes_a_step_states_that_he_is_not_family(detected, name, body):
    headers = detected.village() if name == "finding" else detected.officer("officer")
    assert (await step(detected, name, headers, **body, not_family=False)).status_code == 422


async def said_by_family(town: Town, result: str = "seen_alive") -> None:
    """A member who is family reports, and a leader accepts it."""
    task = (await town.rows("SELECT task_id, worker_id FROM tasks"))[0]
    body = visit(task["task_id"], result, at=town.clock.now(), family=True)
    answer = (await town.ask("POST", "/v1/visits", headers=town.member(task["worker_id"]), json=body)).json()
    assert answer["notes"] == ["in_review"]
    path = f"/v1/visits/{body['visit_id']}/review"
    await town.ask("POST", path, headers=town.village(), json={"verdict": "accepted"})


async def test_what_a_relative_found_at_the_door_proves_nothing(detected):
    await said_by_family(detected, "dead")
    assert (await step(detected, "finding", detected.village(), **FOUND_DEAD)).json()["code"] == "basis_missing"


@pytest.mark.parametrize(
    ("met", "finding"),
    [("refused", "dead"), ("seen_alive", "dead"), ("absent_informed_by", "alive"), ("moved", "present")],
)
async def test_a_visit_carries_only_what_it_shows(detected, met, finding):
    await knock(detected, met)
    body = {"finding": finding, "event_on": "2023-09-09"}
    assert (await step(detected, "finding", detected.village(), **body)).json()["code"] == "basis_missing"
    assert (await step(detected, "finding", detected.village(), **body, basis=[TREATED])).status_code == 200


@pytest.mark.parametrize(
    ("finding", "conclusion", "reason"),
    [
        ("alive", "confirmed", "finding_does_not_confirm"),
        ("dead", "false_death", "finding_does_not_clear"),
        ("unclear", "confirmed", "finding_does_not_confirm"),
    ],
)
async def test_a_conclusion_follows_from_the_finding(detected, finding, conclusion, reason):
    await knock(detected, "dead")
    await reviewed(detected, finding=finding, event_on="2023-09-09", basis=[TREATED])
    answer = await step(detected, "conclusion", detected.officer("agency"), conclusion=conclusion)
    assert (answer.status_code, answer.json()["reason"]) == (409, reason)
    assert await detected.said("grid.case.concluded.v1") == []


@pytest.mark.parametrize("until", ["finding", "review"])
async def test_what_was_found_on_a_visit_withdrawn_since_goes_back_and_somebody_else_knocks(detected, until):
    detected.clock.move(timedelta(days=3))
    first, [task] = await knock(detected, "seen_alive"), await detected.rows("SELECT task_id FROM tasks")
    await step(detected, "finding", detected.village(), finding="alive")
    town, agency = detected.officer("town"), detected.officer("agency")
    agree = partial(step, detected, "review", town, verdict="agreed")
    if until == "review":
        await agree()
        agree = partial(step, detected, "conclusion", agency, conclusion="false_death")
    early = visit(task["task_id"])  # whose prompt the other one showed, as it seems now
    del early["place"]
    await detected.ask("POST", "/v1/visits", headers=detected.member(first), json=early)
    assert (await agree()).json()["reason"] == "basis_withdrawn"
    back = await step(detected, "review", agency if until == "review" else town, verdict="returned")
    assert back.json()["state"] == "in_verification"
    detected.clock.move(timedelta(days=1))
    assert await knock(detected, "seen_alive") != first
    await reviewed(detected, finding="alive")
    await step(detected, "conclusion", detected.officer("agency"), conclusion="false_death")
    assert [fact["seen_on"] for fact in await detected.said("grid.case.concluded.v1")] == ["2023-11-05"]


async def test_where_a_benefit_may_end_the_finding_names_its_day_and_a_paper(detected):
    for met in (None, "refused", "dead"):
        if met:
            await knock(detected, met, proofs=[])
        answer = await step(detected, "finding", detected.village(), **FOUND_DEAD)
        assert answer.json()["code"] == "basis_missing"
    paper = [{"kind": "death_certificate", "reference": "archive-7"}]
    answer = await step(detected, "finding", detected.village(), finding="dead", basis=paper)
    assert answer.json()["reason"] == "event_on_missing"
    assert (await step(detected, "finding", detected.village(), **FOUND_DEAD, basis=paper)).status_code == 200


async def test_the_town_sends_a_case_back(detected):
    await knock(detected, "dead")
    await step(detected, "finding", detected.village(), **FOUND_DEAD)
    answer = await step(detected, "review", detected.officer("town"), verdict="returned", note="日期不对")
    assert answer.json()["state"] == "in_verification"
    assert (await step(detected, "finding", detected.village(), **FOUND_DEAD)).status_code == 200


async def test_the_day_is_the_one_that_was_found_or_the_case_goes_back(detected):
    await knock(detected, "dead")
    await reviewed(detected, **FOUND_DEAD)
    agency, town = detected.officer("agency", VILLAGE[:6]), detected.officer("deputy", VILLAGE[:9])
    refused = await step(detected, "conclusion", agency, conclusion="confirmed", event_on="1951-01-01")
    assert refused.json()["reason"] == "event_on_differs"
    assert (await step(detected, "review", town, verdict="returned")).json()["reason"] == "level"
    assert (await step(detected, "review", agency, verdict="returned")).json()["state"] == "in_verification"
    await reviewed(detected, **FOUND_DEAD | {"event_on": "2023-09-10"})
    await step(detected, "conclusion", agency, conclusion="confirmed", event_on="2023-09-10")
    assert [fact["event_on"] for fact in await detected.said("grid.case.concluded.v1")] == ["2023-09-10"]


async def test_whom_people_looked_for_and_find_dead_has_a_case_of_his_death(town):
    await town.import_grids()
    await town.hear(enrolled(ANNA), suspected(ANNA, kind="suspected_missing"))
    [missed] = await town.rows("SELECT case_id FROM cases")
    paper = [{"kind": "death_certificate", "reference": "d-1"}]
    await step(town, "finding", town.village(), **FOUND_DEAD, basis=paper)
    path, stated, agency = f"/v1/cases/{missed['case_id']}", {"not_family": True}, town.officer("agency")
    await town.ask("POST", f"{path}/review", headers=town.officer("town"), json={"verdict": "agreed", **stated})
    ends = [
        (await town.ask("POST", f"{path}/conclusion", headers=agency, json={"conclusion": each, **stated})).json()
        for each in ("confirmed", "inconclusive")
    ]
    assert (ends[0]["reason"], ends[1]["state"]) == ("finding_does_not_confirm", "concluded")
    await reviewed(town, **FOUND_DEAD, basis=paper)
    await step(town, "conclusion", agency, conclusion="confirmed")
    assert [(fact["kind"], fact["conclusion"]) for fact in await town.said("grid.case.concluded.v1")] == [
        ("suspected_missing", "inconclusive"),
        ("suspected_death", "confirmed"),
    ]


async def test_what_an_officer_has_learned_of_is_looked_into_and_concluded_by_another(town):
    await town.import_grids()
    await town.hear(enrolled(ANNA))
    told = {"subject": str(ANNA), "kind": "suspected_death", "event_on": "2023-09-09", "note": "邻县殡仪馆来电"}
    made = [
        (await town.ask("POST", "/v1/cases", headers=town.officer("first", *where), json=told)).json()
        for where in (["341621"], [VILLAGE[:6]], [])
    ]
    assert (made[0]["code"], made[1]["state"], made[2]["case_id"]) == ("no_such_person", "assigned", made[1]["case_id"])
    # A register that names no day, or a later one, leaves his.
    await town.hear(suspected(ANNA, event_on=None), suspected(ANNA, event_on=date(2023, 10, 1), revision=2))
    assert [str(row["event_on"]) for row in await town.rows("SELECT event_on FROM cases")] == ["2023-09-09"]
    await knock(town, "dead")
    await reviewed(town, **FOUND_DEAD)
    same = await step(town, "conclusion", town.officer("first"), conclusion="confirmed")
    assert same.json()["reason"] == "four_eyes"
    await step(town, "conclusion", town.officer("agency"), conclusion="confirmed")
    assert [fact["conclusion"] for fact in await town.said("grid.case.concluded.v1")] == ["confirmed"]


async def test_an_inconclusive_case_sends_somebody_else_once(detected):
    first = await knock(detected, "refused")
    paper = [{"kind": "neighbours", "reference": "minutes-1"}]
    await reviewed(detected, finding="unclear", not_family=True, basis=paper)
    answer = await step(detected, "conclusion", detected.officer("agency"), conclusion="inconclusive")
    assert (answer.json()["state"], answer.json()["rounds"]) == ("in_verification", 2)
    assert await detected.said("grid.case.concluded.v1") == []
    detected.clock.move(timedelta(days=1))
    assert await knock(detected, "seen_alive") != first
    await reviewed(detected, finding="alive", not_family=True)
    answer = await step(detected, "conclusion", detected.officer("agency"), conclusion="false_death")
    assert answer.json()["state"] == "concluded"
    assert [fact["conclusion"] for fact in await detected.said("grid.case.concluded.v1")] == ["false_death"]


async def test_a_second_look_rests_on_a_new_visit(detected):
    await knock(detected, "dead")
    await reviewed(detected, finding="unclear", not_family=True)
    await step(detected, "conclusion", detected.officer("agency"), conclusion="inconclusive")
    paper = [{"kind": "death_certificate", "reference": "c-1"}]
    for more in ({}, {"basis": paper}):
        answer = await step(detected, "finding", detected.village(), **FOUND_DEAD, **more)
        assert answer.json()["code"] == "basis_missing"


async def test_notes_of_a_step_are_sealed_and_told_to_whom_they_are_for(detected):
    await knock(detected, "dead")
    await step(detected, "finding", detected.village(), **FOUND_DEAD, note="王秀英已火化")
    kept = await detected.rows("SELECT note FROM case_steps WHERE action = 'finding'")
    assert "王秀英".encode() not in kept[0]["note"]
    member = detected.member(await detected.member_of(VILLAGE + "001"))
    for who, told in ((member, None), (detected.village(), "王秀英已火化")):
        answer = await detected.ask("GET", f"/v1/cases/{await case_of(detected)}", headers=who)
        assert answer.json()["steps"][-1]["note"] == told
    looks = await detected.rows('SELECT "user", what, subject FROM readings')
    assert [tuple(row.values()) for row in looks] == [("village-head", "case", ANNA)]


async def test_a_false_death_names_the_evidence_that_is_to_be_corrected(detected):
    await detected.hear(suspected(ANNA, suspicion=UUID(int=9), evidence=(3, 7, 11), revision=2))
    await knock(detected, "seen_alive")
    await reviewed(detected, finding="alive", not_family=True)
    await step(detected, "conclusion", detected.officer("agency"), conclusion="false_death")
    said = await detected.said("grid.case.concluded.v1")
    assert [(each["conclusion"], each["evidence_ids"]) for each in said] == [("false_death", [3, 7, 11])]
