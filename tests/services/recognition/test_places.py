"""One person listed by one program at two places: an officer says what it came to, and no machine does anything."""

from datetime import date, timedelta

import pytest

from shared.contracts.events import SECOND_PLACES_CHANGED
from shared.kit.bus import Message
from tests.services.recognition.rights import Officers
from tests.services.recognition.world import DIVISION, NOW, enrolled, enrolment, subject, table_message

pytestmark = pytest.mark.db
SHE = subject(1)
OTHER = "341623001001"


def twice(change: str = "new", *, days: int = 0, program: str = "resident_pension", fen: int = 18_000) -> Message:
    received = NOW + timedelta(days=days)
    row = {"subject": SHE.bytes, "change": change, "division": OTHER, "amount_fen": fen, "started_on": date(2016, 1, 1)}
    attributes = {"program": program, "department": "hrss", "received_at": received.isoformat()}
    return table_message(SECOND_PLACES_CHANGED, [row], attributes, received)


@pytest.fixture
def officers(http, issuer):
    return Officers(http, issuer)


async def waiting(officers) -> list[str]:
    return [item["id"] for item in (await officers.get("/v1/work")).json()["items"] if item["kind"] == "listed_twice"]


async def test_an_officer_sees_both_places_and_says_what_it_came_to(world, officers):
    await world.hear(enrolled(enrolment(SHE)), twice())
    [place] = await waiting(officers)
    seen = (await officers.get(f"/v1/second-places/{place}")).json()
    assert seen["kept"] == {"division": DIVISION, "amount_fen": 20_000, "started_on": "2010-06-01"}
    assert seen["second"] == {"division": OTHER, "amount_fen": 18_000, "started_on": "2016-01-01"}
    assert (seen["drawn_twice_from"], seen["waits"], seen["outcome"]) == ("2016-01-01", True, None)
    path = f"/v1/second-places/{place}:close"
    assert (await officers.post(path, body={"outcome": "refunded"})).status_code == 422
    assert (await officers.post(path, body={"outcome": "moved", "refunded_fen": 1})).status_code == 422
    closed = (await officers.post(path, body={"outcome": "refunded", "refunded_fen": 54_000})).json()
    assert (closed["outcome"], closed["refunded_fen"], closed["closed_by"]) == ("refunded", 54_000, "officer-1")
    again = await officers.post(path, "officer-2", {"outcome": "moved"})
    assert (again.status_code, again.json()["code"]) == (409, "nothing_waits")
    assert await waiting(officers) == []
    # She is paid as before: nobody decided anything about her benefit.
    [entry] = await world.rows("SELECT status FROM enrolment WHERE subject = $1", SHE)
    assert entry["status"] == "active"
    assert await world.rows("SELECT FROM proposal UNION ALL SELECT FROM overpayment") == []
    looks = await world.rows("SELECT answer FROM usage WHERE action = 'second_place' ORDER BY usage_id")
    assert [row["answer"] for row in looks if not row["answer"].startswith("denied")] == ["seen", "close"]


async def test_it_closes_by_itself_and_waits_anew_when_it_is_listed_again(world, officers):
    await world.hear(enrolled(enrolment(SHE)), twice())
    [place] = await waiting(officers)
    assert (await officers.post(f"/v1/second-places/{place}:close", body={"outcome": "moved"})).status_code == 200
    world.deps.clock.move(timedelta(days=40))
    for message, left in (
        (twice("changed", days=10, fen=19_000), []),  # another amount is nothing new
        (twice("ended", days=20), []),
        (twice(days=5), []),  # late: what is older changes nothing
        (twice(days=30), [place]),
        (twice("ended", days=40), []),
    ):
        await world.hear(message)
        assert await waiting(officers) == left


async def test_nothing_waits_where_a_rule_does_not_know_of_it_nor_for_another_department(world, officers, http, issuer):
    await world.hear(enrolled(enrolment(SHE), program="old_age_allow"), twice(program="old_age_allow"))
    assert await waiting(officers) == []
    await world.hear(enrolled(enrolment(SHE)), twice())
    [place] = await waiting(officers)
    others = Officers(http, issuer, programs=["dibao"])
    assert await waiting(others) == []
    assert (await others.get(f"/v1/second-places/{place}")).status_code == 404
