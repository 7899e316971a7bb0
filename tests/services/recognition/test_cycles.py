"""Certification cycles as officers, partners and citizens see them; and that nobody is stopped in grace."""

from datetime import date, timedelta
from itertools import product

import pytest

from services.recognition.domain.cycles import CertificationState, CycleView, certification_state
from services.recognition.domain.enrolments import Status
from services.recognition.jobs import RunLoop
from services.recognition.usecases.runs import request_run
from shared.contracts.events.grid import TASKS_OPENED
from tests.services.recognition.rights import Officers, tell
from tests.services.recognition.world import (
    NOW,
    TODAY,
    assessed,
    assessment,
    enrolled,
    enrolment,
    subject,
    table_message,
)

pytestmark = pytest.mark.db
ID = "11010519491231002X"
SHE, HE = subject(1), subject(2)
WHY = {"Purpose-Code": "pay", "Legal-Basis": "regulation-26"}
LATE = date(2023, 10, 31)


@pytest.fixture
def officers(http, issuer):
    return Officers(http, issuer, programs=["resident_pension"])


@pytest.fixture
def partner(issuer):
    return issuer.headers("recognition.check", role="partner", programs=["resident_pension"], department="hrss",
                          client_id="p-1") | WHY  # fmt: skip


async def run(world):
    async with world.deps.database.write() as tx:
        await request_run(world.deps, tx, "operator-1")
    loop = RunLoop(world.deps, world.deps.wake_runs)
    while await loop.step():
        pass


def knocking(who, deadline_on=date(2023, 11, 8)):
    row = {"subject": who.bytes, "task_id": subject(77).bytes, "deadline_on": deadline_on}
    return table_message(TASKS_OPENED, [row], {"run": str(subject(9))})


async def test_nobody_is_late_while_somebody_has_time_to_knock_again(world):
    await world.hear(enrolled(enrolment(subject(1), due_on=date(2023, 10, 31))))
    await run(world)
    world.deps.clock.move(timedelta(days=30))
    await world.hear(knocking(subject(1), world.deps.clock.today() + timedelta(days=14)))
    for days, proposals in ((0, 0), (14, 0), (1, 1)):
        world.deps.clock.move(timedelta(days=days))
        await run(world)
        assert len(await world.rows("SELECT FROM proposal")) == proposals


async def asked(http, partner):
    body = {"program": "resident_pension", "citizen_id": ID}
    return await http.post("/v1/certification-cycles:check", json=body, headers=partner)


async def give(http, officers, **changes):
    body = {"programs": ["resident_pension"], "until_on": "2024-01-31", "reason": "source_silent",
            "said": "医保数据迟交一个月", **changes}  # fmt: skip
    return await http.post("/v1/graces", json=body, headers=officers.headers())


async def test_a_person_goes_through_the_whole_cycle(world, http, partner, issuer):
    who = world.deps.subjects.one(ID)
    citizen = issuer.headers("me.read", role="citizen", user=str(who))

    async def state():
        seen = (await asked(http, partner)).json()["state"]
        [mine] = (await http.get("/v1/me", headers=citizen)).json()["benefits"]
        counted = (await http.get("/v1/certification-cycles?program=resident_pension", headers=partner)).json()
        assert mine["cycle"] == seen
        assert counted["people"] == {str(each): int(each == seen) for each in CertificationState}
        return seen, mine["sentence"]

    await world.hear(enrolled(enrolment(who, due_on=TODAY + timedelta(days=91))))
    assert (await state())[0] == "due_far"
    world.deps.clock.move(timedelta(days=1))
    assert (await state())[0] == "warning"
    await run(world)
    assert (await state())[0] == "unmatched"
    await world.hear(knocking(who))
    seen, sentence = await state()
    assert seen == "task_open"
    assert sentence.endswith("网格员会在2023年11月8日前上门。")
    world.deps.clock.move(timedelta(days=91))
    assert (await state())[0] == "overdue"
    await world.hear(assessed(assessment(who, as_of=date(2024, 1, 20)), at=NOW + timedelta(days=92)))
    assert (await state())[0] == "certified"
    await world.hear(assessed(assessment(who, "suspected"), at=NOW + timedelta(days=93)))
    assert (await state())[0] == "suspected"


async def test_a_new_cycle_forgets_the_task_of_the_one_before(world):
    await world.hear(enrolled(enrolment(SHE)))
    await run(world)
    await world.hear(knocking(SHE), assessed(assessment(SHE)))
    world.deps.clock.move(timedelta(days=330))
    await run(world)
    assert await world.rows("SELECT task_id, task_due_on FROM due") == [{"task_id": None, "task_due_on": None}]


async def test_sql_and_domain_say_the_same(world):
    days = (None, date(2023, 10, 31), TODAY, date(2024, 1, 30), date(2024, 1, 31))
    views = [
        CycleView(
            status=status,
            under_review=review,
            certified_until=certified,
            until=until,
            run_on=run_on,
            task=task,
            grace_until=grace,
        )
        for status, review, certified, until, run_on, task, grace in product(
            Status, (False, True), days, days, (None, TODAY), (False, True), (None, TODAY)
        )
    ]
    sql = (
        "SELECT cycle_state(s, u, c, e, r, t, g, $8, 90) AS state FROM unnest($1::text[], $2::bool[], $3::date[], "
        "$4::date[], $5::date[], $6::bool[], $7::bool[]) WITH ORDINALITY AS v (s, u, c, e, r, t, g, at) "
        "ORDER BY at"
    )
    names = ("status", "under_review", "certified_until", "until", "run_on", "task")
    columns = [[getattr(each, name) for each in views] for name in names]
    rows = await world.rows(sql, *columns, [each.grace_until is not None for each in views], TODAY)
    assert [row["state"] for row in rows] == [certification_state(each, TODAY, 90) for each in views]


async def test_a_partner_sees_the_cycle_of_its_own_people_only_and_is_logged(world, http, partner):
    who = world.deps.subjects.one(ID)
    assert (await asked(http, partner)).status_code == 404
    await world.hear(enrolled(enrolment(who), program="old_age_allow"))
    assert (await asked(http, partner)).status_code == 404
    await world.hear(enrolled(enrolment(who)))
    said = (await asked(http, partner)).json()
    assert (said["until"], said["certified_until"], said["grace_until"]) == ("2023-12-31", None, None)
    assert str(who) not in str(said)
    looks = await world.rows("SELECT answer FROM usage WHERE action = 'cycle' ORDER BY usage_id")
    assert [row["answer"] for row in looks] == ["denied:not_found", "denied:not_found", "warning"]
    other = await http.get("/v1/certification-cycles?program=dibao", headers=partner)
    assert other.status_code == 404


async def test_an_officer_lists_who_is_in_a_state_and_each_look_is_logged(world, http, officers):
    await world.hear(enrolled(*(enrolment(each, due_on=LATE) for each in (SHE, HE))))
    await run(world)
    path = "/v1/certification-cycles/people?program=resident_pension&state=overdue&limit=1"
    first = (await officers.get(path)).json()
    second = (await officers.get(f"{path}&after={first['next']}")).json()
    assert [each["subject"] for page in (first, second) for each in page["items"]] == [str(SHE), str(HE)]
    assert len(await world.rows("SELECT FROM usage WHERE action = 'cycle' AND answer = 'overdue'")) == 2
    assert (await officers.get(path.replace("resident_pension", "dibao"))).status_code == 404
    history = await http.post("/v1/people:history", json={"subject": str(SHE)}, headers=officers.headers() | WHY)
    [shown] = history.json()["enrolments"]
    assert (shown["cycle"]["state"], shown["cycle"]["run_on"]) == ("overdue", "2023-11-01")


class TestGrace:
    """The platform's own lateness is never the person's."""

    async def test_it_is_recorded_with_who_and_why_and_nothing_is_proposed_in_it(self, world, http, officers):
        await world.hear(enrolled(enrolment(SHE, due_on=LATE), enrolment(HE, due_on=LATE)))
        await run(world)
        given = await give(http, officers, subject=str(SHE))
        assert given.status_code == 201, given.text
        [listed] = (await officers.get("/v1/graces")).json()["items"]
        assert (listed["given_by"], listed["reason"], listed["said"]) == (
            "officer-1", "source_silent", "医保数据迟交一个月")  # fmt: skip
        world.deps.clock.move(timedelta(days=31))
        await run(world)
        assert [row["subject"] for row in await world.rows("SELECT subject FROM proposal")] == [HE]
        late = await officers.get("/v1/certification-cycles/people?program=resident_pension&state=unmatched")
        assert [(each["subject"], each["grace_until"]) for each in late.json()["items"]] == [(str(SHE), "2024-01-31")]

    async def test_a_stop_for_lateness_waits_until_it_is_over(self, world, http, officers):
        await world.hear(enrolled(enrolment(SHE, due_on=LATE)))
        await run(world)
        world.deps.clock.move(timedelta(days=30))
        await run(world)
        [proposal] = await officers.proposals()
        decision = await officers.decided(proposal["proposal_id"])
        await tell(world, SHE)
        world.deps.clock.move(timedelta(days=31))
        await give(http, officers)
        refused = await officers.post(f"/v1/decisions/{decision}:carry-out")
        assert (refused.status_code, refused.json()["code"]) == (409, "in_grace")
        assert await world.rows("SELECT FROM enrolment WHERE status = 'suspended'") == []
        world.deps.clock.move(timedelta(days=31))
        assert (await officers.post(f"/v1/decisions/{decision}:carry-out")).json()["state"] == "effective"

    async def test_a_run_that_comes_late_gives_everybody_the_days_it_was_late(self, world):
        await world.hear(enrolled(enrolment(SHE, due_on=LATE)))
        await run(world)
        world.deps.clock.move(timedelta(days=45))
        await run(world)
        [grace] = await world.rows("SELECT program, subject, until_on, reason, given_by FROM grace")
        assert tuple(grace.values()) == (None, None, date(2023, 12, 26), "run_late", "platform")
        assert await world.rows("SELECT FROM proposal") == []
        world.deps.clock.move(timedelta(days=11))
        await run(world)
        assert len(await world.rows("SELECT FROM proposal")) == 1

    @pytest.mark.parametrize(
        ("changes", "status"),
        [
            ({"until_on": "2023-10-31"}, 422),
            ({"until_on": "2025-01-01"}, 422),
            ({"programs": ["dibao"]}, 404),
            ({"programs": []}, 403),
            ({"reason": "kindness"}, 422),
        ],
        ids=["past", "for ever", "another's program", "all programs", "no reason"],
    )
    async def test_what_an_officer_may_not_give_leaves_nothing(self, world, http, officers, changes, status):
        assert (await give(http, officers, **changes)).status_code == status
        assert await world.rows("SELECT FROM grace") == []

    async def test_an_operator_gives_it_in_every_program_and_nobody_rewrites_it(self, world, http, issuer):
        operator = issuer.headers("operate", role="operator", programs=["*"], user="operator-1")
        body = {"until_on": "2023-12-31", "reason": "outage", "said": "平台停机三天"}
        assert (await http.post("/v1/graces", json=body, headers=operator)).status_code == 201
        with pytest.raises(Exception, match="never changed"):
            async with world.deps.database.write() as tx:
                await tx.run("DELETE FROM grace")
