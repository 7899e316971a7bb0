"""Several terms of one person: a word on one says nothing of the others, which keep their months and wait for their own."""

from contextlib import nullcontext
from dataclasses import replace
from datetime import date
from uuid import UUID

import pytest

from services.recognition.domain.objections import ObjectionAbout
from services.recognition.domain.overpayments import RecoveryKind
from services.recognition.domain.programs import SuspensionReason
from services.recognition.usecases import decide, objecting
from services.recognition.usecases.living import Word
from services.recognition.usecases.objecting import Answer
from shared.kit.problems import MalformedError
from tests.services.recognition.rights import pay, stop_verified, tell
from tests.services.recognition.test_clearings import carry_out, case, jailed, officer, on, waits
from tests.services.recognition.test_owing import DAY, LAND, PENSION, SHE, arrears, claimed, late, lift, recover
from tests.services.recognition.test_owing import stopped as carried_out
from tests.services.recognition.world import NOW, enrolled, enrolment

pytestmark = pytest.mark.db
OTHER, LATER, NEXT = "gi_pension", date(2024, 3, 10), date(2023, 8, 25)


async def terms(world, program: str) -> dict[date, UUID]:
    """What is proposed for terms and waits for the officers of a program, by the day each began."""
    rows = await world.rows(
        "SELECT event_on, proposal_id FROM proposal WHERE program = $1 AND reason = 'imprisonment' "
        "AND state IN ('open', 'decided') ORDER BY event_on, proposal_id",
        program,
    )
    return {row["event_on"]: row["proposal_id"] for row in rows}


async def stopped(world, program: str, began: date, day: date):
    """Officers stop a benefit for one of its terms."""
    found = (await terms(world, program))[began]
    async with world.deps.database.write() as tx:
        await decide.decide(world.deps, tx, found, officer(program), decide.Deciding(grounds="已核对"))
        made = (await decide.confirm(world.deps, tx, found, officer(program, 2))).decision_id
    await tell(world, SHE)
    on(world, day)
    assert await carry_out(world, made, program) == "effective"
    return made


async def give_up(world, program: str, began: date, passed_on: date) -> None:
    found = (await terms(world, program))[began]
    async with world.deps.database.write() as tx:
        await decide.reject(world.deps, tx, found, officer(program, 3), Word(passed_on=passed_on))


async def test_an_acquittal_pays_no_month_of_another_term_and_takes_what_others_found_of_its_own(world):
    second = date(2023, 9, 20)
    told = stop_verified(SHE, reason="imprisonment", relation="child", event_on=DAY)
    await world.hear(*(enrolled(enrolment(SHE), program=each) for each in (PENSION, LAND)))
    await world.hear(told, jailed(SHE, NOW), jailed(SHE, NOW, second))
    first = await stopped(world, PENSION, DAY, date(2023, 12, 3))
    on(world, date(2024, 1, 10))
    lifted = await lift(world, first, PENSION, SuspensionReason.DETAINED_ACQUITTED, date(2024, 1, 10))
    assert (lifted.arrears_fen, lifted.withheld_fen) == (20_000, 4 * 20_000)  # September; October to January wait
    assert (set(await terms(world, PENSION)), set(await terms(world, LAND))) == ({second}, {DAY, second})


@pytest.mark.parametrize("released", [False, True])
async def test_a_word_on_one_term_clears_no_program_of_another_one(world, released):
    await world.hear(*(enrolled(enrolment(SHE), program=each) for each in (PENSION, LAND, OTHER)))
    first = await late(world, LAND)
    await world.hear(jailed(SHE, world.deps.clock.now()))
    await stopped(world, OTHER, DAY, date(2024, 1, 5))
    await world.hear(jailed(SHE, on(world, LATER), LATER))
    second = await stopped(world, PENSION, LATER, date(2024, 5, 3)) if released else None
    on(world, date(2024, 7, 1))
    if second:
        await lift(world, second, PENSION, SuspensionReason.IMPRISONMENT, date(2024, 6, 20))
    else:
        await give_up(world, PENSION, LATER, date(2024, 6, 20))
    assert await waits(world, OTHER) == ["reinstate"] * released  # who is free is so of what others stopped for before
    async with world.deps.database.write() as tx:
        made = await objecting.object_to(world.deps, tx, SHE, program=OTHER, about=ObjectionAbout.STOP, said="不是这样")
        upheld = Answer(upheld=True, words="情况属实")
        await objecting.answer_objection(world.deps, tx, made.objection_id, officer(OTHER, 3), upheld)
    assert await waits(world, OTHER) == ["reinstate"]  # once
    lifted = await lift(world, first, LAND, SuspensionReason.OVERDUE, date(2024, 7, 1))
    assert (lifted.arrears_fen, lifted.withheld_fen) == (0, 4 * 20_000)  # April to June he served another one
    assert (list(await terms(world, PENSION)), list(await terms(world, LAND))) == ([DAY], [DAY])
    for program in (PENSION, LAND):
        await give_up(world, program, DAY, date(2024, 2, 20))
    assert [each["arrears_fen"] for each in await arrears(world, LAND)] == [2 * 20_000]  # March and July


@pytest.mark.parametrize(
    ("began", "reason", "months"),
    [(date(2024, 2, 1), "imprisonment", 2), (None, "detained_acquitted", 7)],  # without March and April
)
async def test_a_lift_for_one_term_pays_no_month_of_another_that_only_another_program_was_asked_about(
    world, began, reason, months
):
    await world.hear(*(enrolled(enrolment(SHE), program=each) for each in (PENSION, LAND)), jailed(SHE, NOW))
    first = await stopped(world, PENSION, DAY, date(2023, 12, 3))
    here = await stopped(world, LAND, DAY, date(2024, 1, 5))
    on(world, date(2024, 1, 10))
    await lift(world, first, PENSION, SuspensionReason.IMPRISONMENT, date(2024, 1, 10))
    await world.hear(jailed(SHE, on(world, date(2024, 2, 1)), began))
    if began:
        second = await stopped(world, PENSION, began, date(2024, 3, 10))
        on(world, date(2024, 4, 20))
        await lift(world, second, PENSION, SuspensionReason.IMPRISONMENT, date(2024, 4, 20))
    on(world, date(2024, 5, 20))
    if not began:
        await give_up(world, PENSION, began, date(2024, 4, 20))
    lifted = await lift(world, here, LAND, SuspensionReason(reason), date(2024, 1, 10))
    assert (lifted.arrears_fen, lifted.withheld_fen) == (months * 20_000, 0)


@pytest.mark.parametrize(
    ("here", "there", "reason", "months"),
    [
        (None, DAY, "overdue", 5),  # January and February, too: given up as never so
        (NEXT, DAY, "detained_acquitted", 9),  # one prison, found with two days
        (DAY, NEXT, "imprisonment", 4),  # free since January: what began while he was held is over
    ],
)
async def test_of_a_term_its_own_officers_word_counts_and_no_other_programs(world, here, there, reason, months):
    await world.hear(*(enrolled(enrolment(SHE), program=each) for each in (PENSION, LAND)))
    await world.hear(jailed(SHE, NOW), jailed(SHE, NOW, NEXT))
    own = await (stopped(world, PENSION, here, date(2023, 12, 3)) if here else late(world, PENSION))
    other = await stopped(world, LAND, there, date(2024, 1, 5))
    on(world, date(2024, 2, 10))
    await lift(world, other, LAND, SuspensionReason.IMPRISONMENT, date(2024, 2, 3))
    on(world, date(2024, 5, 20))
    await lift(world, own, PENSION, SuspensionReason(reason), date(2024, 1, 10))
    for each in (await terms(world, PENSION)).values():
        async with world.deps.database.write() as tx:
            await decide.reject(world.deps, tx, each, officer(PENSION, 3), Word(never_so=True))
    assert [each["arrears_fen"] for each in await arrears(world)] == [months * 20_000]


async def test_a_term_carried_out_and_lifted_at_once_keeps_its_months(world):
    await world.hear(enrolled(enrolment(SHE), program=PENSION))
    first = await late(world, PENSION)
    await world.hear(jailed(SHE, world.deps.clock.now()))
    on(world, date(2024, 5, 10))
    await lift(world, first, PENSION, SuspensionReason.OVERDUE, date(2024, 5, 10))
    second = await stopped(world, PENSION, DAY, date(2024, 6, 20))
    await lift(world, second, PENSION, SuspensionReason.IMPRISONMENT, date(2024, 3, 10))
    kept = [(each["paid_again_from"].month, each["arrears_fen"]) for each in await arrears(world)]
    assert sorted(kept) == [(1, 0), (7, 3 * 20_000)]  # April to June


@pytest.mark.parametrize("before", [False, True])
async def test_what_came_back_of_months_that_wait_is_handed_out_by_no_other_lift(world, before):
    await world.hear(enrolled(enrolment(SHE), program=PENSION))
    await late(world, PENSION)  # from January on
    await world.hear(case(SHE, "confirmed", on(world, date(2024, 2, 20)), event_on=date(2024, 2, 10)))
    false = await carried_out(world, PENSION, "death", date(2024, 3, 28))
    await pay(world, SHE, [date(2024, month, 1) for month in (1, 2, 4)])
    await arrears(world)
    await recover(world, PENSION, (RecoveryKind.PAID, 60_000))
    await world.hear(jailed(SHE, on(world, date(2024, 6, 10)), date(2024, 1, 20)))
    lifted = await lift(world, false, PENSION, SuspensionReason.FALSE_DEATH, date(2024, 6, 1))
    assert (lifted.arrears_fen, lifted.withheld_fen) == (20_000, 5 * 20_000)  # January had come back; the others wait
    assert sum(await claimed(world)) == 2 * 20_000
    if before:  # a version before kept neither what waits nor what had come back
        async with world.deps.database.write() as tx:
            await tx.run("UPDATE arrears SET waits_from = NULL, refunded_fen = 0")
        await arrears(world)
    [prison] = (await terms(world, PENSION)).values()
    async with world.deps.database.write() as tx:
        await decide.reject(world.deps, tx, prison, officer(PENSION, 3), Word(never_so=True))
    assert (sum(each["arrears_fen"] for each in await arrears(world)), await claimed(world)) == (6 * 20_000, [])


async def test_what_a_version_before_paid_back_had_not_come_back_since_more_waits_by_now(world):
    await world.hear(enrolled(enrolment(SHE), program=PENSION))
    first = await late(world, PENSION)  # from January on
    await world.hear(jailed(SHE, on(world, date(2024, 5, 20)), LATER))
    lifted = await lift(world, first, PENSION, SuspensionReason.OVERDUE, date(2024, 5, 20))
    assert (lifted.arrears_fen, lifted.withheld_fen) == (3 * 20_000, 2 * 20_000)
    async with world.deps.database.write() as tx:
        await tx.run("UPDATE arrears SET waits_from = NULL")
    await world.hear(jailed(SHE, world.deps.clock.now(), date(2024, 2, 10)))
    await arrears(world)
    for each in (await terms(world, PENSION)).values():
        async with world.deps.database.write() as tx:
            await decide.reject(world.deps, tx, each, officer(PENSION, 3), Word(never_so=True))
    assert [each["arrears_fen"] for each in await arrears(world)] == [5 * 20_000]


async def test_an_objection_lets_a_term_fall_that_was_found_twice_and_loses_no_word_on_one(world):
    told = stop_verified(SHE, reason="imprisonment", relation="child", event_on=DAY)
    await world.hear(enrolled(enrolment(SHE), program=PENSION), told, jailed(SHE, NOW))
    over, about = Answer(upheld=True, words="情况属实", of_death=Word(passed_on=date(2023, 10, 20))), ObjectionAbout
    lost = ((about.INTENDED_STOP, replace(over, upheld=False)), (about.DATA, over))
    for against, answer in (*lost, (about.INTENDED_STOP, over)):
        with nullcontext() if (against, answer) not in lost else pytest.raises(MalformedError, match="term or a job"):
            async with world.deps.database.write() as tx:
                made = await objecting.object_to(world.deps, tx, SHE, program=PENSION, about=against, said="不是这样")
                await objecting.answer_objection(world.deps, tx, made.objection_id, officer(PENSION, 3), answer)
    assert await terms(world, PENSION) == {}
