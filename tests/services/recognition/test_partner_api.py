"""The partner API over HTTP: lawful, logged, and never to be misread."""

from datetime import date, timedelta
from uuid import UUID

import pytest

from services.recognition.programs import FOLDER
from tests.services.recognition.world import (
    NOW,
    TODAY,
    WHY,
    World,
    assessed,
    assessment,
    concluded,
    enrolled,
    enrolment,
    visited,
)

pytestmark = pytest.mark.db

ID, OTHER_ID = "11010519491231002X", "340102194001010011"


@pytest.fixture
def partner(issuer):
    return issuer.headers("recognition.check", "recognition.batch", role="partner", programs=["resident_pension"],
                          department="hrss", client_id="p-1") | WHY  # fmt: skip


def she(world: World) -> UUID:
    return world.deps.subjects.one(ID)


async def check(http, headers, **changes):
    body = {"program": "resident_pension", "citizen_id": ID, **changes}
    return await http.post("/v1/recognitions:check", json=body, headers=headers)


async def usage(world):
    return await world.rows("SELECT client_id, department, action, program, subject, purpose, legal_basis, case_ref, "
                            "answer FROM usage ORDER BY usage_id")  # fmt: skip


async def test_a_certified_person_is_recognised_with_claims_and_dates_only(world, http, partner):
    await world.hear(enrolled(enrolment(she(world))), assessed(assessment(she(world))))
    answer = await check(http, partner)
    assert answer.status_code == 200
    body = answer.json()
    assert body.pop("certificate")
    assert body.pop("person") != str(she(world))
    assert body == {
        "program": "resident_pension",
        "answer": "recognised",
        "claims": [{"claim": "alive", "as_of": "2023-09-10", "valid_until": "2024-09-30"}],
        "outstanding_claims": [
            {"claim": "not_in_custody", "with": "hrss", "hint": None},
            {"claim": "no_other_pension", "with": "hrss", "hint": None},
        ],
        "valid_until": "2024-09-30",
        "evidence_class": "data",
        "checked_at": "2023-11-01T01:00:00.000Z",
    }
    assert ID not in answer.text
    assert "medical" not in answer.text


async def test_every_answer_is_logged_before_it_leaves(world, http, partner):
    await world.hear(enrolled(enrolment(she(world))))
    await check(http, partner)
    assert await usage(world) == [
        {
            "client_id": "p-1",
            "department": "hrss",
            "action": "check",
            "program": "resident_pension",
            "subject": she(world),
            "purpose": "pay",
            "legal_basis": "regulation-26",
            "case_ref": "2023-11",
            "answer": "not_yet",
        }
    ]


async def test_no_record_reads_as_unknown_and_nothing_else(world, http, partner):
    body = (await check(http, partner)).json()
    assert body["answer"] == "unknown"
    assert (body["claims"], body["valid_until"], body["certificate"], body["evidence_class"]) == ([], None, None, None)


@pytest.mark.parametrize(
    ("story", "answer"),
    [
        ([], "not_yet"),
        (["suspected"], "under_review"),
        (["suspected", "visit"], "under_review"),
        (["suspected", "visit", "unfounded"], "recognised"),
        (["certified", "confirmed"], "under_review"),
        (["visit"], "recognised"),
    ],
)
async def test_answers_over_a_story(world, http, partner, story, answer):
    who = she(world)
    said = {
        "suspected": assessed(assessment(who, "suspected")),
        "certified": assessed(assessment(who)),
        "visit": visited(who),
        "unfounded": concluded(who, "unfounded"),
        "confirmed": concluded(who, "confirmed"),
    }
    await world.hear(enrolled(enrolment(who)), *(said[each] for each in story))
    assert (await check(http, partner)).json()["answer"] == answer


async def test_whoever_saw_the_person_hints_that_he_is_free(world, http, partner):
    await world.hear(enrolled(enrolment(she(world))), visited(she(world)))
    body = (await check(http, partner)).json()
    assert body["evidence_class"] == "in_person"
    assert body["outstanding_claims"][0] == {"claim": "not_in_custody", "with": "hrss", "hint": "seen_in_person"}


async def test_an_orphan_who_turns_eighteen_goes_on_until_his_owner_says_that_he_left_school(world, http, issuer):
    headers = issuer.headers("recognition.check", role="partner", programs=["orphan"], department="civil",
                             client_id="p-2") | WHY  # fmt: skip
    await world.hear(enrolled(enrolment(she(world)), program="orphan"), assessed(assessment(she(world))))
    body = (await check(http, headers, program="orphan")).json()
    # Of an age no machine makes an end: the claim is the owner's to fill, and nothing is proposed for a birthday.
    assert body["answer"] == "recognised"
    assert {"claim": "age_in_range", "with": "civil", "hint": None} in body["outstanding_claims"]
    assert await world.rows("SELECT 1 FROM proposal") == []


async def test_an_ended_enrolment_is_unknown(world, http, partner):
    who = she(world)
    await world.hear(
        enrolled(enrolment(who)), enrolled(enrolment(who, "ended"), received_at=NOW + timedelta(days=1)), visited(who)
    )
    assert (await check(http, partner)).json()["answer"] == "unknown"


async def test_fresher_evidence_can_be_asked_for(world, http, partner):
    await world.hear(enrolled(enrolment(she(world))), assessed(assessment(she(world), as_of=date(2023, 9, 10))))
    assert (await check(http, partner, max_age_days=30)).json()["answer"] == "not_yet"
    assert (await check(http, partner, max_age_days=60)).json()["answer"] == "recognised"


async def test_a_certificate_that_ended_is_not_yet_recognised(world, http, partner):
    await world.hear(enrolled(enrolment(she(world))), assessed(assessment(she(world), as_of=date(2022, 10, 2))))
    assert (await check(http, partner)).json()["answer"] == "not_yet"


async def test_two_partners_cannot_compare_their_pseudonyms(world, http, partner, issuer):
    await world.hear(enrolled(enrolment(she(world))), visited(she(world)))
    other = issuer.headers("recognition.check", programs=["*"], client_id="p-2") | WHY
    mine, theirs, again = [(await check(http, each)).json() for each in (partner, other, partner)]
    assert mine["person"] == again["person"] != theirs["person"]
    assert mine["certificate"] == again["certificate"] != theirs["certificate"]


@pytest.mark.parametrize("program", ["old_age_allow", "no_such_program"])
async def test_another_departments_program_is_not_there_and_the_try_is_logged(world, http, partner, program):
    answer = await check(http, partner, program=program)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert [(row["program"], row["answer"]) for row in await usage(world)] == [(program, "denied:not_found")]


async def test_a_token_of_another_scope_is_refused_and_logged(world, http, issuer):
    answer = await check(http, issuer.headers("ingest.upload", client_id="p-3") | WHY)
    assert answer.status_code == 403
    assert [(row["client_id"], row["answer"]) for row in await usage(world)] == [("p-3", "denied:forbidden")]


async def test_without_a_token_there_is_no_answer(world, http):
    assert (await check(http, WHY)).status_code == 401


async def test_an_expired_token_is_refused_and_logged(world, http, issuer):
    headers = issuer.headers("recognition.check", lifetime=-60, client_id="p-7") | WHY
    assert (await check(http, headers)).status_code == 401
    logged = await world.rows("SELECT client_id, user_ref, answer FROM usage")
    assert [tuple(row.values()) for row in logged] == [("unverified", "p-7", "denied:unauthorized")]


@pytest.mark.parametrize("missing", ["Purpose-Code", "Legal-Basis"])
async def test_nobody_is_looked_up_without_a_purpose_and_a_basis(world, http, partner, missing):
    answer = await check(http, {name: value for name, value in partner.items() if name != missing})
    assert answer.status_code == 422


@pytest.mark.parametrize("written", ["11010519491231002Y", "x" * 20, "110105194912310021"])
async def test_what_is_no_id_is_refused_without_an_echo_and_logged(world, http, partner, written):
    answer = await check(http, partner, citizen_id=written)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/body/citizen_id"
    assert written not in answer.text
    assert [row["answer"] for row in await usage(world)] == ["denied:malformed"]


async def test_every_writing_of_an_id_is_the_same_person(world, http, partner):
    await world.hear(enrolled(enrolment(she(world))), visited(she(world)))
    for written in ("11010519491231002x", "110105491231002", " 11010519491231002X"):
        assert (await check(http, partner, citizen_id=written)).json()["answer"] == "recognised"


async def test_a_batch_answers_each_item_in_its_place(world, http, partner):
    await world.hear(enrolled(enrolment(she(world))), visited(she(world)))
    items = [{"citizen_id": each} for each in (OTHER_ID, ID, "nonsense", ID)]
    body = {"program": "resident_pension", "items": items}
    answer = await http.post("/v1/recognitions:batch", json=body, headers=partner)
    assert answer.status_code == 200
    said = answer.json()["items"]
    assert [each.get("answer") or each["problem"]["code"] for each in said] == [
        "unknown",
        "recognised",
        "bad_citizen_id",
        "recognised",
    ]
    logged = [row["answer"] for row in await usage(world)]
    assert logged == ["unknown", "recognised", "recognised", "denied:bad_citizen_id"]


async def test_a_batch_says_of_each_what_a_check_says(world, http, partner):
    her, him = she(world), world.deps.subjects.one(OTHER_ID)
    await world.hear(*(enrolled(enrolment(each)) for each in (her, him)), visited(her, on=date(2023, 9, 30)),
                     assessed(assessment(him)))  # fmt: skip
    ids = [OTHER_ID, ID, "341602195005050013", "11010519491231002x"]
    body = {"program": "resident_pension", "items": [{"citizen_id": each} for each in ids]}
    said = (await http.post("/v1/recognitions:batch", json=body, headers=partner)).json()["items"]
    assert said == [(await check(http, partner, citizen_id=each)).json() for each in ids]
    assert [each["evidence_class"] for each in said] == ["data", "in_person", None, "in_person"]


async def test_a_batch_beyond_the_limit_is_refused_whole(world, http, partner):
    body = {"program": "resident_pension", "items": [{"citizen_id": ID}] * 1001}
    answer = await http.post("/v1/recognitions:batch", json=body, headers=partner)
    assert answer.status_code == 422
    assert [row["answer"] for row in await usage(world)] == ["denied:malformed"]


async def test_a_partner_sees_its_own_programs(world, http, partner):
    listed = (await http.get("/v1/programs", headers=partner)).json()["items"]
    assert [each["code"] for each in listed] == ["resident_pension"]
    one = (await http.get("/v1/programs/resident_pension", headers=partner)).json()
    assert (one["owner"], one["cycle_months"], one["claims"][0]) == ("hrss", 12, "alive")
    assert (await http.get("/v1/programs/dibao", headers=partner)).status_code == 404


async def test_an_operator_sees_every_program_and_the_figures(world, http, issuer):
    operator = issuer.headers("operate", "recognition.check")
    assert len((await http.get("/v1/programs", headers=operator)).json()["items"]) == len(list(FOLDER.glob("*.toml")))
    await world.hear(enrolled(enrolment(she(world))), visited(she(world)))
    assert (await http.get("/v1/figures", headers=operator)).json() == {
        "people": 1,
        "enrolments": 1,
        "certificates": 1,
        "certified_people": {"data": 0, "face": 0, "counter": 0, "home": 1, "remote": 0, "partner": 0},
        "under_review": 0,
        "due": 0,
        "checks": 0,
        "proposals_open": 0,
        "payments_stopped": 0,
        "recovered_fen": 0,
        "revocations_unacknowledged": 0,
    }


async def test_a_run_is_a_job_of_the_operator(world, http, issuer, partner):
    operator = issuer.headers("operate")
    started = await http.post("/v1/certification-runs", json={}, headers=operator)
    assert started.status_code == 202
    assert started.json()["run_on"] == TODAY.isoformat()
    seen = await http.get(started.headers["Location"], headers=operator)
    assert seen.json()["state"] == "queued"
    assert (await http.post("/v1/certification-runs", json={}, headers=partner)).status_code == 403
    assert (await http.get(f"/v1/certification-runs/{UUID(int=1)}", headers=operator)).status_code == 404
