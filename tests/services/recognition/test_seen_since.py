"""Whom people hold for dead or gone and somebody sees since: nobody is stopped before officers say which is so."""

from datetime import date, timedelta
from uuid import UUID

import pytest

from services.recognition.domain.faces import Assertion
from services.recognition.usecases import facing
from tests.services.recognition.rights import GROUNDS, Officers, tell
from tests.services.recognition.test_clearings import FALSE, announced, carry_out, case, on, proposed, waits
from tests.services.recognition.world import NOW, assessed, assessment, enrolled, enrolment, subject, visited

pytestmark = pytest.mark.db
PROGRAM, SEEN = "resident_pension", date(2023, 12, 10)
PROPOSED, ANNOUNCED, ENDED, GONE, SEEN_BEFORE = (subject(number) for number in range(5))


@pytest.fixture
def officers(http, issuer):
    return Officers(http, issuer)


@pytest.fixture
async def paths(world, officers) -> dict[UUID, str]:
    """What was found of each, up to the morning on which they are seen: proposal or decision, at the API."""
    made = {}
    for who in (PROPOSED, ANNOUNCED, ENDED, GONE, SEEN_BEFORE):
        kind = "suspected_missing" if who == GONE else "suspected_death"
        await world.hear(enrolled(enrolment(who)), case(who, "confirmed", NOW, kind=kind, event_on=FALSE))
        if who == PROPOSED:
            made[who] = f"/v1/proposals/{await proposed(world, who, PROGRAM)}"
            await officers.post(f"{made[who]}:decide", body=GROUNDS)
        else:
            made[who] = f"/v1/decisions/{await announced(world, who, PROGRAM, 'missing' if who == GONE else 'death')}"
        await tell(world, who)
    on(world, date(2023, 12, 3))
    assert await carry_out(world, UUID(made[ENDED][-36:]), PROGRAM) == "effective"
    on(world, SEEN)
    return made


async def show_face(world, who: UUID) -> None:
    async with world.deps.database.write() as tx:
        session = await facing.open_session(world.deps, tx, who, "mobile", assisted=False)
        word = Assertion(
            issuer="p", jti=session.nonce, nonce=session.nonce, same_person=True, score=99.0, live=True,
        )  # fmt: skip
        await facing.finish(world.deps, tx, session.session_id, who, word)


async def step(officers, paths, who: UUID):
    """The next step towards her stop, by an officer who may."""
    return await officers.post(f"{paths[who]}:{'confirm' if who == PROPOSED else 'carry-out'}", "officer-5")


@pytest.mark.parametrize(("how", "it_was"), [("face", "another"), ("home", "her")])
async def test_who_was_seen_since_is_stopped_only_once_an_officer_says_that_it_was_another(
    world, officers, paths, how, it_was
):
    day = SEEN if how == "face" else date(2023, 10, 20)  # seen before the case was concluded, and heard of since
    for who in (PROPOSED, ANNOUNCED, ENDED, GONE):
        await (show_face(world, who) if how == "face" else world.hear(visited(who, on=day)))
    # The day of the death itself speaks against nothing, nor does what only machines have seen.
    await world.hear(visited(SEEN_BEFORE, on=FALSE), assessed(assessment(SEEN_BEFORE, as_of=SEEN)))
    made = {row["subject"]: str(row["certificate_id"]) for row in await world.rows("SELECT * FROM certificate")}
    for who in (PROPOSED, ANNOUNCED, GONE):
        refused = (await step(officers, paths, who)).json()
        assert (refused["code"], refused["certificates"]) == ("seen_since", [made[who]])
    found = await waits(world, PROGRAM)
    assert sorted(found) == ["carry_out", "seen_announced", "seen_announced", "seen_proposed", "seen_stopped"]
    assert (await step(officers, paths, SEEN_BEFORE)).status_code == 200

    if it_was == "her":
        lives = {"alive_on": day.isoformat()}
        lifted = {"reason": "false_death", "passed_on": day.isoformat()}
        ways = {PROPOSED: ("reject", lives), ANNOUNCED: ("withdraw", lives), ENDED: ("lift", lifted)}
        for who, (verb, body) in {**ways, GONE: ("withdraw", None)}.items():
            assert (await officers.post(f"{paths[who]}:{verb}", "officer-3", body)).status_code == 200
        reached = ["active"] * 4
    else:
        await world.hear(enrolled(enrolment(ANNOUNCED, "ended"), received_at=NOW + timedelta(days=39)))
        for who in (PROPOSED, ANNOUNCED, ENDED, GONE):
            body = {"subject": str(who), "certificate_id": made[who], "reason": "wrong_person", "grounds": "系他人冒用"}
            assert (await officers.post("/v1/certificate-revocations", body=body)).status_code == 201
            assert who == ENDED or (await step(officers, paths, who)).status_code == 200
        reached = ["notice_of_intended_stop", "terminated", "terminated", "suspended"]
    assert await waits(world, PROGRAM) == []
    rows = await world.rows("SELECT status FROM enrolment WHERE subject <> $1 ORDER BY subject", SEEN_BEFORE)
    assert [row["status"] for row in rows] == reached
