"""What recognition makes of what it hears."""

import random
from datetime import date, timedelta
from itertools import permutations
from uuid import UUID, uuid4

import pytest

from services.recognition.store.certificates import Revocation
from services.recognition.usecases.revoking import revoke, take_back
from shared.contracts.events import CERTIFICATE_REVOKED, CERTIFICATES_ISSUED, EVIDENCE_CORRECTED
from tests.services.recognition.rights import facts
from tests.services.recognition.world import (
    NOW,
    TODAY,
    assessed,
    assessment,
    concluded,
    enrolled,
    enrolment,
    subject,
    table_message,
    visited,
    withdrawn,
)

pytestmark = pytest.mark.db

SHE = subject(1)
HE = subject(2)


def taken_back(who: UUID, evidence_id: int):
    row = {
        "subject": who.bytes,
        "occurred_on": TODAY,
        "kind": "seen",
        "polarity": "positive",
        "evidence_id": evidence_id,
    }
    marks = {"source": "rail_trip", "department": "rail", "reason": "wrong_person", "corrected_at": NOW.isoformat()}
    return table_message(EVIDENCE_CORRECTED, [row], marks)


async def test_evidence_taken_back_certifies_nobody_and_what_is_left_does_under_a_name_of_its_own(world):
    first = assessed(assessment(SHE), assessment(HE, evidence_ids=[3]))
    await world.hear(enrolled(enrolment(SHE), enrolment(HE)), first, taken_back(SHE, 2))
    [revoked] = await facts(world, CERTIFICATE_REVOKED)
    assert (revoked["subject"], revoked["reason"], revoked["channel"]) == (str(SHE), "evidence_withdrawn", "data")
    await world.hear(taken_back(SHE, 2), assessed(assessment(SHE), at=NOW + timedelta(minutes=1)))
    assert [row["subject"] for row in await world.rows("SELECT subject FROM holding")] == [HE]
    await world.hear(assessed(assessment(SHE, evidence_ids=[1]), at=NOW + timedelta(minutes=2)))
    [hers] = await world.rows("SELECT certificate_id, as_of FROM holding WHERE subject = $1", SHE)
    assert (str(hers["certificate_id"]) != revoked["certificate_id"], hers["as_of"]) == (True, date(2023, 9, 10))
    assert [UUID(bytes=row["subject"]) for row in await world.said(CERTIFICATES_ISSUED)] == [SHE, HE, SHE]


async def test_evidence_taken_back_before_it_was_heard_of_certifies_nobody_either(world):
    await world.hear(enrolled(enrolment(SHE), enrolment(HE)), taken_back(SHE, 2), taken_back(SHE, 1))
    await world.hear(assessed(assessment(SHE, evidence_ids=[2, 3]), assessment(HE)))
    assert [row["subject"] for row in await world.rows("SELECT subject FROM certificate")] == [HE]
    later = [assessment(SHE, evidence_ids=[3]), assessment(SHE, evidence_ids=[1])]
    await world.hear(assessed(later[0], at=NOW + timedelta(minutes=1)), taken_back(SHE, 3))
    await world.hear(assessed(later[1], at=NOW + timedelta(minutes=2)))
    assert await world.rows("SELECT FROM holding WHERE subject = $1", SHE) == []
    assert [UUID(bytes=row["subject"]) for row in await world.said(CERTIFICATES_ISSUED)] == [HE, SHE]


async def test_of_certificates_that_fall_at_once_none_is_told_again(world):
    both = [assessment(SHE, as_of=date(2023, 9, 10)), assessment(SHE, as_of=date(2023, 10, 20))]
    await world.hear(enrolled(enrolment(SHE)), *map(assessed, both), taken_back(SHE, 2))
    assert (len(await facts(world, CERTIFICATE_REVOKED)), len(await world.said(CERTIFICATES_ISSUED))) == (2, 2)


async def test_a_certifiable_person_gets_one_certificate_however_often_it_is_said(world):
    said = assessed(assessment(SHE))
    await world.hear(enrolled(enrolment(SHE)), said, said, assessed(assessment(SHE)))
    rows = await world.rows("SELECT claim, as_of, channel, strength, issued_on, evidence_ids FROM certificate")
    assert rows == [
        {
            "claim": "alive",
            "as_of": date(2023, 9, 10),
            "channel": "data",
            "strength": "strong",
            "issued_on": TODAY,
            "evidence_ids": [1, 2],
        }
    ]
    issued = await world.said(CERTIFICATES_ISSUED)
    assert [(row["subject"], row["valid_until"], row["programs"], row["previous_until"]) for row in issued] == [
        (SHE.bytes, date(2024, 9, 30), 1, None)
    ]


@pytest.mark.parametrize("first", ["assessment", "enrolment"])
async def test_a_person_is_told_once_whichever_comes_first(world, first):
    messages = [assessed(assessment(SHE)), enrolled(enrolment(SHE))]
    await world.hear(*(messages if first == "assessment" else reversed(messages)))
    assert len(await world.said(CERTIFICATES_ISSUED)) == 1


async def test_a_message_of_several_shards_holds_each_of_them(world):
    people = [subject(1, 4), subject(2, 12), subject(3, 12)]
    said = enrolled(*map(enrolment, people))
    async with world.deps.database.write() as tx:
        await world.handle(tx, said)
        rows = await tx.fetch(
            "SELECT count(*) AS n FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
        )
    assert rows[0]["n"] == 2
    assert len(await world.rows("SELECT FROM enrolment")) == 3


async def test_nobody_is_told_of_a_person_no_roster_lists(world):
    await world.hear(assessed(assessment(SHE)), enrolled(enrolment(HE)))
    assert await world.said(CERTIFICATES_ISSUED) == []


async def test_the_earliest_end_over_the_programs_is_told(world):
    await world.hear(
        enrolled(enrolment(SHE)),
        enrolled(enrolment(SHE), program="orphan"),  # six months
        enrolled(enrolment(SHE), program="unemployment"),  # one month: over by now
        enrolled(enrolment(SHE), program="dibao"),  # asks for her income besides
        assessed(assessment(SHE)),
    )
    [row] = await world.said(CERTIFICATES_ISSUED)
    assert (row["valid_until"], row["programs"]) == (date(2024, 3, 31), 2)


async def test_newer_evidence_extends_and_says_from_when(world):
    await world.hear(
        enrolled(enrolment(SHE)),
        assessed(assessment(SHE, as_of=date(2023, 8, 1))),
        assessed(assessment(SHE, as_of=date(2023, 10, 1)), at=NOW + timedelta(hours=1)),
    )
    last = (await world.said(CERTIFICATES_ISSUED))[-1]
    assert (last["valid_until"], last["previous_until"]) == (date(2024, 10, 31), date(2024, 8, 31))


async def test_older_evidence_that_comes_late_changes_nothing_that_is_told(world):
    await world.hear(
        enrolled(enrolment(SHE)),
        assessed(assessment(SHE, as_of=date(2023, 10, 1))),
        assessed(assessment(SHE, as_of=date(2023, 8, 1))),
    )
    assert len(await world.said(CERTIFICATES_ISSUED)) == 1
    assert len(await world.rows("SELECT 1 FROM certificate")) == 2
    assert await world.rows("SELECT as_of FROM holding") == [{"as_of": date(2023, 10, 1)}]


async def test_a_capped_certificate_lasts_as_long_as_its_rule_set_allows(world):
    await world.hear(
        enrolled(enrolment(SHE)),
        assessed(assessment(SHE, as_of=date(2023, 10, 1), strength="weak", valid_months=3)),
    )
    [row] = await world.said(CERTIFICATES_ISSUED)
    assert row["valid_until"] == date(2024, 1, 31)


async def test_a_suspicion_opens_a_review_and_neither_certifies_nor_stops(world):
    await world.hear(enrolled(enrolment(SHE)), assessed(assessment(SHE, "suspected")))
    assert await world.rows("SELECT under_review FROM standing") == [{"under_review": True}]
    assert await world.rows("SELECT 1 FROM certificate") == []
    assert await world.rows("SELECT status FROM enrolment") == [{"status": "active"}]


@pytest.mark.parametrize(("result", "channel"), [("seen_alive", "home"), ("seen_by_video", "remote")])
async def test_a_visit_that_saw_the_person_certifies(world, result, channel):
    visit = visited(SHE, result)
    await world.hear(enrolled(enrolment(SHE)), visit, visit)
    [row] = await world.said(CERTIFICATES_ISSUED)
    assert (row["channel"], row["as_of"], row["valid_until"]) == (channel, TODAY, date(2024, 11, 30))
    assert len(await world.rows("SELECT 1 FROM certificate WHERE rule_set = 'visit@1' AND origin IS NOT NULL")) == 1


@pytest.mark.parametrize("result", ["absent_informed_by", "dead", "moved", "in_custody", "refused", "no_such_person"])
async def test_every_other_visit_certifies_nothing_and_stops_nothing(world, result):
    await world.hear(enrolled(enrolment(SHE)), visited(SHE, result))
    assert await world.rows("SELECT 1 FROM certificate") == []
    assert await world.rows("SELECT status FROM enrolment") == [{"status": "active"}]


@pytest.mark.parametrize("conclusion", ["unfounded", "false_death"])
async def test_an_unfounded_case_ends_the_review_and_what_is_certified_is_told(world, conclusion):
    await world.hear(enrolled(enrolment(SHE)), assessed(assessment(SHE, "suspected")), visited(SHE))
    assert await world.said(CERTIFICATES_ISSUED) == []
    await world.hear(concluded(SHE, conclusion))
    assert await world.rows("SELECT under_review FROM standing") == [{"under_review": False}]
    assert len(await world.said(CERTIFICATES_ISSUED)) == 1


@pytest.mark.parametrize("conclusion", ["unfounded", "confirmed"])
async def test_a_case_on_a_double_receipt_leaves_open_whether_the_person_lives(world, conclusion):
    await world.hear(enrolled(enrolment(SHE)), assessed(assessment(SHE, "suspected")), visited(SHE))
    await world.hear(concluded(SHE, conclusion, kind="duplicate_receipt"))
    assert await world.rows("SELECT under_review FROM standing") == [{"under_review": True}]


async def test_a_confirmed_case_opens_a_proposal_a_program_and_stops_nothing(world):
    case = concluded(SHE, "confirmed")
    await world.hear(enrolled(enrolment(SHE)), enrolled(enrolment(SHE), program="farmland"), case, case)
    rows = await world.rows("SELECT program, reason, effect, stops_from, state FROM proposal ORDER BY program")
    assert rows == [
        {
            "program": "farmland",
            "reason": "death",
            "effect": "change_payee",
            "stops_from": date(2024, 1, 1),
            "state": "open",
        },
        {
            "program": "resident_pension",
            "reason": "death",
            "effect": "terminate",
            "stops_from": date(2023, 9, 1),
            "state": "open",
        },
    ]
    assert {row["status"] for row in await world.rows("SELECT status FROM enrolment")} == {"active"}
    assert {row["decision_owed"] for row in await world.rows("SELECT decision_owed FROM enrolment")} == {True}


async def test_a_program_that_enrols_the_person_later_gets_its_proposal_too(world):
    await world.hear(concluded(SHE, "confirmed"), enrolled(enrolment(SHE)))
    assert await world.rows("SELECT program FROM proposal") == [{"program": "resident_pension"}]


async def test_an_unfounded_case_withdraws_what_was_proposed(world):
    await world.hear(
        enrolled(enrolment(SHE)), concluded(SHE, "confirmed", hours=1), concluded(SHE, "false_death", hours=2)
    )
    assert await world.rows("SELECT state FROM proposal") == [{"state": "withdrawn"}]


@pytest.mark.parametrize("kind", ["suspected_incarceration", "suspected_missing", "duplicate_receipt", "conflict"])
async def test_every_kind_of_case_has_a_reason(world, kind):
    await world.hear(enrolled(enrolment(SHE)), concluded(SHE, "confirmed", kind=kind))
    assert len(await world.rows("SELECT 1 FROM proposal")) == 1


async def test_an_older_roster_changes_nothing(world):
    await world.hear(
        enrolled(enrolment(SHE, amount_fen=30_000), received_at=NOW),
        enrolled(enrolment(SHE, amount_fen=10_000), received_at=NOW - timedelta(days=1)),
    )
    assert await world.rows("SELECT amount_fen FROM enrolment") == [{"amount_fen": 30_000}]


async def test_a_roster_never_undoes_what_people_decided(world):
    await world.hear(enrolled(enrolment(SHE)), enrolled(enrolment(SHE, "ended"), received_at=NOW + timedelta(days=1)))
    assert await world.rows("SELECT listed, status FROM enrolment") == [{"listed": False, "status": "active"}]


async def test_the_last_row_of_a_person_in_a_message_counts(world):
    await world.hear(enrolled(enrolment(SHE), enrolment(HE), enrolment(SHE, "ended")))
    rows = await world.rows("SELECT subject, listed FROM enrolment ORDER BY subject")
    assert rows == [{"subject": SHE, "listed": False}, {"subject": HE, "listed": True}]


STATE = """
SELECT s.subject, s.decision, s.as_of, r.under_review, CASE WHEN NOT r.under_review THEN s.announced_until END AS told,
       (SELECT array_agg(c.as_of ORDER BY c.as_of, c.channel) FROM certificate c WHERE c.subject = s.subject) AS certificates,
       (SELECT array_agg(h.as_of ORDER BY h.as_of) FROM holding h WHERE h.subject = s.subject) AS holdings,
       (SELECT array_agg(p.program) FROM proposal p WHERE p.subject = s.subject AND p.state = 'open') AS proposed
FROM standing s CROSS JOIN LATERAL (
    SELECT s.under_review OR EXISTS (SELECT FROM enrolment e WHERE e.subject = s.subject AND e.decision_owed) AS under_review
) r ORDER BY s.subject
"""
STORY = [
    enrolled(enrolment(SHE), enrolment(HE)),
    enrolled(enrolment(SHE), program="old_age_allow"),
    assessed(assessment(SHE, as_of=date(2023, 6, 1)), assessment(HE, "insufficient")),
    assessed(
        assessment(SHE, "suspected"),
        assessment(HE, as_of=date(2023, 7, 1), valid_months=6),
        at=NOW + timedelta(minutes=10),
    ),
    assessed(assessment(HE, as_of=date(2023, 7, 1)), at=NOW + timedelta(hours=3)),
    visited(SHE, visit_id=UUID(int=5)),
    concluded(SHE, "unfounded", hours=1),
    concluded(HE, "confirmed", hours=2),
]
STANDINGS = [
    {
        "subject": SHE,
        "decision": "suspected",
        "as_of": None,
        "under_review": False,
        "told": date(2024, 11, 30),
        "certificates": [date(2023, 6, 1), TODAY],
        "holdings": [TODAY],
        "proposed": None,
    },
    {
        "subject": HE,
        "decision": "certifiable",
        "as_of": date(2023, 7, 1),
        "under_review": True,
        "told": None,
        "certificates": [date(2023, 7, 1), date(2023, 7, 1)],
        "holdings": [date(2023, 7, 1), date(2023, 7, 1)],
        "proposed": ["resident_pension"],
    },
]


@pytest.mark.parametrize("seed", range(12))
async def test_any_order_of_events_gives_the_same_standing(world, seed):
    await world.hear(*random.Random(seed).sample(STORY, len(STORY)))
    assert await world.rows(STATE) == STANDINGS


async def test_who_is_visited_again_after_that_days_certificate_was_revoked_is_certified_again(world):
    she, first = subject(1), uuid4()
    await world.hear(enrolled(enrolment(she)), visited(she, visit_id=first))
    [wrong] = await world.rows("SELECT certificate_id FROM holding")
    world.deps.clock.move(timedelta(hours=1))
    async with world.deps.database.write() as tx:
        made = Revocation(subject=she, certificate_id=wrong["certificate_id"], reason="wrong_person", revoked_by="o-1")
        await take_back(world.deps, tx, made)
    assert [each["visit_id"] for each in await facts(world, CERTIFICATE_REVOKED)] == [str(first)]
    await world.hear(visited(she, visit_id=first), visited(she))
    assert await world.rows("SELECT FROM holding") == [], "what was seen before it was taken back stays taken back"
    later = uuid4()
    for _ in range(2):
        await world.hear(visited(she, visit_id=later, at=NOW + timedelta(hours=2)))
        [holding] = await world.rows("SELECT certificate_id, as_of FROM holding")
        assert holding["as_of"] == TODAY
        assert holding["certificate_id"] != wrong["certificate_id"]
    async with world.deps.database.write() as tx:
        [left] = await tx.fetch("SELECT certificate_id FROM holding")
        ended = Revocation(subject=she, certificate_id=left["certificate_id"], reason="death", decision_id=uuid4())
        await revoke(world.deps, tx, ended)
    told = {each["reason"]: each["visit_id"] for each in await facts(world, CERTIFICATE_REVOKED)}
    assert told == {"wrong_person": str(first), "death": None}, (
        "nobody looks after all into what a visit of hers cleared"
    )
    assert len(await world.rows("SELECT FROM certificate")) == 2


A, B = UUID(int=10), UUID(int=11)
SEEN, SEEN_TOO, FELL, AGAIN = (visited, A, 0), (visited, B, 0), (withdrawn, A, 0), (visited, A, 1)


@pytest.mark.parametrize(
    ("told", "holds"),
    [((SEEN, FELL), []), ((SEEN, FELL, SEEN_TOO), [B]), ((SEEN, FELL, AGAIN), [A])],
)
async def test_a_withdrawn_visit_certifies_nobody_in_any_order_and_leaves_every_other(world, told, holds):
    for number, order in enumerate(permutations(told), start=1):
        who = subject(number)
        await world.hear(enrolled(enrolment(who)))
        await world.hear(*(make(who, visit_id=visit, revision=revision) for make, visit, revision in order))
        rows = await world.rows(
            "SELECT c.origin, c.certificate_id, r.reason FROM certificate c LEFT JOIN revocation r USING (subject, certificate_id) "
            "WHERE subject = $1 ORDER BY 1", who)  # fmt: skip
        assert [row["origin"] for row in rows if row["reason"] is None] == holds
        assert bool(await world.rows("SELECT FROM holding WHERE subject = $1", who)) == bool(holds)
        said = [each for each in await facts(world, CERTIFICATE_REVOKED) if each["subject"] == str(who)]
        assert {(each["reason"], each["visit_id"]) for each in said} <= {("visit_withdrawn", None)}
        assert len(said) == len([row for row in rows if row["reason"]])
        issued = [
            each["certificate_id"] for each in await world.said(CERTIFICATES_ISSUED) if each["subject"] == who.bytes
        ]
        in_force = [row["certificate_id"].bytes for row in rows if row["reason"] is None]
        assert bool(set(issued) & set(in_force)) == bool(holds)


async def test_a_certificate_row_cannot_be_changed(world):
    await world.hear(assessed(assessment(SHE)))
    with pytest.raises(Exception, match="never changed"):
        async with world.deps.database.write() as tx:
            await tx.run("UPDATE certificate SET as_of = as_of + 400")


@pytest.mark.parametrize("status", ["suspended", "terminated", "notice_of_intended_stop"])
async def test_the_schema_refuses_a_stop_nobody_decided(world, status):
    await world.hear(enrolled(enrolment(SHE)))
    with pytest.raises(Exception, match="stop_needs_decision"):
        async with world.deps.database.write() as tx:
            await tx.run("UPDATE enrolment SET status = $1", status)
    with pytest.raises(Exception, match="fk_enrolment_decision"):
        async with world.deps.database.write() as tx:
            await tx.run("UPDATE enrolment SET status = $1, decision_id = $2", status, uuid4())
