"""What people are told while money comes back: sums that are owed, each once, and that something is not owed."""

from datetime import date, timedelta
from importlib import import_module

import pytest

from services.recognition.jobs import MoneyLoop
from shared.contracts.events.recognition import ENROLMENT_SUSPENDED, NOTICE_GIVEN
from tests.services.recognition.rights import Officers, facts, pay, tell
from tests.services.recognition.test_proposing import run
from tests.services.recognition.world import NOW, assessed, assessment, concluded, enrolled, enrolment, subject

pytestmark = pytest.mark.db
SHE = subject(1)


@pytest.fixture
def officers(http, issuer):
    return Officers(http, issuer)


async def overpaid(world, officers):
    """She was imprisoned, and drew three months' pension after it; the decision, and where what she owes is read."""
    await world.hear(enrolled(enrolment(SHE)), concluded(SHE, "confirmed", kind="suspected_incarceration"))
    await pay(world, SHE, [date(2023, 9, 1), date(2023, 10, 1), date(2023, 11, 1)], 100)
    [proposal] = await officers.proposals()
    decision = await officers.decided(proposal["proposal_id"])
    await tell(world, SHE)
    world.deps.clock.move(timedelta(days=31))
    assert (await officers.post(f"/v1/decisions/{decision}:carry-out")).json()["state"] == "effective"
    [owed] = (await officers.get("/v1/overpayments")).json()["items"]
    return decision, f"/v1/overpayments/{owed['overpayment_id']}"


async def recover(officers, path, fen, reference, kind="paid"):
    body = {"kind": kind, "amount_fen": fen, "happened_on": "2023-12-02", "reference": reference}
    made = (await officers.post(f"{path}:recover", body=body)).json()
    if kind != "paid":
        assert (await officers.post(f"/v1/recoveries/{made['recovery_id']}:approve", "officer-2")).status_code == 200


async def agreed_before(world):
    """As if the plan had been agreed before it was kept what had come by then."""
    async with world.deps.database.write() as tx:
        await tx.run("UPDATE overpayment SET plan_before_fen = NULL")
        await tx.run(import_module("services.recognition.migrations.versions.0040_before_plans").BEFORE)


async def overdue(officers):
    items = (await officers.get("/v1/work")).json()["items"]
    return [each["due_on"] for each in items if each["kind"] == "refund_overdue"]


async def told(world, *kinds):
    given = await facts(world, NOTICE_GIVEN)
    return [(each["reason"], each["amount_fen"], each["deadline_on"]) for each in given if each["kind"] in kinds]


async def test_each_part_of_a_plan_is_told_with_what_of_it_is_still_to_come(world, officers):
    _, path = await overpaid(world, officers)
    loop, first = MoneyLoop(world.deps), {"parts": 3, "first_due_on": "2023-12-11"}

    async def days(number):
        world.deps.clock.move(timedelta(days=number))
        while await loop.step():
            pass
        return [(fen, day) for _, fen, day in await told(world, "instalment_due")]

    await officers.post(f"{path}:plan", body=first)
    await agreed_before(world)
    assert await days(0) == [(100, "2023-12-11")]
    await recover(officers, path, 100, "R-1")
    await pay(world, SHE, [date(2023, 12, 1)], 60)  # confirmed late: owed beside the plan, and no part of it
    assert await days(31) == [(100, "2023-12-11"), (100, "2024-01-11")]
    assert (await officers.get(path)).json()["late_fen"] == 0
    # Each once; a new plan of all that is left falls due on the same day, with another amount.
    assert (await days(1))[2:] == []
    await officers.post(f"{path}:plan", body={"parts": 2, "first_due_on": "2024-01-11"})
    assert (await days(1))[2:] == [(130, "2024-01-11")]
    assert await overdue(officers) == []
    assert (await days(8))[3:] == []
    # One part has not come, and the last is not due yet: the officer need not wait for that.
    assert await overdue(officers) == ["2024-01-12"]
    assert (await days(52))[3:] == []  # nothing came, and both days are over
    assert (await officers.post(f"{path}:refer", body={"to": "court"})).json()["state"] == "referred"
    assert await overdue(officers) == []
    assert await told(world, "referred") == [("referred_to_court", 260, None)]
    await officers.post(f"{path}:plan", body={"parts": 1, "first_due_on": "2024-03-10"})
    assert (await days(1))[3:] == [(260, "2024-03-10")]
    await recover(officers, path, 100, "R-2")
    await days(6)
    assert await overdue(officers) == ["2024-03-11"]


@pytest.mark.parametrize("asked", [True, False])
async def test_whoever_was_asked_for_money_is_told_that_it_is_not_owed_after_all(world, officers, asked):
    decision, path = await overpaid(world, officers)
    if asked:
        await officers.post(f"{path}:ask-refund")
    await recover(officers, path, 50, "W-1", "written_off")
    body = {"reason": "detained_acquitted", "passed_on": "2023-12-01"}
    assert (await officers.post(f"/v1/decisions/{decision}:lift", body=body)).status_code == 200
    not_owed = [("written_off_in_part", 50, None), ("acquitted", 250, None)]
    assert await told(world, "not_owed") == (not_owed if asked else [])


async def test_an_end_that_was_announced_to_whoever_is_suspended_is_taken_back_and_told(world, officers):
    await overpaid(world, officers)
    await world.hear(concluded(SHE, "confirmed"))
    ended = await officers.decided((await officers.proposals())[0]["proposal_id"])
    await officers.post(f"/v1/decisions/{ended}:withdraw", body={"not_about_death": True})
    last = (await facts(world, NOTICE_GIVEN))[-1]
    assert (last["kind"], last["reason"], last["decision_id"]) == ("other_stands", "not_so", ended)
    assert (await world.rows("SELECT status FROM enrolment"))[0]["status"] == "suspended"


@pytest.mark.parametrize(
    ("program", "paid", "days", "stops_from", "arrears"),
    [
        ("resident_pension", None, 31, "2024-01-01", 20_000),
        ("resident_pension", None, 51, "2024-02-01", 0),
        ("film_projectionist", 60_000, 51, "2024-04-01", 0),  # paid by the quarter
    ],
)
async def test_lateness_takes_nothing_back_and_its_lifting_pays_all(  # noqa: PLR0917
    world, officers, program, paid, days, stops_from, arrears
):
    await world.hear(enrolled(enrolment(SHE, due_on=date(2023, 10, 31)), program=program))
    await run(world)
    world.deps.clock.move(timedelta(days=30))
    await run(world)
    [one] = await officers.proposals()
    decision = await officers.decided(one["proposal_id"])
    await tell(world, SHE)
    if paid:
        await pay(world, SHE, [date(2024, 1, 1)], paid, program)
    world.deps.clock.move(timedelta(days=days))
    carried = (await officers.post(f"/v1/decisions/{decision}:carry-out")).json()
    assert (carried["state"], carried["stops_from"]) == ("effective", stops_from)
    assert (await officers.get("/v1/overpayments")).json()["items"] == []
    [fact] = await facts(world, ENROLMENT_SUSPENDED)
    assert (fact["reason"], fact["effective_on"]) == ("overdue", stops_from)
    await world.hear(assessed(assessment(SHE, as_of=date(2024, 1, 1)), at=NOW + timedelta(days=61)))
    assert (await officers.get("/v1/work")).json()["counts"] == {"resume": 1}
    body = {"reason": "overdue", "passed_on": "2024-01-01"}
    lifted = (await officers.post(f"/v1/decisions/{decision}:lift", body=body)).json()
    assert (lifted["paid_again_from"], lifted["arrears_fen"]) == ("2024-02-01", arrears)
