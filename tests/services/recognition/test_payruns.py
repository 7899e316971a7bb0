"""Pay lists over HTTP: advice before the money leaves, and payments known afterwards, to the fen."""

from datetime import date, timedelta
from uuid import UUID

import pytest

from services.recognition.jobs import BulkLoop, MoneyLoop
from services.recognition.store import claims
from services.recognition.store.payments import newest_period
from tests.services.recognition.test_jobs import ID, OTHER_ID, THIRD_ID, in_small_parts, lines_of, person
from tests.services.recognition.world import WHY, assessed, assessment, concluded, enrolled, enrolment, visited

pytestmark = pytest.mark.db

CSV = {"Content-Type": "text/csv"}
DECISION = "7d6f0000-0000-7000-8000-000000000001"
LIST = (
    f"citizen_id,amount,ref\n{ID},200.00,a\n{OTHER_ID},182.5,b\n{THIRD_ID},200,c\n{ID},1,d\nx,1,e\n{OTHER_ID},abc,f\n"
)

__all__ = ["in_small_parts"]  # a fixture


@pytest.fixture
def partner(issuer):
    return issuer.headers("recognition.batch", role="partner", programs=["resident_pension", "reservoir"],
                          department="hrss", client_id="p-1") | WHY  # fmt: skip


async def send(http, partner, body=LIST, *, month="2023-11", program="resident_pension", **headers):
    query = {"program": program, "month": month}
    return await http.post("/v1/payruns", params=query, content=body.encode(), headers=partner | CSV | headers)


async def work(world):
    loop = BulkLoop(world.deps, world.deps.wake_bulk)
    while await loop.step():
        pass


async def advised(world, http, partner, **changes):
    answer = await send(http, partner, **changes)
    assert answer.status_code == 202, answer.text
    await work(world)
    run = (await http.get(answer.headers["Location"], headers=partner)).json()
    assert run["state"] == "advised"
    return run, lines_of(await http.get(run["result"]["href"], headers=partner))


async def stop(
    world, who, *, status="suspended", stops_from=date(2023, 11, 1), program="resident_pension", decision=DECISION
):
    """A stop as two officers decide it."""
    async with world.deps.database.write() as tx:
        await tx.run("INSERT INTO proposal (proposal_id, subject, program, reason, effect, opened_at, state) "
                     "VALUES ($1, $2, $3, 'death', 'terminate', now(), 'confirmed')", decision, who, program)  # fmt: skip
        await tx.run(
            "INSERT INTO decision (decision_id, proposal_id, subject, program, reason, effect, stops_from, amount_fen, "
            "grounds, decided_by, decided_at, confirmed_by, confirmed_at, state, notice_until) VALUES "
            "($1, $1, $2, $4, 'death', 'terminate', $3, 1, 'seen', 'a', now(), 'b', now(), "
            "'effective', '2023-10-01')", decision, who, stops_from, program)  # fmt: skip
        await tx.run("UPDATE enrolment SET status = $2, decision_id = $3 WHERE subject = $1", who, status, decision)


async def payments(world):
    return await world.rows("SELECT subject, program, month, amount_fen, paid_on FROM payment ORDER BY amount_fen")


async def test_each_line_is_paid_held_or_stopped_with_its_reason(world, http, partner):
    she, he, third = (person(world, each) for each in (ID, OTHER_ID, THIRD_ID))
    await world.hear(enrolled(*(enrolment(each) for each in sorted((she, he), key=str)[:1])),
                     enrolled(enrolment(she)), enrolled(enrolment(he)), visited(she))  # fmt: skip
    await world.hear(enrolled(enrolment(third)))
    await stop(world, third)
    run, said = await advised(world, http, partner)
    assert [(each["line"], each["ref"], each["advice"], each["reason"]) for each in said] == [
        (1, "a", "pay", None),
        (2, "b", "pay", None),
        (3, "c", "stop", None),
        (4, "d", "hold", "duplicate_line"),
        (5, "e", "hold", "bad_citizen_id"),
        (6, "f", "hold", "bad_amount"),
    ]
    assert [each["notes"] for each in said] == [[], ["not_certified", "amount_differs"], [], [], [], []]
    assert [each["decision"] for each in said] == [None, None, DECISION, None, None, None]
    assert run["counts"] == {
        "pay": 2, "stop": 1, "hold:duplicate_line": 1, "hold:bad_citizen_id": 1, "hold:bad_amount": 1,
        "pay_fen": 38250, "stop_fen": 20000, "hold_fen": 200,
    }  # fmt: skip
    assert (run["lines"], run["total_fen"], run["month"]) == (6, 58250, "2023-11-01")
    logged = await world.rows(
        "SELECT subject, answer FROM usage WHERE action = 'payrun' AND answer NOT LIKE 'result%' ORDER BY usage_id"
    )
    assert [row["answer"] for row in logged][:3] == ["pay", "pay", "stop"]
    assert [row["subject"] for row in logged][:3] == [she, he, third]


async def test_suspicion_is_noted_and_a_confirmed_case_holds(world, http, partner):
    she, he = person(world), person(world, OTHER_ID)
    await world.hear(enrolled(enrolment(she)), enrolled(enrolment(he)), assessed(assessment(she, "suspected")),
                     visited(he), concluded(he, "confirmed"))  # fmt: skip
    _, said = await advised(world, http, partner, body=f"citizen_id,amount\n{ID},200\n{OTHER_ID},200\n{THIRD_ID},200\n")
    assert [(each["advice"], each["reason"]) for each in said] == [
        ("pay", None), ("hold", "finding_confirmed"), ("hold", "not_enrolled"),
    ]  # fmt: skip
    assert said[0]["notes"] == ["not_certified", "under_review"]


@pytest.mark.parametrize(
    ("stops_from", "advice", "notes"),
    [(date(2023, 11, 1), "stop", []), (date(2023, 12, 1), "pay", ["last_payment"])],
)
async def test_the_month_of_death_is_still_paid(world, http, partner, stops_from, advice, notes):
    await world.hear(enrolled(enrolment(person(world))), visited(person(world)))
    await stop(world, person(world), status="terminated", stops_from=stops_from)
    _, said = await advised(world, http, partner, body=f"citizen_id,amount\n{ID},200\n")
    assert (said[0]["advice"], said[0]["notes"]) == (advice, notes)


async def test_payments_are_known_from_the_confirmation_to_the_fen(world, http, partner):
    she, he = person(world), person(world, OTHER_ID)
    await world.hear(enrolled(enrolment(she)), enrolled(enrolment(he)), visited(she))
    run, _ = await advised(world, http, partner)
    place = f"/v1/payruns/{run['payrun_id']}"
    body = {"paid_on": "2023-11-15", "not_paid": [2], "also_paid": [3]}
    async with world.deps.database.read() as tx:  # whoever is late is stopped after what is about to be paid
        for until, newest in ((date(2023, 11, 1), date(2023, 11, 1)), (date(2023, 10, 1), None)):
            assert await newest_period(tx, she, "resident_pension", lists_until=until) == newest
    second = await http.post(f"{place}:confirm", json={**body, "also_paid": [3, 4]}, headers=partner)
    assert (second.status_code, "by line 4:" in second.json()["detail"]) == (422, True)  # her second line
    answer = await http.post(f"{place}:confirm", json=body, headers=partner)
    assert (answer.status_code, answer.json()["state"]) == (202, "recording")
    await work(world)
    ended = (await http.get(place, headers=partner)).json()
    assert (ended["state"], ended["paid_lines"], ended["paid_fen"], ended["paid_on"]) == (
        "confirmed",
        2,
        40000,
        "2023-11-15",
    )
    rows = await payments(world)
    assert {(row["subject"], row["amount_fen"]) for row in rows} == {(she, 20000), (person(world, THIRD_ID), 20000)}
    assert {(row["program"], row["month"], row["paid_on"]) for row in rows} == {("resident_pension", date(2023, 11, 1), date(2023, 11, 15))}  # fmt: skip
    [where] = await world.rows("SELECT DISTINCT tableoid::regclass::text AS name FROM payment")
    assert where["name"] == "payment_202311"


async def test_a_long_list_is_advised_and_paid_as_a_short_one(world, http, partner, request):
    she, he = person(world), person(world, OTHER_ID)
    await world.hear(enrolled(enrolment(she)), enrolled(enrolment(he)), visited(she))
    _, whole = await advised(world, http, partner, month="2023-10")
    request.getfixturevalue("in_small_parts")
    run, said = await advised(world, http, partner)
    assert said == whole
    body = {"paid_on": "2023-11-15", "not_paid": [2], "also_paid": [3]}
    await http.post(f"/v1/payruns/{run['payrun_id']}:confirm", json=body, headers=partner)
    await work(world)
    assert {row["subject"] for row in await payments(world)} == {she, person(world, THIRD_ID)}


async def test_a_confirmation_counts_once_and_another_one_is_refused(world, http, partner):
    await world.hear(enrolled(enrolment(person(world))))
    run, _ = await advised(world, http, partner, body=f"citizen_id,amount\n{ID},200\n")
    place = f"/v1/payruns/{run['payrun_id']}:confirm"
    for _ in range(2):
        assert (await http.post(place, json={"paid_on": "2023-11-15"}, headers=partner)).status_code == 202
        await work(world)
    assert len(await payments(world)) == 1
    other = await http.post(place, json={"paid_on": "2023-11-16"}, headers=partner)
    assert other.status_code == 409
    assert (await http.delete(f"/v1/payruns/{run['payrun_id']}", headers=partner)).status_code == 409


async def test_who_was_paid_for_the_month_is_held_in_the_next_list(world, http, partner):
    await world.hear(enrolled(enrolment(person(world))))
    one = f"citizen_id,amount\n{ID},200\n"
    run, _ = await advised(world, http, partner, body=one)
    await http.post(f"/v1/payruns/{run['payrun_id']}:confirm", json={"paid_on": "2023-11-15"}, headers=partner)
    _, again = await advised(world, http, partner, body=one)
    assert (again[0]["advice"], again[0]["reason"]) == ("hold", "already_paid")
    _, later = await advised(world, http, partner, body=one, month="2023-12")
    assert later[0]["advice"] == "pay"


@pytest.mark.parametrize(
    "body",
    [
        {"paid_on": "2023-11-15", "not_paid": [9]},
        {"paid_on": "2023-11-15", "not_paid": [1], "also_paid": [1]},
        {"paid_on": "2023-11-15", "not_paid": [1, 1]},
        {"paid_on": "1999-11-15"},
        {"paid_on": "2023-11-15", "not_paid": [0]},
        {},
    ],
)
async def test_a_confirmation_that_cannot_be_is_refused(world, http, partner, body):
    run, _ = await advised(world, http, partner, body=f"citizen_id,amount\n{ID},200\n")
    answer = await http.post(f"/v1/payruns/{run['payrun_id']}:confirm", json=body, headers=partner)
    assert answer.status_code == 422
    assert await payments(world) == []


async def test_a_list_without_amounts_or_month_is_refused(world, http, partner):
    assert (await send(http, partner, body=f"citizen_id\n{ID}\n")).json()["code"] == "bad_list"
    assert (await send(http, partner, body="")).status_code == 422
    for month in ("2023-13", "2023-1", "0000-01", "9999-12", "2029-01"):
        assert (await send(http, partner, month=month)).status_code == 422


async def test_a_half_yearly_program_pays_for_its_half_year(world, http, partner):
    run, _ = await advised(world, http, partner, program="reservoir", body=f"citizen_id,amount\n{ID},600\n")
    assert run["month"] == "2023-07-01"


async def test_another_partners_pay_list_is_not_there(world, http, partner, issuer):
    run, _ = await advised(world, http, partner)
    other = issuer.headers("recognition.batch", programs=["*"], client_id="p-2")
    place = f"/v1/payruns/{run['payrun_id']}"
    calls = [("GET", place), ("DELETE", place), ("GET", f"{place}/result"), ("POST", f"{place}:confirm")]
    for method, path in calls:
        body = {"paid_on": "2023-11-15"} if method == "POST" else None
        assert (await http.request(method, path, headers=other, json=body)).status_code == 404
    assert (await http.get(f"/v1/jobs/{run['payrun_id']}", headers=partner)).status_code == 404
    denied = await world.rows("SELECT FROM usage WHERE client_id = 'p-2' AND answer = 'denied:not_found'")
    assert len(denied) == len(calls)


async def test_a_list_is_confirmed_long_after_its_result_is_gone(world, http, partner):
    await world.hear(enrolled(enrolment(person(world))))
    run, _ = await advised(world, http, partner, body=f"citizen_id,amount\n{ID},200\n")
    loop, place = BulkLoop(world.deps, world.deps.wake_bulk), f"/v1/payruns/{run['payrun_id']}"
    world.deps.clock.move(timedelta(days=30))
    await loop.clear_up()
    assert (await http.get(f"{place}/result", headers=partner)).status_code == 410
    assert (await http.get(place, headers=partner)).json()["state"] == "advised"
    assert (await http.post(f"{place}:confirm", json={"paid_on": "2023-11-15"}, headers=partner)).status_code == 202
    await loop.clear_up()  # as an idle process beside the one that records
    await work(world)
    assert len(await payments(world)) == 1

    other, _ = await advised(world, http, partner, body=f"citizen_id,amount\n{ID},200\n", month="2023-12")
    world.deps.clock.move(timedelta(days=93))
    await loop.clear_up()
    place = f"/v1/payruns/{other['payrun_id']}"
    assert (await http.get(place, headers=partner)).json()["state"] == "lapsed"
    late = await http.post(f"{place}:confirm", json={"paid_on": "2023-12-15"}, headers=partner)
    assert late.status_code == 409


async def test_a_confirmed_list_waits_for_its_payments_whatever_its_age(world, http, partner):
    await world.hear(enrolled(enrolment(person(world))))
    run, _ = await advised(world, http, partner, body=f"citizen_id,amount\n{ID},200\n")
    await http.post(f"/v1/payruns/{run['payrun_id']}:confirm", json={"paid_on": "2023-11-15"}, headers=partner)
    world.deps.clock.move(timedelta(days=100))
    await BulkLoop(world.deps, world.deps.wake_bulk).clear_up()
    await work(world)
    assert len(await payments(world)) == 1


async def test_payments_that_cannot_be_kept_hold_up_nobody_and_are_kept_later(world, http, partner, monkeypatch):
    await world.hear(enrolled(enrolment(person(world))))
    runs = [await advised(world, http, partner, body=f"citizen_id,amount\n{ID},200\n", month=f"2023-{month}")
            for month in (10, 11)]  # fmt: skip
    places = [f"/v1/payruns/{run['payrun_id']}" for run, _ in runs]
    for place in places:
        await http.post(f"{place}:confirm", json={"paid_on": "2023-11-15"}, headers=partner)
    files, read = type(world.deps.bulk.files), type(world.deps.bulk.files).read_part

    def broken(self, job_id, *rest):
        if str(job_id) in places[0]:
            raise OSError
        return read(self, job_id, *rest)

    with monkeypatch.context() as broken_store:
        broken_store.setattr(files, "read_part", broken)
        job = await http.post("/v1/jobs", params={"program": "resident_pension"}, headers=partner)
        for _ in range(4):  # the loop rests after each failure
            await work(world)
        assert (await http.get(job.headers["Location"], headers=partner)).json()["state"] == "succeeded"
        states = [(await http.get(place, headers=partner)).json()["state"] for place in places]
        assert states == ["recording", "confirmed"]
    await work(world)
    assert len(await payments(world)) == 2


async def test_a_list_whose_parts_are_gone_has_to_come_again(world, http, partner):
    await world.hear(enrolled(enrolment(person(world))))
    run, _ = await advised(world, http, partner, body=f"citizen_id,amount\n{ID},200\n")
    place = f"/v1/payruns/{run['payrun_id']}"
    await http.post(f"{place}:confirm", json={"paid_on": "2023-11-15"}, headers=partner)
    world.deps.bulk.files.drop(UUID(run["payrun_id"]))
    await work(world)
    assert (await http.get(place, headers=partner)).json()["state"] == "lapsed"
    assert await payments(world) == []


async def claimed_after(world, http, headers, run, line):
    """What is claimed back once the line is confirmed as paid, whatever was advised."""
    also = [] if line["advice"] == "pay" else [1]
    said = {"paid_on": "2023-11-01", "also_paid": also}
    assert (await http.post(f"/v1/payruns/{run['payrun_id']}:confirm", json=said, headers=headers)).status_code == 202
    await work(world)
    return await gathered(world)


async def gathered(world):
    while await MoneyLoop(world.deps).step():
        pass
    async with world.deps.database.read() as tx:
        assert await claims.list_late(tx, {"ex_village_doctor": 3}) == []  # nobody is looked at for nothing
    return sum(row["due_fen"] for row in await world.rows("SELECT due_fen FROM overpayment"))


@pytest.mark.parametrize(
    ("amount", "stops_from", "said", "claimed"),
    [
        ("600", None, ("pay", None, []), 0),
        ("200", None, ("pay", None, ["amount_differs"]), 0),
        ("600", date(2023, 8, 1), ("hold", "part_due", []), 40_000),
        ("200", date(2023, 8, 1), ("pay", None, ["last_payment"]), 0),
        ("400", date(2023, 8, 1), ("hold", "part_due", []), 20_000),
        ("400", date(2023, 9, 1), ("pay", None, ["last_payment"]), 0),
        ("600", date(2023, 10, 1), ("pay", None, ["last_payment"]), 0),
        ("600", date(2023, 7, 1), ("stop", None, []), 60_000),
    ],
)
async def test_of_a_quarter_the_months_before_a_stop_are_paid_and_no_others(  # noqa: PLR0917
    world, http, issuer, amount, stops_from, said, claimed
):
    quarterly = issuer.headers("recognition.batch", role="partner", programs=["ex_village_doctor"], department="health",
                               client_id="p-1") | WHY  # fmt: skip
    await world.hear(enrolled(enrolment(person(world)), program="ex_village_doctor"), visited(person(world)))
    if stops_from:
        await stop(world, person(world), program="ex_village_doctor", stops_from=stops_from)
    run, lines = await advised(world, http, quarterly, body=f"citizen_id,amount\n{ID},{amount}\n",
                               program="ex_village_doctor", month="2023-08")  # fmt: skip
    assert (lines[0]["advice"], lines[0]["reason"], lines[0]["notes"]) == said
    assert lines[0]["decision"] == (DECISION if said[:2] in {("stop", None), ("hold", "part_due")} else None)
    assert await claimed_after(world, http, quarterly, run, lines[0]) == claimed
    if stops_from:  # who turns out to have died before is claimed the rest of him, once
        later = DECISION.replace("7d6f", "7d70")
        await stop(world, person(world), program="ex_village_doctor", stops_from=date(2023, 7, 1), decision=later)
        assert [await gathered(world) for _ in range(2)] == [int(amount) * 100] * 2


async def test_whoever_was_paid_an_increase_within_a_quarter_is_looked_at_no_more(world, http, issuer):
    quarterly = issuer.headers("recognition.batch", role="partner", programs=["ex_village_doctor"], department="health",
                               client_id="p-1") | WHY  # fmt: skip
    await world.hear(enrolled(enrolment(person(world)), program="ex_village_doctor"), visited(person(world)))
    async with world.deps.database.write() as tx:
        await tx.run("INSERT INTO enrolment_amount SELECT subject, program, '2023-08-01', 25000 FROM enrolment")
    await stop(world, person(world), program="ex_village_doctor", stops_from=date(2023, 9, 1))
    run, lines = await advised(world, http, quarterly, body=f"citizen_id,amount\n{ID},450\n",
                               program="ex_village_doctor", month="2023-08")  # fmt: skip
    assert await claimed_after(world, http, quarterly, run, lines[0]) == 0


@pytest.mark.parametrize(
    ("amount", "month", "again", "said", "claimed"),
    [
        ("600", 8, False, ("part_due", []), 40_000),
        ("200", 8, False, (None, []), 0),
        ("600", 7, False, ("already_paid", []), 60_000),
        ("600", 8, None, ("part_due", []), 0),  # nobody was stopped: August and September were a term that is over
        ("200", 8, True, (None, ["last_payment"]), 0),  # what is settled behind another stop takes nothing before it
    ],
)
async def test_of_a_quarter_the_months_that_a_lift_has_not_paid_back_are_paid(  # noqa: PLR0917
    world, http, issuer, amount, month, again, said, claimed
):
    quarterly = issuer.headers("recognition.batch", role="partner", programs=["ex_village_doctor"], department="health",
                               client_id="p-1") | WHY  # fmt: skip
    await world.hear(enrolled(enrolment(person(world)), program="ex_village_doctor"), visited(person(world)))
    await stop(world, person(world), program="ex_village_doctor", stops_from=date(2023, month, 1))
    async with world.deps.database.write() as tx:
        await tx.run("UPDATE enrolment SET status = 'active', decision_id = NULL")
        await tx.run("UPDATE decision SET state = 'lifted'")
        await tx.run(
            "INSERT INTO arrears (decision_id, subject, program, reason, rule, suspended_from, paid_again_from, "
            "arrears_fen, lifted_by, lifted_at) SELECT decision_id, subject, program, 'not_confirmed', 'all', "
            "stops_from, '2023-11-01', 40000, 'officer-3', '2023-10-31' FROM decision"
        )
        if again is None:
            await tx.run("UPDATE proposal SET state = 'rejected', reason = 'imprisonment', effect = 'suspend', "
                         "stops_from = '2023-08-01', passed_on = '2023-10-20'")  # fmt: skip
            await tx.run("DELETE FROM arrears")
            await tx.run("DELETE FROM decision")
    if again:
        later = DECISION.replace("7d6f", "7d70")
        await stop(world, person(world), program="ex_village_doctor", stops_from=date(2023, 8, 1), decision=later)
    run, lines = await advised(world, http, quarterly, body=f"citizen_id,amount\n{ID},{amount}\n",
                               program="ex_village_doctor", month="2023-08")  # fmt: skip
    assert (lines[0]["reason"], lines[0]["notes"], lines[0]["decision"]) == (*said, None)
    assert await claimed_after(world, http, quarterly, run, lines[0]) == claimed
