"""A person whom two counties list in one program, and one who has only moved."""

import pytest

from tests.services.ingest.world import IDS, PROGRAM, VILLAGE, csv_of, roster

pytestmark = pytest.mark.db
NEAR = "341602001002"
OTHER = "341623001001"
THIRTY = range(30)


def at(division: str, started: str = "", ended: str = "", fen: str = "99.00", number: int = 0) -> dict:
    """A delta of one row, with every column that tells listings apart."""
    return roster([number], 村居代码=[division], 开始享受年月=[started], 停止享受年月=[ended], 待遇金额=[fen])


def both(*divisions: str, days=None) -> dict:
    """A full roster that lists the first of thirty people at each of these villages."""
    numbers = [0] * len(divisions) + list(THIRTY)[1:]
    places = [*divisions, *[VILLAGE] * 29]
    return roster(numbers, 村居代码=places, 开始享受年月=[*(days or [""] * len(divisions)), *[""] * 29])


async def enrolled_at(world, number: int = 0) -> str | None:
    """Village of the one open enrolment of a person."""
    who = world.deps.keys.subject.one(IDS[number])
    rows = await world.rows(
        "SELECT division FROM enrolment WHERE subject = $1 AND program = $2 AND ended_on IS NULL", who, PROGRAM
    )
    return rows[0]["division"] if rows else None


async def told(world) -> list[tuple[str, str]]:
    """What was said of second places, in order."""
    return [(row["change"], row["division"]) for row in await world.said("ingest.second_places.changed.v1")]


async def test_two_counties_that_deliver_apart_are_seen_as_two_at_once(town):
    await town.enrol(at(VILLAGE, "2015-07"), mode="delta")
    await town.enrol(at(OTHER, "2016-01"), mode="delta")
    assert (await enrolled_at(town), await told(town)) == (VILLAGE, [("new", OTHER)])
    # The same again says nothing; another amount does; the first county's next row leaves it as it is.
    await town.enrol(at(OTHER, "2016-01"), mode="delta")
    await town.enrol(at(OTHER, "2016-01", fen="101.00"), mode="delta")
    await town.enrol(at(VILLAGE, "2015-07", fen="230.00"), mode="delta")
    assert (await enrolled_at(town), await told(town)) == (VILLAGE, [("new", OTHER), ("changed", OTHER)])
    [last] = (await town.said("ingest.second_places.changed.v1"))[1:]
    assert (last["amount_fen"], str(last["started_on"])) == (10_100, "2016-01-01")


async def test_whichever_began_first_is_the_enrolment_though_the_other_came_before(town):
    await town.enrol(at(VILLAGE, "2015-07"), mode="delta")
    await town.enrol(at(OTHER, "2012-01"), mode="delta")
    assert (await enrolled_at(town), await told(town)) == (OTHER, [("new", VILLAGE)])


async def test_a_full_roster_says_both_and_the_next_one_with_a_single_row_closes_it(town):
    assert (await town.enrol(both(VILLAGE, OTHER, days=["2015-07", "2012-01"]))).json()["reasons"] == {"duplicate": 1}
    assert (await enrolled_at(town), await told(town)) == (OTHER, [("new", VILLAGE)])
    assert (await town.enrol(both(OTHER, days=["2012-01"]))).status_code == 201
    assert (await enrolled_at(town), await told(town)) == (OTHER, [("new", VILLAGE), ("ended", VILLAGE)])


@pytest.mark.parametrize(
    ("row", "told_of"),
    [(at(VILLAGE, ended="2023-09", number=35), 1), (at(OTHER, ended="2023-09"), 1), (at(OTHER, ended="2014-09"), 0), (at(VILLAGE, ended="2014-09"), 0),
     ({**roster([0, 0], 村居代码=[VILLAGE, OTHER], 开始享受年月=["2015-07", ""], 停止享受年月=["", "2023-09"])}, 0)],
    ids=["never", "now", "before", "before, here", "beside what goes on"],
)  # fmt: skip
async def test_an_end_where_nobody_is_enrolled_is_told_to_who_said_it(town, row, told_of):
    await town.enrol(at(VILLAGE, "2015-07"), mode="delta")
    said = (await town.enrol(row, mode="delta")).json()
    assert (said["ended"], said["reasons"]) == (0, {"not_enrolled_there": 1} if told_of else {})
    assert said["accepted"] == len(row["村居代码"]) - told_of


@pytest.mark.parametrize(
    "files",
    [
        [("delta", at(VILLAGE, ended="2023-09")), ("delta", at(OTHER))],
        [("delta", {**roster([0, 0], 村居代码=[OTHER, VILLAGE], 停止享受年月=["", "2023-09"])})],
        [("full", both(OTHER))],
        [("full", {**both(OTHER, VILLAGE), "停止享受年月": ["", "2023-09", *[""] * 29]})],
        [
            ("full", both(OTHER, days=["2022-01"])),
            ("delta", at(VILLAGE, ended="2023-09")),
            ("delta", at(OTHER, "2015-01", ended="2021-03")),
        ],
    ],
    ids=["ended first", "in one delta", "in the next full roster", "with its end in it", "his past comes later"],
)
async def test_whoever_has_moved_is_enrolled_where_he_lives_and_nothing_is_said(town, files):
    for mode, columns in files:
        assert (await town.enrol(columns, mode=mode)).status_code == 201
    assert (await enrolled_at(town), await told(town)) == (OTHER, [])


async def test_which_village_of_his_county_a_row_says_he_has_left(town):
    """His old ones end nothing, however often it is said; one where he never was is a slip, and he has left."""
    third = NEAR[:9] + "003"
    for mode, columns in (
        ("full", both(third)),
        ("delta", at(OTHER)),
        ("delta", at(third, ended="2023-08")),
        ("full", both(NEAR)),
    ):
        await town.enrol(columns, mode=mode)
    told_again = [(VILLAGE, "2023-09"), (VILLAGE, "2023-10"), (third, "2023-08")]
    saids = [(await town.enrol(at(place, ended=day), mode="delta")).json() for place, day in told_again]
    assert [(said["ended"], said["reasons"]) for said in saids] == [(0, {"not_enrolled_there": 1})] * 3
    assert await enrolled_at(town) == NEAR
    assert (await town.enrol(at(NEAR[:9] + "009", ended="2023-09"), mode="delta")).json()["ended"] == 1


@pytest.mark.parametrize(
    ("ends", "left"), [(VILLAGE, OTHER), (OTHER, VILLAGE), ("", None)], ids=["first", "second", "both"]
)
async def test_when_one_of_two_listings_ends_the_other_is_the_enrolment(town, ends, left):
    await town.enrol(at(OTHER), mode="delta")
    said = (await town.enrol(at(ends, ended="2023-09"), mode="delta")).json()
    assert (said["ended"], await enrolled_at(town)) == (int(left is None), left)
    assert await told(town) == [("new", OTHER), ("ended", OTHER)]
    moved = [row for row in await town.said("ingest.enrolments.changed.v1") if row["division"] == OTHER]
    assert [row["change"] for row in moved] == (["changed"] if left == OTHER else [])


async def test_a_roster_that_waits_for_a_second_look_has_said_nothing_of_places(town):
    few = csv_of(both(VILLAGE, OTHER)).splitlines()[:4]
    held = await town.post(f"/v1/programs/{PROGRAM}/roster", b"\n".join(few) + b"\n")
    assert (held.json()["code"], await told(town)) == ("roster_held", [])
    assert await town.rows("SELECT FROM second_place") == []
