"""A benefit rests where a decision on it is still owed, and nowhere else; what it found holds no other benefit."""

from datetime import date, timedelta
from uuid import uuid4

import pytest

from services.notify.domain.words import ENDINGS
from services.recognition.domain.arrears import GOES_ON
from services.recognition.domain.feed import CHASED, EventKind
from services.recognition.domain.programs import EndingEvent
from services.recognition.usecases import proposing
from shared.contracts.events.recognition import ENROLMENT_RESUMED, NOTICE_GIVEN
from shared.contracts.vocabulary import SuspicionKind
from tests.services.recognition.rights import Officers, facts, stop_verified, tell
from tests.services.recognition.test_jobs import ID, person
from tests.services.recognition.test_payruns import advised
from tests.services.recognition.world import (
    NOW,
    WHY,
    assessed,
    assessment,
    concluded,
    enrolled,
    enrolment,
    message,
    subject,
)

pytestmark = pytest.mark.db
ALL = ("resident_pension", "dibao", "old_age_allow", "farmland")


@pytest.fixture
def she(world):
    return person(world)


@pytest.fixture
def officers(http, issuer):
    return Officers(http, issuer)


@pytest.fixture
def partner(issuer):
    return issuer.headers("recognition.check", "recognition.batch", role="partner", programs=["*"], department="hrss",
                          client_id="p-1") | WHY  # fmt: skip


@pytest.fixture
def stands(world, http, partner):
    """Of each program the advice on her line and the answer about her."""

    async def ask(*programs: str, month: str = "2023-11"):
        found = {}
        for program in programs:
            _, lines = await advised(world, http, partner, body=f"citizen_id,amount\n{ID},200\n", program=program,
                                     month=month)  # fmt: skip
            question = {"program": program, "citizen_id": ID}
            answer = (await http.post("/v1/recognitions:check", json=question, headers=partner)).json()["answer"]
            found[program] = (lines[0]["reason"] or lines[0]["advice"], answer)
        return found

    return ask


async def proposal(officers, program):
    [found] = [each for each in await officers.proposals() if each["program"] == program]
    return found["proposal_id"]


async def carry_out(world, officers, who, program, **changes):
    """Two officers decide, she is told, it takes effect; the decision."""
    decision = await officers.decided(await proposal(officers, program), **changes)
    await tell(world, who)
    world.deps.clock.move(timedelta(days=31))
    answer = await officers.post(f"/v1/decisions/{decision}:carry-out")
    assert answer.json()["state"] == "effective", answer.text
    return decision


async def lift(officers, decision, reason, passed_on):
    return await officers.post(f"/v1/decisions/{decision}:lift", body={"reason": reason, "passed_on": passed_on})


async def test_imprisonment_holds_no_benefit_that_has_nothing_to_do_with_it(world, officers, she, stands):
    await world.hear(
        *(enrolled(enrolment(she), program=program) for program in ALL),
        assessed(assessment(she)),
        assessed(assessment(she, "suspected"), at=NOW + timedelta(minutes=1)),
        concluded(she, "confirmed", kind="suspected_incarceration"),
    )
    held, paid = ("finding_confirmed", "under_review"), ("pay", "recognised")
    assert await stands(*ALL) == {
        "resident_pension": held, "dibao": held, "old_age_allow": paid, "farmland": paid,
    }  # fmt: skip
    assert {each["program"] for each in await officers.proposals()} == {"resident_pension", "dibao"}

    reduced = await officers.decided(await proposal(officers, "dibao"))
    stopped = await carry_out(world, officers, she, "resident_pension")
    assert await stands(*ALL, month="2023-12") == {
        "resident_pension": ("stop", "not_yet"), "dibao": ("reduced", "recognised"), "old_age_allow": paid,
        "farmland": paid,
    }  # fmt: skip
    less = enrolment(she, amount_fen=15_000)  # the roster says the new amount: what is asked for above it is only noted
    await world.hear(enrolled(less, program="dibao", received_at=NOW + timedelta(days=31)))
    assert (await lift(officers, stopped, "imprisonment", "2023-12-01")).status_code == 200
    assert await stands(*ALL, month="2024-01") == dict.fromkeys(ALL, paid)
    undone = await lift(officers, reduced, "imprisonment", "2023-12-01")
    assert (undone.json()["decision"]["state"], undone.json()["arrears_fen"]) == ("lifted", 0)
    assert (await facts(world, NOTICE_GIVEN))[-1]["kind"] == "withdrawn"


async def test_the_benefit_that_is_kept_is_not_held_by_the_end_of_the_other(world, officers, she, stands):
    await world.hear(
        enrolled(enrolment(she)), enrolled(enrolment(she), program="land_loss_pension"), assessed(assessment(she)),
        concluded(she, "confirmed", kind="duplicate_receipt"),
    )  # fmt: skip
    await officers.post(f"/v1/proposals/{await proposal(officers, 'resident_pension')}:reject")
    await carry_out(world, officers, she, "land_loss_pension")
    assert await stands("resident_pension", "land_loss_pension", month="2023-12") == {
        "resident_pension": ("pay", "recognised"), "land_loss_pension": ("stop", "unknown"),
    }  # fmt: skip


async def test_a_dead_payee_is_held_until_the_roster_names_another_or_the_death_was_none(world, officers, she, stands):
    await world.hear(
        enrolled(enrolment(she), program="farmland"), assessed(assessment(she)), concluded(she, "confirmed")
    )
    decision = await officers.decided(await proposal(officers, "farmland"))
    assert await stands("farmland") == {"farmland": ("finding_confirmed", "under_review")}
    assert await world.rows("SELECT 1 FROM holding") == []  # two officers say he died before that day
    assert (await lift(officers, decision, "false_death", "2023-11-01")).status_code == 200
    assert await stands("farmland") == {"farmland": ("pay", "recognised")}


async def test_a_false_death_restores_where_one_department_lifts_and_waits_in_the_other_s_list(
    world, http, issuer, she, stands
):
    three = ("resident_pension", "old_age_allow", "vet_war")
    await world.hear(
        *(enrolled(enrolment(she), program=program) for program in (*three, "dibao")), assessed(assessment(she)),
        concluded(she, "confirmed"),
    )  # fmt: skip
    hrss, civil = (Officers(http, issuer, programs=codes) for codes in (three[:1], ["old_age_allow", "dibao"]))
    first = await carry_out(world, hrss, she, "resident_pension")
    second = await carry_out(world, civil, she, "old_age_allow")
    lowered = await civil.decided(await proposal(civil, "dibao"))
    assert (await civil.get("/v1/work")).json()["counts"] == {}

    lifted = (await lift(hrss, first, "false_death", "2024-01-01")).json()
    assert (lifted["decision"]["state"], lifted["also"]) == ("lifted", [])
    assert (await civil.get("/v1/work")).json()["counts"] == {"reinstate": 2}
    # What nobody had decided falls with it; the other department's stop is its own to lift.
    assert await stands(*three, month="2024-02") == {
        "resident_pension": ("pay", "recognised"), "old_age_allow": ("stop", "unknown"), "vet_war": ("pay", "recognised"),
    }  # fmt: skip
    assert (await lift(civil, second, "false_death", "2024-01-01")).json()["also"] == [lowered]
    assert (await civil.get("/v1/work")).json()["counts"] == {}
    assert await stands("old_age_allow", month="2024-02") == {"old_age_allow": ("pay", "recognised")}


async def test_every_program_that_was_told_of_a_false_death_is_told_and_only_stopped_ones_are_apologised_for(
    world, officers, she
):
    three = ("resident_pension", "old_age_allow", "vet_war")
    await world.hear(
        *(enrolled(enrolment(she), program=program) for program in three), assessed(assessment(she)),
        concluded(she, "confirmed"),
    )  # fmt: skip
    await officers.decided(await proposal(officers, "old_age_allow"))
    stopped = await carry_out(world, officers, she, "resident_pension")
    assert (await lift(officers, stopped, "false_death", "2023-12-01")).status_code == 200

    told = await world.rows("SELECT program, kind, reason FROM partner_event ORDER BY program")
    assert told == [{"program": each, "kind": "death.retracted", "reason": "false_death"} for each in sorted(three)]
    notices = [(each["kind"], each["programs"], each["reason"]) for each in await facts(world, NOTICE_GIVEN)]
    assert notices[-1] == ("apology", ["resident_pension"], "false_death")
    assert ("withdrawn", ["old_age_allow"], "false_death") in notices
    assert EventKind.DEATH_RETRACTED in CHASED


@pytest.mark.parametrize(
    ("kind", "reason", "status"),
    [
        ("suspected_incarceration", "overdue", 409),
        ("suspected_incarceration", "false_death", 409),
        ("suspected_incarceration", "own_request", 409),
        ("suspected_incarceration", "imprisonment", 200),
        ("suspected_death", "imprisonment", 409),
        ("suspected_death", "not_confirmed", 409),
        ("suspected_missing", "missing_declared_dead", 409),
        ("duplicate_receipt", "false_death", 409),
        ("duplicate_receipt", "not_confirmed", 200),
    ],
)
async def test_a_stop_is_lifted_for_what_ends_its_own_reason(world, officers, she, kind, reason, status):
    await world.hear(enrolled(enrolment(she)), concluded(she, "confirmed", kind=kind))
    decision = await carry_out(world, officers, she, "resident_pension")
    answer = await lift(officers, decision, reason, "2023-12-01")
    assert answer.status_code == status, answer.text
    if status != 200:
        assert answer.json()["code"] == "wrong_reason"
        assert await world.rows("SELECT 1 FROM certificate") == await world.rows("SELECT 1 FROM arrears") == []


@pytest.mark.parametrize(
    "changes", [{"passed_on": "2023-12-03"}, {"requested_on": "2023-12-03"}, {"passed_on": "2023-08-19"}]
)
async def test_nothing_is_lifted_for_a_day_to_come_or_before_its_reason(world, officers, she, changes):
    await world.hear(enrolled(enrolment(she)), concluded(she, "confirmed", kind="suspected_incarceration"))
    decision = await carry_out(world, officers, she, "resident_pension")
    body = {"reason": "imprisonment", "passed_on": "2023-12-01", **changes}
    assert (await officers.post(f"/v1/decisions/{decision}:lift", body=body)).status_code == 422
    assert (await world.rows("SELECT status FROM enrolment"))[0]["status"] == "suspended"


async def test_payments_go_on_for_what_ended_the_stop_and_a_withdrawn_one_stopped_nothing(world, officers, she):
    await world.hear(enrolled(enrolment(she)), concluded(she, "confirmed", kind="suspected_incarceration"))
    stopped = await carry_out(world, officers, she, "resident_pension")
    await lift(officers, stopped, "imprisonment", "2023-12-01")
    [fact] = await facts(world, ENROLMENT_RESUMED)
    notices = [(each["kind"], each["reason"]) for each in await facts(world, NOTICE_GIVEN)]
    assert (fact["reason"], notices[-1]) == ("released", ("resumed", "released"))

    other = subject(5)
    await world.hear(enrolled(enrolment(other)), concluded(other, "confirmed"))
    decision = await officers.decided(await proposal(officers, "resident_pension"))
    await officers.post(f"/v1/decisions/{decision}:withdraw", body={"not_about_death": True})
    last = (await facts(world, NOTICE_GIVEN))[-1]
    assert (last["kind"], last["reason"], last["subject"]) == ("withdrawn", "not_so", str(other))


def test_every_reason_to_go_on_has_words_and_none_reads_as_the_reason_of_a_stop():
    said = {code for reason, code in GOES_ON.items() if reason != "missing_declared_dead"}
    assert said <= set(ENDINGS)
    assert not said & set(EndingEvent)


@pytest.mark.parametrize(
    ("beneath", "above", "why", "status", "arrears"),
    [
        ("suspected_incarceration", "suspected_death", "false_death", "suspended", 0),
        ("suspected_incarceration", "duplicate_receipt", "not_confirmed", "suspended", 0),
        ("suspected_missing", "suspected_death", "false_death", "active", (3 + 3) * 20_000),  # from March, from June
    ],
)
async def test_a_false_end_lifts_of_what_is_beneath_only_what_it_answers_and_pays_back_both(  # noqa: PLR0917
    world, officers, she, stands, beneath, above, why, status, arrears
):
    await world.hear(enrolled(enrolment(she)), concluded(she, "confirmed", kind=beneath))
    first = await carry_out(world, officers, she, "resident_pension")
    await world.hear(concluded(she, "confirmed", kind=above))
    second = await carry_out(world, officers, she, "resident_pension", stops_from="2024-06-01")
    world.deps.clock.move(timedelta(days=212))  # the first of August
    assert (await stands("resident_pension", month="2024-03"))["resident_pension"][0] == "stop"
    lifted = (await lift(officers, second, why, "2024-08-01")).json()
    if arrears:  # by what they are paid no run pays, and from then on the runs do
        for month, said in (("2024-08", ("already_paid", "recognised")), ("2024-09", ("pay", "recognised"))):
            assert (await stands("resident_pension", month=month))["resident_pension"] == said
    assert (lifted["decision"]["state"], lifted["arrears_fen"]) == ("lifted", arrears)
    [row] = await world.rows("SELECT status, decision_id FROM enrolment")
    assert (row["status"], row["decision_id"] and str(row["decision_id"])) == (
        status, first if status == "suspended" else None,
    )  # fmt: skip
    assert len(await facts(world, ENROLMENT_RESUMED)) == (status == "active")
    off = [each["decision_id"] for each in await facts(world, NOTICE_GIVEN) if each["kind"] == "other_stands"]
    assert off == ([second] if status == "suspended" else [])
    assert (await lift(officers, first, "imprisonment", "2024-08-01")).status_code == (
        200 if status == "suspended" else 409
    )


@pytest.mark.parametrize(
    ("first", "meanwhile", "why", "waits"),
    [
        (None, None, "own_request", "imprisonment"),
        (None, "suspected_death", "own_request", "imprisonment"),  # what is rejected meanwhile says nothing of it
        (None, "dibao", "own_request", "imprisonment"),  # nor what another program does not stop
        ("suspected_incarceration", None, "imprisonment", "missing"),
        ("suspected_incarceration", None, "imprisonment", "imprisonment"),  # in prison again since
    ],
)
async def test_a_second_suspension_waits_until_the_first_is_lifted(  # noqa: PLR0917
    world, officers, she, first, meanwhile, why, waits
):
    await world.hear(enrolled(enrolment(she)), concluded(she, "confirmed", kind=first) if first else stop_verified(she))
    stopped = await carry_out(world, officers, she, "resident_pension")
    kind = "suspected_missing" if waits == "missing" else "suspected_incarceration"
    again = concluded(she, "confirmed", kind=kind, hours=700)
    await world.hear(message(again.event, again.body.replace(b"2023-08-20", b"2023-11-20")))
    if meanwhile:
        program = "dibao" if meanwhile == "dibao" else "resident_pension"
        besides = enrolled(enrolment(she), program=program)
        await world.hear(besides if program == meanwhile else concluded(she, "confirmed", kind=meanwhile))
        await officers.post(f"/v1/proposals/{await proposal(officers, program)}:reject", body={"not_about_death": True})
    assert await officers.proposals() == []
    await lift(officers, stopped, why, "2023-11-10")
    assert [each["reason"] for each in await officers.proposals()] == [waits]


@pytest.mark.parametrize(
    ("kind", "started_on", "status"),
    [
        ("suspected_incarceration", date(2024, 11, 1), "active"),
        ("suspected_incarceration", date(2010, 6, 1), "terminated"),
        ("suspected_death", date(2024, 11, 1), "terminated"),
    ],
)
async def test_whom_a_roster_lists_anew_begins_anew_unless_he_is_held_for_dead(  # noqa: PLR0917
    world, officers, she, stands, kind, started_on, status
):
    await world.hear(enrolled(enrolment(she), program="unemployment"), concluded(she, "confirmed", kind=kind))
    await carry_out(world, officers, she, "unemployment")
    later = NOW + timedelta(days=365)
    await world.hear(
        enrolled(enrolment(she, "ended"), program="unemployment", received_at=NOW + timedelta(days=60)),
        enrolled(enrolment(she, started_on=started_on), program="unemployment", received_at=later),
    )
    assert (await world.rows("SELECT status FROM enrolment"))[0]["status"] == status
    world.deps.clock.move(timedelta(days=335))
    advice, answer = (await stands("unemployment", month="2024-11"))["unemployment"]
    assert (advice, answer) == (("pay", "not_yet") if status == "active" else ("stop", "unknown"))
    assert (await world.rows("SELECT state FROM decision"))[0]["state"] == (
        "lifted" if status == "active" else "effective"
    )


@pytest.mark.parametrize("clears", ["unfounded", "false_death"])
async def test_a_case_found_untrue_takes_back_what_it_could_have_proposed_and_nothing_else(world, she, clears):
    kind = "suspected_death" if clears == "false_death" else "suspected_incarceration"
    await world.hear(
        enrolled(enrolment(she, started_on=date(2023, 3, 1)), program="ue_pension"),
        enrolled(enrolment(she)),
        stop_verified(she, programs=["ue_pension"]),
        concluded(she, "confirmed", kind=kind, case_id=uuid4()),
        concluded(she, clears, kind=kind, hours=2),
    )
    rows = await world.rows("SELECT reason, state FROM proposal")
    states = {row["reason"]: row["state"] for row in rows}
    assert states.pop("death" if clears == "false_death" else "imprisonment") == "withdrawn"
    assert states == {"duplicate_receipt": "open", "own_request": "open"}


@pytest.mark.parametrize(
    ("kind", "known"), [("suspected_incarceration", False), ("conflict", True), ("suspected_death", True)]
)
async def test_a_case_about_something_else_takes_no_death_back(world, officers, she, kind, known):
    await world.hear(enrolled(enrolment(she)), concluded(she, "confirmed"))
    decision = await officers.decided(await proposal(officers, "resident_pension"))
    await tell(world, she)
    await world.hear(concluded(she, "unfounded", kind=kind, hours=48))
    world.deps.clock.move(timedelta(days=31))
    carried = await officers.post(f"/v1/decisions/{decision}:carry-out")
    assert carried.status_code == (409 if known else 200)
    await world.hear(enrolled(enrolment(she), program="old_age_allow"))
    assert [each["reason"] for each in await officers.proposals()] == ([] if known else ["death"])
    counts = (await officers.get("/v1/work")).json()["counts"]
    assert counts == ({"carry_out": 1, "withdraw": 1} if known else {"decide": 1})


@pytest.mark.parametrize(
    ("suspected", "since", "stays"),
    [
        ("suspected_incarceration", date(2023, 8, 2), True),
        ("suspected_death", date(2023, 11, 2), True),  # on the day after people had looked
        ("suspected_death", date(2023, 8, 2), False),
    ],
)
async def test_the_last_decision_ends_the_review_of_what_was_found_and_of_nothing_else(
    world, officers, she, suspected, since, stays
):
    newer = assessment(she, "suspected", reasons=[f"{suspected}:probable"]) | {"as_of": since}
    await world.hear(
        enrolled(enrolment(she)), concluded(she, "confirmed"), assessed(newer, at=NOW + timedelta(hours=2))
    )
    world.deps.clock.move(timedelta(hours=3))
    await officers.post(
        f"/v1/proposals/{await proposal(officers, 'resident_pension')}:reject", body={"not_about_death": True}
    )
    assert await world.rows("SELECT under_review FROM standing") == [{"under_review": stays}]


@pytest.mark.parametrize("kind", SuspicionKind)
async def test_the_database_knows_what_a_kind_of_case_finds(world, kind):
    rows = await world.rows("SELECT r FROM unnest($1::text[]) AS r WHERE finds($2, r)", list(EndingEvent), kind)
    assert {row["r"] for row in rows} == set(proposing.reasons_of(kind))


async def test_a_double_receipt_that_was_withdrawn_is_proposed_again(world):
    her = subject(1)
    rows = [enrolled(enrolment(her, started_on=date(2023, 3, 1)), program="ue_pension"), enrolled(enrolment(her))]
    await world.hear(*rows)
    async with world.deps.database.write() as tx:
        await tx.run("UPDATE proposal SET state = 'withdrawn', closed_at = now()")
    await world.hear(enrolled(enrolment(her), received_at=NOW + timedelta(days=1)))
    states = await world.rows("SELECT state FROM proposal ORDER BY proposal_id")
    assert [row["state"] for row in states] == ["withdrawn", "open"]
