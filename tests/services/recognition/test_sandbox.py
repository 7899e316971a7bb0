"""The sandbox: synthetic people answered by the same rules, flagged everywhere, in no count, feed, task or notice."""

import json
from typing import Any

import polars as pl
import pytest

from services.ingest.domain import citizen_id as at_ingest
from services.recognition.domain.citizen_id import normalise
from services.recognition.domain.sandbox import synthetic_id
from services.recognition.jobs import RunLoop
from services.recognition.programs import load
from services.recognition.usecases.runs import request_run
from tests.services.recognition.test_jobs import CSV, ask, done, lines_of, work
from tests.services.recognition.test_payruns import advised
from tests.services.recognition.world import World, enrolled, enrolment, subject

pytestmark = pytest.mark.db
CODE = "sandbox_pension"
PEOPLE = {each.says: each for each in load()[CODE].people}
CERTIFIED = "00000019500101001X"
STRANGER = "000000199001010018"
REAL = "11010519491231002X"
WHY = {"Purpose-Code": "trial", "Legal-Basis": "sandbox"}


@pytest.fixture
def partner(issuer):
    return issuer.headers("recognition.check", "recognition.batch", "recognition.certify", role="partner",
                          programs=[CODE, "resident_pension"], department="data_bureau", client_id="p-1") | WHY  # fmt: skip


async def check(http, partner, citizen_id=CERTIFIED, **changes):
    body = {"program": CODE, "citizen_id": citizen_id, **changes}
    return await http.post("/v1/recognitions:check", json=body, headers=partner)


def counted(figures: dict[str, Any]) -> list[str]:
    """Which figures count anything."""
    return [name for name, said in figures.items() if any(said.values() if isinstance(said, dict) else [said])]


def test_its_ids_can_be_nobodys():
    for person in PEOPLE.values():
        assert synthetic_id(person.citizen_id) == person.citizen_id
        assert normalise(person.citizen_id) is None
    numbers = at_ingest.check(pl.Series([each.citizen_id for each in PEOPLE.values()]), this_year=2026)
    assert (numbers.fault != 0).all()
    assert synthetic_id(REAL) is None


@pytest.mark.parametrize(
    ("number", "answer", "until"),
    [
        ("00000019500101001X", "recognised", "2024-08-31"),
        ("000000194802130025", "recognised", "2024-10-31"),
        ("000000194106070030", "not_yet", None),
        ("000000195509200041", "not_yet", None),
        ("000000193911110053", "under_review", None),
        ("000000194703050062", "not_yet", None),
        (STRANGER, "unknown", None),
    ],
)
async def test_each_synthetic_person_shows_what_a_developer_has_to_handle(http, partner, number, answer, until):
    said = (await check(http, partner, number)).json()
    assert (said["answer"], said["valid_until"], said["sandbox"]) == (answer, until, True)


async def test_freshness_and_the_certificates_reference_work_as_with_real_people(http, partner):
    assert (await check(http, partner, max_age_days=30)).json()["answer"] == "not_yet"
    reference = (await check(http, partner)).json()["certificate"]
    shown = await http.get(f"/v1/certificates/{reference}", headers=partner)
    assert (shown.json()["as_of"], shown.json()["sandbox"]) == ("2023-08-03", True)
    again = await http.get(f"/v1/certificates/{reference}", headers=partner | {"If-None-Match": shown.headers["ETag"]})
    assert again.status_code == 304


@pytest.mark.parametrize("program", [CODE, "resident_pension"])
async def test_real_and_synthetic_people_never_meet(http, partner, world, program):
    number, code = (REAL, "not_synthetic") if program == CODE else (CERTIFIED, "bad_citizen_id")
    answer = await check(http, partner, number, program=program)
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, code)
    assert number not in answer.text
    assert await world.rows("SELECT subject FROM usage") == [{"subject": None}]


async def test_a_batch_flags_each_item_and_says_what_is_no_synthetic_id(world, http, partner):
    body = {"program": CODE, "items": [{"citizen_id": each} for each in (CERTIFIED, REAL, STRANGER)]}
    items = (await http.post("/v1/recognitions:batch", json=body, headers=partner)).json()["items"]
    assert [each.get("answer") or each["problem"]["code"] for each in items] == [
        "recognised", "not_synthetic", "unknown"]  # fmt: skip
    assert [each.get("sandbox") for each in items] == [True, None, True]
    logged = [tuple(row.values()) for row in await world.rows("SELECT subject, answer FROM usage ORDER BY usage_id")]
    assert logged == [(None, f"sandbox:{answer}") for answer in ("recognised", "unknown")] + [
        (None, "denied:not_synthetic")
    ]


async def test_a_list_and_the_whole_sandbox_are_worked_off_in_the_words_of_a_check(world, http, partner):
    body = f"citizen_id,ref\n{CERTIFIED},a\n{REAL},b\n{STRANGER},c\n".encode()
    job, result = await done(world, http, partner, await ask(http, partner | CSV, body, program=CODE))
    said = lines_of(result)
    assert [each["answer"] or each["problem"]["code"] for each in said] == ["recognised", "bad_citizen_id", "unknown"]
    single = (await check(http, partner)).json()
    same = ("person", "valid_until", "certificate", "outstanding_claims", "evidence_class", "sandbox")
    assert {name: said[0][name] for name in same} == {name: single[name] for name in same}
    assert (job["sandbox"], [each["sandbox"] for each in said]) == (True, [True] * 3)
    job, result = await done(world, http, partner, await ask(http, partner, program=CODE))
    assert (job["done"], job["counts"]) == (6, {"recognised": 2, "not_yet": 3, "under_review": 1})
    assert {each["sandbox"] for each in lines_of(result)} == {True}
    assert await world.rows("SELECT FROM usage WHERE subject IS NOT NULL OR answer NOT LIKE 'sandbox:%'") == []


async def test_a_pay_list_is_advised_on_and_its_confirmation_pays_nobody(world, http, partner, issuer):
    numbers = (CERTIFIED, "000000193911110053", "000000194703050062", STRANGER)
    body = "citizen_id,amount\n" + "".join(f"{each},200\n" for each in numbers)
    run, said = await advised(world, http, partner, body=body, program=CODE)
    assert [(each["advice"], each["reason"], each["notes"]) for each in said] == [
        ("pay", None, []), ("pay", None, ["under_review"]), ("stop", None, []), ("hold", "not_enrolled", [])]  # fmt: skip
    assert (run["sandbox"], {each["sandbox"] for each in said}) == (True, {True})
    path = f"/v1/payruns/{run['payrun_id']}"
    await http.post(f"{path}:confirm", json={"paid_on": "2023-11-15"}, headers=partner)
    await work(world)
    paid = (await http.get(path, headers=partner)).json()
    assert (paid["state"], paid["paid_lines"], paid["paid_fen"]) == ("confirmed", 2, 40_000)
    assert await world.rows("SELECT FROM payment") == await world.rows("SELECT FROM outbox") == []
    figures = (await http.get("/v1/figures", headers=issuer.headers("operate"))).json()
    assert counted(figures) == []


async def test_nothing_of_it_is_counted_looked_for_or_told(world: World, http, partner, issuer):
    await check(http, partner)
    await world.hear(enrolled(enrolment(subject(1)), program=CODE))
    async with world.deps.database.write() as tx:
        await request_run(world.deps, tx, "operator-1")
    loop = RunLoop(world.deps, world.deps.wake_runs)
    while await loop.step():
        pass
    figures = (await http.get("/v1/figures", headers=issuer.headers("operate"))).json()
    assert counted(figures) == []
    assert await world.rows("SELECT FROM outbox") == []
    assert (await http.get("/v1/events", headers=partner)).json()["items"] == []
    logged = await world.rows("SELECT action, program, answer FROM usage WHERE action = 'check'")
    assert [tuple(row.values()) for row in logged] == [("check", CODE, "sandbox:recognised")]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/certificates", {"program": CODE, "citizen_id": CERTIFIED, "certified_on": "2023-10-01",
                              "method": "onsite", "reference": "r-1"}),
        ("/v1/corrections", {"program": CODE, "citizen_id": CERTIFIED, "reason": "trial"}),
        ("/v1/certification-cycles:check", {"program": CODE, "citizen_id": CERTIFIED}),
    ],
    ids=["certificate", "correction", "cycle"],
)  # fmt: skip
async def test_what_would_be_counted_paid_or_told_is_refused(http, partner, path, body):
    answer = await http.post(path, content=json.dumps(body) if body else b"",
                             headers=partner | {"Content-Type": "application/json"})  # fmt: skip
    assert (answer.status_code, answer.json()["code"]) == (409, "sandbox")


async def test_its_program_says_so(http, partner):
    listed = (await http.get("/v1/programs", headers=partner)).json()["items"]
    assert {each["code"]: each["sandbox"] for each in listed} == {CODE: True, "resident_pension": False}
