"""A death that was none, found so in every way there is: it falls everywhere, and nothing that happened later with it."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from services.recognition.domain.clearings import Clearing, lived_until
from services.recognition.domain.objections import ObjectionAbout
from services.recognition.domain.programs import EndingEvent, SuspensionReason
from services.recognition.store import clearings, worklist
from services.recognition.store.worklist import Sight
from services.recognition.usecases import decide, lifting, objecting, stopping
from services.recognition.usecases.lifting import Lift
from services.recognition.usecases.living import Word
from services.recognition.usecases.objecting import Answer
from shared.contracts.events.grid import CASE_CONCLUDED, CaseConcluded, ConfirmedPerson
from shared.kit.auth import Caller
from shared.kit.problems import MalformedError
from tests.services.recognition.rights import locked, stop_verified, tell
from tests.services.recognition.world import NOW, concluded, enrolled, enrolment, message, subject

pytestmark = pytest.mark.db
THREE = ("resident_pension", "old_age_allow", "vet_war")
FALSE, SEEN, DIED = date(2023, 8, 20), date(2023, 12, 10), date(2024, 1, 5)
UNDATED = "case without a day"
CELLS = [
    (programs, found, by)
    for programs in (THREE[:1], THREE)
    for found in ("before", "after")
    for by in ("case", "request", UNDATED)
]
_ASKED = """
INSERT INTO citizen_request (request_id, asked_by, subject, kind, programs, relation, reason, event_on, requested_at)
VALUES ($1, $2, $2, 'stop', '{}', 'child', 'in_own_words', '2021-01-01', $3)
"""
_HELD = """
SELECT p.program, p.reason, p.event_on
FROM proposal p LEFT JOIN decision d ON d.proposal_id = p.proposal_id
WHERE p.subject = $1 AND (p.state IN ('open', 'decided') OR d.state IN ('notice', 'effective'))
"""


def officer(program: str, number: int = 1) -> Caller:
    """An officer of the department of one program."""
    return Caller(
        client_id="officers", role="officer", scopes=frozenset(), programs=frozenset({program}), divisions=(),
        department=None, user=f"officer-{number}",
    )  # fmt: skip


def case(who: UUID, conclusion: str, at: datetime, *, kind: str = "suspected_death", **days: date | None):
    fact = CaseConcluded(
        case_id=uuid4(), subject=who, kind=kind, conclusion=conclusion, event_on=days.get("event_on"),
        seen_on=days.get("seen_on"), concluded_at=at, verified_by="w-1", concluded_by="o-1",
    )  # fmt: skip
    return message(CASE_CONCLUDED, fact.model_dump_json().encode())


def on(world, day: date) -> datetime:
    """Let it be the morning of a day."""
    at = datetime(day.year, day.month, day.day, 1, tzinfo=UTC)
    world.deps.clock.move(at - world.deps.clock.now())
    return at


async def proposed(world, who: UUID, program: str, reason: str = "death") -> UUID:
    rows = await world.rows(
        "SELECT proposal_id FROM proposal WHERE subject = $1 AND program = $2 AND reason = $3", who, program, reason
    )
    return UUID(str(rows[0]["proposal_id"]))


async def announced(world, who: UUID, program: str, reason: str = "death") -> UUID:
    """Two officers decide what is proposed; their decision."""
    found = await proposed(world, who, program, reason)
    async with world.deps.database.write() as tx:
        await decide.decide(world.deps, tx, found, officer(program), decide.Deciding(grounds="已核对"))
        return (await decide.confirm(world.deps, tx, found, officer(program, 2))).decision_id


async def carry_out(world, decision: UUID, program: str) -> str:
    async with world.deps.database.write() as tx:
        return (await stopping.carry_out(world.deps, tx, decision, officer(program))).state


async def give_up(world, how: str, who: UUID, program: str, about: UUID) -> None:
    """What the officers of one program do once they know that she lived on a day."""
    deps, by = world.deps, officer(program, 3)
    async with deps.database.write() as tx:
        if how == "reject":
            await decide.reject(deps, tx, about, by, Word(alive_on=SEEN))
        elif how == "withdraw":
            await stopping.withdraw(deps, tx, about, by, Word(alive_on=SEEN))
        elif how == "lift":
            lives = Lift(reason=SuspensionReason.FALSE_DEATH, passed_on=SEEN, requested_on=None)
            await lifting.lift(deps, tx, about, by, lives)
        elif how == "objection":
            asked = ObjectionAbout.INTENDED_STOP
            objected = await objecting.object_to(deps, tx, who, program=program, about=asked, said="我还活着")
            answer = Answer(upheld=True, words="情况属实", of_death=Word(alive_on=SEEN))
            await objecting.answer_objection(deps, tx, objected.objection_id, by, answer)
        else:  # the case has said so
            await stopping.withdraw(deps, tx, about, by)


async def begin(world, how: str, who: UUID, programs) -> dict[str, UUID]:
    """People find a death that was none; what of it stands in the first two programs, to be given up."""
    jailed = concluded(who, "confirmed", kind="suspected_incarceration", hours=-1)
    await world.hear(*(enrolled(enrolment(who), program=each) for each in programs))
    await world.hear(*[jailed] * (programs == THREE), case(who, "confirmed", NOW, event_on=FALSE))
    about = announced if how != "reject" else proposed
    return {each: await about(world, who, each) for each in programs[:2]}


async def die(world, who: UUID, by: str) -> None:
    at = on(world, date(2024, 1, 12))
    if by == "request":
        async with world.deps.database.write() as tx:
            await tx.run(_ASKED, request_id := uuid4(), who, NOW)
        told = {"relation": "child", "reason": "death", "event_on": DIED, "programs": [], "concluded_at": at}
        await world.hear(stop_verified(who, request_id=request_id, **told))
    else:
        await world.hear(case(who, "confirmed", at, event_on=None if by == UNDATED else DIED))


async def give_up_first(world, how: str, people, about, *, found: str) -> None:
    """She is known to live: those whose later death is found before that, or after it."""
    for cell, who in people.items():
        if cell[1] != found:
            continue
        if how == "case":
            await world.hear(case(who, "false_death", world.deps.clock.now(), kind="conflict", seen_on=SEEN))
        await give_up(world, how, who, THREE[0], about[cell][THREE[0]])


async def give_up_late(world, how: str, people, about) -> None:
    """Another department hears of it when she has died; what nobody had confirmed there has fallen by itself."""
    for cell, who in people.items():
        if cell[0] == THREE and how != "reject":
            async with world.deps.database.read() as tx:
                assert await clearings.is_cleared(tx, about[cell][THREE[1]]), cell
            await give_up(world, how, who, THREE[1], about[cell][THREE[1]])


@pytest.mark.parametrize("how", ["reject", "withdraw", "objection", "lift", "case"])
async def test_a_false_death_falls_everywhere_and_takes_no_later_one_and_no_prison_with_it(world, how):
    people = {cell: subject(number) for number, cell in enumerate(CELLS)}
    about = {cell: await begin(world, how, who, cell[0]) for cell, who in people.items()}
    jail = {cell: await announced(world, people[cell], "vet_war", "imprisonment") for cell in CELLS if cell[0] == THREE}
    for who in people.values():
        await tell(world, who)
    on(world, date(2023, 12, 3))
    for program, decision in [each for cell in CELLS for each in about[cell].items()] if how == "lift" else []:
        assert await carry_out(world, decision, program) == "effective"
    on(world, date(2023, 12, 20))
    await give_up_first(world, how, people, about, found="after")
    for cell, who in people.items():
        await die(world, who, cell[2])
    on(world, date(2024, 1, 20))
    await give_up_first(world, how, people, about, found="before")
    on(world, date(2024, 2, 1))
    await give_up_late(world, how, people, about)
    for cell, who in people.items():
        died = {(each, "death", None if cell[2] == UNDATED else DIED) for each in cell[0]}
        jailed = {(each, "imprisonment", FALSE) for each in (THREE[0], THREE[2])}
        held = {(each["program"], each["reason"], each["event_on"]) for each in await world.rows(_HELD, who)}
        assert held == died | (jailed if cell in jail else set()), cell
    assert {await carry_out(world, decision, "vet_war") for decision in jail.values()} == {"effective"}


async def test_a_clearing_speaks_of_events_up_to_its_day_that_were_found_by_then(world):
    at = on(world, date(2023, 12, 10))
    made = Clearing(
        clearing_id=uuid4(), subject=subject(1), reasons=(EndingEvent.DEATH,), until_on=lived_until(SEEN),
        about_at=None, found_at=at + timedelta(hours=1), lives=True,
    )  # fmt: skip
    died = {  # the day before, that night, found since; and told without a day, before and since
        (9, 0): True, (10, 0): False, (9, 1): True, (9, 2): False, (None, -12): True, (None, 1): False,
    }  # fmt: skip
    async with world.deps.database.write() as tx:
        await clearings.add(tx, made)
        for (day, hours), speaks in died.items():
            event = date(2023, 12, day) if day else None, at + timedelta(hours=hours)
            assert await clearings.was_cleared(tx, subject(1), EndingEvent.DEATH, *event) is speaks, (day, hours)
            assert not await clearings.was_cleared(tx, subject(1), EndingEvent.IMPRISONMENT, *event)


async def test_a_request_heard_after_she_was_found_alive_though_concluded_before_proposes_no_death(world):
    who = subject(1)
    about = await begin(world, "withdraw", who, THREE[:1])
    at = on(world, date(2023, 12, 20))
    await give_up(world, "withdraw", who, THREE[0], about[THREE[0]])
    told = {"relation": "child", "reason": "death", "event_on": FALSE, "concluded_at": at - timedelta(hours=1)}
    await world.hear(stop_verified(who, **told))
    assert await world.rows(_HELD, who) == []


async def test_what_an_open_proposal_for_a_false_death_stood_before_is_proposed_when_a_case_clears_it(world):
    who = subject(1)
    await begin(world, "reject", who, THREE[:1])
    await die(world, who, "request")
    at = on(world, date(2024, 1, 20))
    await world.hear(case(who, "false_death", at, seen_on=SEEN))
    assert [each["event_on"] for each in await world.rows(_HELD, who)] == [DIED]


async def request(world, who: UUID, reason: str, event_on: date, at: datetime) -> None:
    """People verify what a relative has said of her."""
    async with world.deps.database.write() as tx:
        await tx.run(_ASKED, request_id := uuid4(), who, NOW)
    told = {"relation": "child", "reason": reason, "event_on": event_on, "programs": [], "concluded_at": at}
    await world.hear(stop_verified(who, request_id=request_id, **told))


def jailed(who: UUID, at: datetime, event_on: date = FALSE):
    return case(who, "confirmed", at, kind="suspected_incarceration", event_on=event_on)


async def release(world, decision: UUID, program: str, on_day: date) -> None:
    async with world.deps.database.write() as tx:
        why = Lift(reason=SuspensionReason.IMPRISONMENT, passed_on=on_day, requested_on=None)
        await lifting.lift(world.deps, tx, decision, officer(program, 3), why)


async def waits(world, program: str) -> list[str]:
    """What waits for the officers of a program."""
    today = world.deps.clock.today()
    sight = Sight(programs=[program], today=today, channels=2, cycles=world.deps.cycles(today), excludes=[])
    async with world.deps.database.read() as tx:
        return [each["kind"] for each in await worklist.list_waiting(tx, sight, user="officer-4", limit=9)]


async def test_who_was_released_is_not_stopped_anew_for_the_prison_that_others_found_too_and_stays_convicted(world):
    # Found by a case, a request, one that waits; another prison; and all he has.
    found = {number: subject(number) for number in range(5)}
    stopped, later = {}, ("ex_village_cadre", "fp_reward", "land_loss_pension")
    for number, who in found.items():
        cases = [jailed(who, NOW) for _ in range(2 if number == 2 else 1)]
        await world.hear(*(enrolled(enrolment(who), program=each) for each in THREE[: 1 if number == 4 else 3]), *cases)
        stopped[number] = await announced(world, who, THREE[0], "imprisonment")
        await tell(world, who)
    await world.hear(enrolled(enrolment(found[0]), program="fp_reward"))
    rests = await announced(world, found[0], "fp_reward", "criminal_punishment")
    await tell(world, found[0])
    on(world, date(2023, 12, 3))
    for decision, program in [(rests, "fp_reward"), *((each, THREE[0]) for each in stopped.values())]:
        assert await carry_out(world, decision, program) == "effective"
    at, free = on(world, date(2024, 3, 1)), date(2024, 2, 20)
    await world.hear(jailed(found[0], at), jailed(found[3], at, free))
    await request(world, found[1], "imprisonment", FALSE, at)
    for number, who in found.items():
        await release(world, stopped[number], THREE[0], free)
        held = {(each["program"], each["event_on"]) for each in await world.rows(_HELD, who)}
        mine = {each for each in held if each[0] == THREE[0]}
        assert mine == ({(THREE[0], free)} if number == 3 else set()), number
        assert number == 4 or (THREE[2], FALSE) in held, "another department may have paid him meanwhile"
    assert await waits(world, "fp_reward") == ["reinstate"]
    await release(world, rests, "fp_reward", free)
    await world.hear(enrolled(enrolment(found.setdefault(5, subject(5)))), jailed(subject(5), at))
    none = await proposed(world, subject(5), THREE[0], "imprisonment")
    async with world.deps.database.write() as tx:
        await decide.reject(world.deps, tx, none, officer(THREE[0]))  # given up, it is asked about nowhere
    for number, who in found.items():
        await world.hear(*(enrolled(enrolment(who), program=each) for each in later))
        held = {(each["program"], each["event_on"]) for each in await world.rows(_HELD, who)}
        convicted = {("ex_village_cadre", FALSE)} if number != 5 else set()
        convicted |= {(each, free) for each in later} if number == 3 else set()
        assert {each for each in held if each[0] in later} == convicted, number


@pytest.mark.parametrize("by", ["request", "case"])
async def test_a_villages_list_brings_no_death_back_that_was_found_to_be_none_before_it_was_signed(world, by):
    who = subject(1)
    await world.hear(*(enrolled(enrolment(who), program=each) for each in THREE[:2]))
    heard = case(who, "confirmed", NOW, event_on=FALSE)
    await (request(world, who, "death", FALSE, NOW) if by == "request" else world.hear(heard))
    on(world, date(2023, 12, 20))
    await give_up(world, "reject", who, THREE[0], await proposed(world, who, THREE[0]))
    await world.hear(enrolled(enrolment(who), program="vet_war"))
    case_id = None if by == "request" else CaseConcluded.model_validate_json(heard.body).case_id
    named = ConfirmedPerson(subject=who, kind="suspected_death", case_id=case_id, event_on=FALSE)
    await world.hear(locked(named, at=on(world, date(2024, 1, 3))))
    assert await world.rows(_HELD, who) == []


async def test_a_list_asks_no_program_anew_whose_officers_decided_what_a_request_tells_by_another_event(world):
    who = subject(1)
    await world.hear(enrolled(enrolment(who), program="dibao"))
    await request(world, who, "death", FALSE, NOW)
    found = await proposed(world, who, "dibao")
    deciding = decide.Deciding(grounds="户内只有其一人", reason=EndingEvent.HOUSEHOLD_EXTINCT)
    async with world.deps.database.write() as tx:
        await decide.decide(world.deps, tx, found, officer("dibao"), deciding)
        decision = (await decide.confirm(world.deps, tx, found, officer("dibao", 2))).decision_id
        await stopping.withdraw(world.deps, tx, decision, officer("dibao"), Word(not_about_death=True))
    named = ConfirmedPerson(subject=who, kind="suspected_death", case_id=None, event_on=FALSE)
    await world.hear(locked(named, at=on(world, date(2024, 1, 3))))
    assert await world.rows(_HELD, who) == []


@pytest.mark.parametrize("how", ["reject", "withdraw"])
async def test_one_officer_who_gives_up_a_death_says_whether_there_was_one_and_hides_it_from_no_later_program(
    world, how
):
    who = subject(1)
    about = (await begin(world, how, who, THREE[:1]))[THREE[0]]
    give_up_it = decide.reject if how == "reject" else stopping.withdraw
    with pytest.raises(MalformedError):
        async with world.deps.database.write() as tx:
            await give_up_it(world.deps, tx, about, officer(THREE[0], 3))
    async with world.deps.database.write() as tx:
        await give_up_it(world.deps, tx, about, officer(THREE[0], 3), Word(not_about_death=True))
    assert await world.rows(_HELD, who) == []
    await world.hear(*(enrolled(enrolment(who), program=each) for each in THREE[:2]))
    assert [each["program"] for each in await world.rows(_HELD, who)] == [THREE[1]]
