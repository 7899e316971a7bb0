"""What a roster says will end ends on that day, unless a later row says otherwise."""

from datetime import datetime, timedelta

import pytest

from services.ingest.jobs.ending import Ending
from shared.kit import arrow
from tests.services.ingest.api.test_places import NEAR, OTHER, at, both, enrolled_at, told
from tests.services.ingest.world import NOW, VILLAGE, roster

pytestmark = pytest.mark.db
CHANGED = "ingest.enrolments.changed.v1"


async def days_on(world, days: int) -> int:
    """Enrolments that the look of a later day ends."""
    platform = world.deps.platform
    platform.clock.move(timedelta(days=days))
    return await Ending(platform.database, platform.clock, platform.outbox).end()


async def test_an_end_to_come_is_kept_until_its_day_or_until_another_row_replaces_it(town):
    numbers = [0, 1, 2, 3, 35]
    ends = roster(numbers, 待遇金额=["330", "", "220.10", "220.10", "9"], 停止享受年月=["2024-01"] * 5)
    said = (await town.enrol(ends, mode="delta")).json()
    assert [said[name] for name in ("accepted", "new", "changed", "ended", "reasons")] == [5, 1, 1, 0, {}]
    # One goes on after all, one has no more to say of it; and what names nobody's end keeps it.
    await town.enrol(roster([2, 3], 停止享受年月=["", "2024-03"]), mode="delta")
    await town.enrol(roster(range(2), 待遇金额=["331"] * 2), mode="delta")
    before = await town.said(CHANGED)
    assert [await days_on(town, days) for days in (60, 1, 0)] == [0, 3, 0]
    gone = (await town.said(CHANGED))[len(before) :]
    assert {(row["change"], str(row["ended_on"])) for row in gone} == {("ended", "2024-01-01")}
    assert {row["amount_fen"] for row in gone} == {33_100, 900}
    # For whoever hears it later than the roster that said it, and earlier than any one received after that.
    [last] = await town.rows("SELECT body FROM outbox WHERE subject LIKE $1 || '.%' ORDER BY seq DESC LIMIT 1", CHANGED)
    received = arrow.decode(last["body"]).schema.metadata[b"received_at"].decode()
    assert NOW < datetime.fromisoformat(received) < NOW + timedelta(seconds=1)
    assert await days_on(town, 60) == 1


def plain(started: str, *divisions: str, **columns: list[str]) -> dict:
    """A delta that lists one person, without a column of ends."""
    count = len(divisions)
    return roster([0] * count, 村居代码=divisions, 开始享受年月=[started] * count, **columns)


@pytest.mark.parametrize(
    ("files", "left"),
    [([("delta", plain("", VILLAGE, 待遇金额=[""], 停止享受年月=["2023-12"])), ("delta", plain("", NEAR))], NEAR),
     ([("full", {**both(VILLAGE), "停止享受年月": ["2023-12", *[""] * 29]}), ("full", both(OTHER))], OTHER),
     ([("delta", at(VILLAGE, "2015-07", ended="2023-12")), ("delta", plain("2012-01", OTHER))], OTHER),
     ([("delta", plain("", VILLAGE, NEAR, 停止享受年月=["2023-12", ""]))], NEAR),
     ([("delta", at(VILLAGE, "2010-01", ended="2023-12")), ("delta", at(OTHER, "2015-01", ended="2023-12")),
       ("delta", at(OTHER[:9] + "002", "2016-01"))], OTHER[:9] + "002"),
     ([("full", {**both(OTHER, VILLAGE, NEAR, OTHER), "待遇金额": [*[""] * 4, *["99"] * 29],
                 "停止享受年月": ["2023-12", "2023-12", "2024-02", "2023-12", *[""] * 29]})], VILLAGE),
     ([("delta", plain("", NEAR, NEAR[:9] + "009", 待遇金额=["99", ""], 停止享受年月=["", "2023-12"]))], NEAR),
     ([("delta", plain("", NEAR, NEAR[:6], 待遇金额=["99", ""], 停止享受年月=["", "2023-12"]))], None)],
    ids=["within the county", "to another county", "began earlier there", "in one roster", "one of two in a county",
         "ends later in his county", "of a slip beside his row", "of his county"],
)  # fmt: skip
async def test_an_end_to_come_at_one_place_ends_nobody_who_goes_on_at_another(town, files, left):
    for mode, columns in files:
        assert (await town.enrol(columns, mode=mode)).status_code == 201
    assert (await days_on(town, 30), await enrolled_at(town)) == (left is None, left)


async def test_a_list_of_stops_of_the_next_month_is_nothing_to_look_at_twice(town):
    stops = roster(range(25), 停止享受年月=["2023-12"] * 25, 待遇金额=[""] * 25)
    assert (await town.enrol(stops)).json()["ended"] == 5
    assert await days_on(town, 30) == 25


@pytest.mark.parametrize(
    ("deltas", "left"),
    [([at(OTHER), at(VILLAGE, ended="2023-12")], OTHER), ([at(OTHER), at(OTHER, ended="2023-12")], VILLAGE),
     ([roster([0, 0], 村居代码=[OTHER, VILLAGE], 待遇金额=["99", ""], 停止享受年月=["", "2023-12"])], OTHER),
     ([at(OTHER, ended="2023-12"), plain("", OTHER, 待遇金额=["99"])], VILLAGE)],
    ids=["first", "second", "of one who will move", "second, said before"],
)  # fmt: skip
async def test_when_one_of_two_listings_comes_to_its_end_the_other_is_the_enrolment(town, deltas, left):
    for columns in deltas:
        await town.enrol(columns, mode="delta")
    assert (await enrolled_at(town), await told(town)) == (VILLAGE, [("new", OTHER)])
    assert await days_on(town, 30) == 0
    assert (await enrolled_at(town), await told(town)) == (left, [("new", OTHER), ("ended", OTHER)])
