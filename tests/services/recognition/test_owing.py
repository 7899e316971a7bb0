"""What a lifted stop owes where people have found something else besides: no month that was due is lost, none other paid."""

from contextlib import nullcontext
from dataclasses import replace
from datetime import date
from importlib import import_module

import pytest

from services.recognition.domain.objections import ObjectionAbout
from services.recognition.domain.origins import ProposalOrigin
from services.recognition.domain.overpayments import RecoveryKind
from services.recognition.domain.programs import Effect, EndingEvent, SuspensionReason
from services.recognition.jobs import MoneyLoop
from services.recognition.store import proposals
from services.recognition.usecases import decide, lifting, objecting, recovering
from services.recognition.usecases.lifting import Lift
from services.recognition.usecases.living import Word
from services.recognition.usecases.objecting import Answer
from services.recognition.usecases.recovering import Coming
from shared.kit.problems import MalformedError
from tests.services.recognition.rights import pay, stop_verified, tell
from tests.services.recognition.test_clearings import announced, carry_out, case, officer, on
from tests.services.recognition.world import NOW, enrolled, enrolment, subject

pytestmark = pytest.mark.db
SHE = subject(1)
PENSION, LAND = "resident_pension", "land_loss_pension"
DAY = date(2023, 8, 20)


async def stopped(world, program: str, reason: str, day: date):
    decision = await announced(world, SHE, program, reason)
    await tell(world, SHE)
    on(world, day)
    assert await carry_out(world, decision, program) == "effective"
    return decision


async def late(world, program: str):
    opening = proposals.Opening(subject=SHE, program=program, reason=EndingEvent.OVERDUE, effect=Effect.SUSPEND,
                                event_on=DAY, stops_from=None, origin=ProposalOrigin.OVERDUE)  # fmt: skip
    async with world.deps.database.write() as tx:
        await proposals.open_once(tx, opening, NOW)
        await tx.run("UPDATE enrolment SET due_on = $1", DAY)
    return await stopped(world, program, "overdue", date(2023, 12, 3))


async def lift(world, decision, program: str, reason: SuspensionReason, passed_on: date):
    async with world.deps.database.write() as tx:
        why = Lift(reason=reason, passed_on=passed_on, requested_on=None)
        return await lifting.lift(world.deps, tx, decision, officer(program, 3), why)


async def arrears(world, program: str = PENSION):
    while await MoneyLoop(world.deps).step():
        pass
    return await world.rows(
        "SELECT paid_again_from, arrears_fen, withheld_fen FROM arrears WHERE program = $1", program
    )


async def claimed(world):
    rows = await world.rows("SELECT due_fen FROM overpayment WHERE state <> 'cancelled'")
    return [each["due_fen"] for each in rows]


async def recover(world, program: str, *coming: tuple[RecoveryKind, int]):
    [known] = await world.rows("SELECT overpayment_id FROM overpayment")
    async with world.deps.database.write() as tx:
        await recovering.ask_refund(world.deps, tx, known["overpayment_id"], officer(program))
        for kind, fen in coming:
            one = Coming(kind=kind, amount_fen=fen, happened_on=date(2024, 1, 3), reference=f"{kind} 1")
            made = await recovering.record(world.deps, tx, known["overpayment_id"], officer(program), one)
            if kind is not RecoveryKind.PAID:
                await recovering.answer(world.deps, tx, made.recovery_id, officer(program, 2), approve=True)


@pytest.mark.parametrize(
    ("begins", "back", "kept", "claims"),
    [
        (date(2023, 12, 1), False, (date(2023, 12, 1), 3), 1),
        (date(2023, 12, 1), True, (date(2023, 12, 1), 3), 1),  # what came back stays so, and is claimed no second time
        (date(2024, 1, 1), False, (date(2024, 1, 1), 4), 1),  # January was paid, December is paid back
        (None, False, (date(2024, 6, 1), 8), 0),  # January was paid
        (None, True, (date(2024, 6, 1), 9), 0),
    ],
)
async def test_a_false_death_pays_back_no_month_after_a_real_one_unless_that_falls(world, begins, back, kept, claims):
    await world.hear(enrolled(enrolment(SHE), program=PENSION), case(SHE, "confirmed", NOW, event_on=DAY))
    false = await stopped(world, PENSION, "death", date(2023, 12, 3))
    await pay(world, SHE, [date(2024, 1, 1)])  # all the same
    if back:
        await arrears(world)
        await recover(world, PENSION, (RecoveryKind.PAID, 20_000))
    await world.hear(case(SHE, "confirmed", on(world, date(2023, 12, 20)), event_on=date(2023, 11, 10)))
    on(world, date(2024, 5, 20))
    lifted = await lift(world, false, PENSION, SuspensionReason.FALSE_DEATH, date(2023, 10, 5))
    waits = (5 + back) * 20_000
    assert (lifted.arrears_fen, lifted.withheld_fen) == (3 * 20_000, waits)
    assert await arrears(world) == [
        {"paid_again_from": date(2024, 6, 1), "arrears_fen": 3 * 20_000, "withheld_fen": waits}
    ]
    [second] = await world.rows("SELECT proposal_id FROM proposal WHERE state = 'open'")
    made = None
    async with world.deps.database.write() as tx:
        if begins:
            said = decide.Deciding(grounds="已核对", begins=begins)
            await decide.decide(world.deps, tx, second["proposal_id"], officer(PENSION), said)
            made = await decide.confirm(world.deps, tx, second["proposal_id"], officer(PENSION, 2))
        else:
            word = Word(alive_on=date(2024, 5, 1))
            await decide.reject(world.deps, tx, second["proposal_id"], officer(PENSION), word)
    if made:
        await tell(world, SHE)
        on(world, date(2024, 7, 3))
        await carry_out(world, made.decision_id, PENSION)
    until, months = kept
    assert await arrears(world) == [{"paid_again_from": until, "arrears_fen": months * 20_000, "withheld_fen": 0}]
    assert await claimed(world) == [20_000] * claims


async def test_what_is_carried_out_takes_its_months_with_it_though_another_finding_waits(world):
    await world.hear(enrolled(enrolment(SHE), program=PENSION), case(SHE, "confirmed", NOW, event_on=DAY))
    false = await stopped(world, PENSION, "death", date(2023, 12, 3))
    at, prison = on(world, date(2023, 12, 20)), "suspected_incarceration"
    await world.hear(case(SHE, "confirmed", at, event_on=date(2023, 11, 10)))
    await world.hear(case(SHE, "confirmed", at, kind=prison, event_on=date(2023, 10, 15)))
    on(world, date(2024, 5, 20))
    await lift(world, false, PENSION, SuspensionReason.FALSE_DEATH, date(2023, 10, 5))
    found = await world.rows("SELECT proposal_id FROM proposal WHERE state = 'open' ORDER BY reason")
    real, held = [each["proposal_id"] for each in found]
    async with world.deps.database.write() as tx:
        await decide.decide(world.deps, tx, real, officer(PENSION), decide.Deciding(grounds="已核对"))
        made = await decide.confirm(world.deps, tx, real, officer(PENSION, 2))
    await tell(world, SHE)
    on(world, date(2024, 7, 3))
    await carry_out(world, made.decision_id, PENSION)
    for _ in range(2):
        [kept] = await arrears(world)
        assert tuple(kept.values()) == (date(2023, 12, 1), 2 * 20_000, 20_000)  # of November the prison is asked about
    async with world.deps.database.write() as tx:
        await decide.reject(world.deps, tx, held, officer(PENSION), Word(never_so=True))
    [kept] = await arrears(world)
    assert tuple(kept.values()) == (date(2023, 12, 1), 3 * 20_000, 0)


async def test_what_officers_have_given_up_comes_back_by_no_lift(world):
    prison = case(SHE, "confirmed", NOW, kind="suspected_incarceration", event_on=DAY)
    await world.hear(enrolled(enrolment(SHE), program=PENSION), prison)
    first = await stopped(world, PENSION, "imprisonment", date(2023, 12, 3))
    await pay(world, SHE, [date(2023, 10, 1), date(2023, 11, 1), date(2024, 2, 1)])
    await arrears(world)
    await recover(world, PENSION, (RecoveryKind.WRITTEN_OFF, 20_000), (RecoveryKind.PAID, 25_000))
    on(world, date(2024, 5, 10))
    lifted = await lift(world, first, PENSION, SuspensionReason.IMPRISONMENT, date(2024, 1, 10))
    assert lifted.arrears_fen == 3 * 20_000 + 5_000  # February was paid; of what came back for it 5,000 are handed out
    rows = await world.rows(
        "SELECT state, due_fen, paid_fen, written_off_fen, array(SELECT amount_fen::int FROM recovery r "
        "WHERE r.overpayment_id = o.overpayment_id ORDER BY kind) AS parts FROM overpayment o ORDER BY state DESC"
    )
    assert [tuple(each.values()) for each in rows] == [
        ("closed", 40_000, 20_000, 20_000, [20_000, 20_000]),
        ("cancelled", 60_000, 25_000, 20_000, [25_000, 20_000]),
    ]


async def test_lateness_pays_back_no_month_of_a_term_that_another_program_had_stopped_for(world):
    await world.hear(*(enrolled(enrolment(SHE), program=each) for each in (PENSION, LAND)))
    first = await late(world, LAND)
    await world.hear(case(SHE, "confirmed", world.deps.clock.now(), kind="suspected_incarceration", event_on=DAY))
    second = await stopped(world, PENSION, "imprisonment", date(2024, 1, 20))
    on(world, date(2024, 7, 1))
    free = await lift(world, second, PENSION, SuspensionReason.IMPRISONMENT, date(2024, 5, 20))
    assert (free.owed_from, free.arrears_fen) == (date(2024, 6, 1), 2 * 20_000)  # June and July: told to stop by then
    await pay(world, SHE, [date(2024, 2, 1), date(2024, 3, 1)], program=LAND)  # all the same
    await arrears(world)
    lifted = await lift(world, first, LAND, SuspensionReason.OVERDUE, date(2024, 7, 1))
    assert (lifted.owed_from, lifted.arrears_fen, lifted.withheld_fen) == (date(2024, 1, 1), 2 * 20_000, 0)
    assert await claimed(world) == [2 * 20_000]


@pytest.mark.parametrize(("first", "passed_on", "died"), [("overdue", 10, date(2024, 2, 10)),
                                                          ("imprisonment", 1, date(2023, 12, 10))])  # fmt: skip
async def test_what_a_lift_has_settled_the_next_one_pays_no_second_time(world, first, passed_on, died):
    prison = case(SHE, "confirmed", NOW, kind="suspected_incarceration", event_on=DAY)
    await world.hear(enrolled(enrolment(SHE), program=PENSION), *[prison] * (first == "imprisonment"))
    before = await (late(world, PENSION) if first == "overdue" else stopped(world, PENSION, first, date(2023, 12, 3)))
    on(world, date(2024, 5, 10))
    await lift(world, before, PENSION, SuspensionReason(first), date(2024, 5, passed_on))
    await world.hear(case(SHE, "confirmed", on(world, date(2024, 6, 1)), event_on=died))
    false = await stopped(world, PENSION, "death", date(2024, 7, 3))
    on(world, date(2024, 9, 10))
    lifted = await lift(world, false, PENSION, SuspensionReason.FALSE_DEATH, date(2024, 5, 10))
    assert (lifted.arrears_fen, lifted.withheld_fen) == (4 * 20_000, 0)  # June to September


@pytest.mark.parametrize(
    ("word", "again", "paid", "fen"),
    [
        (Word(), None, 0, None),
        (Word(passed_on=date(2024, 6, 20)), None, 0, 20_000),
        (Word(passed_on=date(2024, 6, 20)), date(2024, 3, 10), 0, 2 * 20_000),  # free in March, too
        (Word(never_so=True), None, 0, 7 * 20_000),
        (Word(), None, 7, None),
        (Word(passed_on=date(2024, 6, 20)), None, 7, -6 * 20_000),  # what was claimed and let go is claimed again
    ],
)
async def test_a_term_that_is_over_is_given_up_with_its_last_day_and_its_months_are_paid_to_nobody(
    world, word, again, paid, fen
):
    await world.hear(enrolled(enrolment(SHE), program=LAND))
    first = await late(world, LAND)
    for day in filter(None, (DAY, again)):
        at = on(world, day) if day == again else world.deps.clock.now()
        await world.hear(case(SHE, "confirmed", at, kind="suspected_incarceration", event_on=day))
    on(world, date(2024, 7, 1))
    await pay(world, SHE, [date(2024, 1 + at, 1) for at in range(paid)], program=LAND)
    await arrears(world)
    waits = (7 - paid) * 20_000
    lifted = await lift(world, first, LAND, SuspensionReason.OVERDUE, date(2024, 7, 1))
    assert (lifted.arrears_fen, lifted.withheld_fen, await claimed(world)) == (0, waits, [])
    [*before, last] = await world.rows("SELECT proposal_id FROM proposal WHERE state = 'open' ORDER BY event_on")
    async with world.deps.database.write() as tx:
        with nullcontext() if fen is not None else pytest.raises(MalformedError, match="passed_on"):
            await decide.reject(world.deps, tx, last["proposal_id"], officer(LAND), word)
        for each in before:
            await decide.reject(world.deps, tx, each["proposal_id"], officer(LAND), Word(passed_on=date(2024, 2, 20)))
    [kept] = await arrears(world, LAND)
    assert (kept["arrears_fen"], kept["withheld_fen"]) == (max(0, fen or 0), waits if fen is None else 0)
    assert sum(await claimed(world)) == max(0, -(fen or 0))


async def test_a_term_for_which_less_is_paid_takes_no_months_and_is_given_up_without_a_word(world):
    days = (DAY, date(2023, 9, 20))
    terms = [case(SHE, "confirmed", NOW, kind="suspected_incarceration", event_on=day) for day in days]
    await world.hear(enrolled(enrolment(SHE), program="dibao"), *terms)
    opened = await world.rows("SELECT proposal_id FROM proposal")
    first = await late(world, "dibao")
    on(world, date(2024, 7, 1))
    async with world.deps.database.write() as tx:
        for each, word in zip(opened, (Word(), Word(passed_on=date(2024, 6, 20))), strict=True):
            await decide.reject(world.deps, tx, each["proposal_id"], officer("dibao"), word)
    lifted = await lift(world, first, "dibao", SuspensionReason.OVERDUE, date(2024, 7, 1))
    assert (lifted.arrears_fen, lifted.withheld_fen) == (7 * 20_000, 0)


@pytest.mark.parametrize(
    ("program", "besides"),
    [
        ("reservoir", stop_verified(SHE, reason="employment", relation="child", programs=["reservoir"], event_on=DAY)),
        (LAND, case(SHE, "confirmed", NOW, kind="suspected_incarceration", event_on=date(2023, 9, 20))),
    ],
)
async def test_an_objection_asks_of_terms_where_they_fall_by_it_and_gives_no_two_one_day(world, program, besides):
    prison = case(SHE, "confirmed", NOW, kind="suspected_incarceration", event_on=DAY)
    await world.hear(enrolled(enrolment(SHE), program=program), prison, besides)
    await late(world, program)
    answer = Answer(upheld=True, words="情况属实")
    for about in (ObjectionAbout.DATA, ObjectionAbout.INTENDED_STOP):
        async with world.deps.database.write() as tx:
            made = await objecting.object_to(world.deps, tx, SHE, program=program, about=about, said="不是这样")
            with nullcontext() if about is ObjectionAbout.DATA else pytest.raises(MalformedError, match="one by one"):
                await objecting.answer_objection(world.deps, tx, made.objection_id, officer(program, 3), answer)
        answer = replace(answer, of_death=Word(passed_on=date(2023, 11, 20)))
    assert len(await world.rows("SELECT FROM proposal WHERE state = 'open'")) == 2


async def test_what_a_version_before_hid_of_a_conviction_by_a_release_is_asked_about_again(world):
    prison = case(SHE, "confirmed", NOW, kind="suspected_incarceration", event_on=DAY)
    await world.hear(enrolled(enrolment(SHE), program=PENSION), prison)
    first = await stopped(world, PENSION, "imprisonment", date(2023, 12, 3))
    await lift(world, first, PENSION, SuspensionReason.DETAINED_CONVICTED, date(2023, 12, 1))
    async with world.deps.database.write() as tx:
        await tx.run("UPDATE clearing SET reasons = array_append(reasons, 'criminal_punishment')")
        await tx.run(import_module("services.recognition.migrations.versions.0043_convicted").STAYS)
    assert await world.rows("SELECT FROM clearing WHERE 'criminal_punishment' = ANY (reasons)") == []
    assert len(await world.rows("SELECT FROM clearing")) == 1
