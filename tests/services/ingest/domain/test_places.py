"""Two listings of one person in one roster: which is the enrolment, and which is a second one."""

from datetime import date

import polars as pl
import pytest

from services.ingest.domain.places import PLACE, first_begun

HERE, NEAR, THERE = "341602001001", "341602002009", "341623001001"
EARLY, LATE = date(2012, 1, 1), date(2015, 7, 1)
SOON, THEN = date(2023, 12, 1), date(2024, 3, 1)


def listings(*places):
    columns = {"number": pl.String, "household_no": pl.String, "division": pl.String, "group_no": pl.Int16, "amount_fen": pl.Int64,
               "started_on": pl.Date, "ends_on": pl.Date}  # fmt: skip
    return pl.DataFrame(
        [("a", "H1", division, 3, fen, day, *(end or [None])) for division, fen, day, *end in places],
        schema=columns, orient="row",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("first", "again", "kept", "second"),
    [
        ((HERE, LATE), (THERE, EARLY), THERE, [HERE]),
        ((HERE, EARLY), (THERE, LATE), HERE, [THERE]),
        ((HERE, EARLY), (THERE, EARLY), HERE, [THERE]),
        ((HERE, EARLY), (THERE, None), HERE, [THERE]),
        ((HERE, None), (THERE, EARLY), HERE, [THERE]),
        ((HERE, LATE), (NEAR, EARLY), NEAR, [HERE]),
        ((HERE, EARLY), (NEAR, EARLY), HERE, []),
        ((HERE, EARLY), (NEAR, None), HERE, []),
        ((HERE, EARLY, SOON), (NEAR, None), NEAR, []),
        ((HERE, None, SOON), (NEAR, LATE, THEN), NEAR, []),
        ((HERE, None), (NEAR, None, SOON), HERE, []),
        ((HERE, EARLY, SOON), (NEAR, LATE), HERE, [NEAR]),
        ((HERE, None, SOON), (THERE, None), HERE, [THERE]),
        ((HERE, None, SOON), (NEAR, THEN), NEAR, []),
    ],
    ids=["began later", "began first", "same day", "says no day", "first says none", "one county, two days",
         "one county, one day", "one county, no day", "goes on", "ends later", "the other ends", "one of two ends",
         "one of two counties ends", "goes on from a later day"],
)  # fmt: skip
def test_the_listing_that_began_first_is_kept(first, again, kept, second):
    (division, *day), (other, *began) = first, again
    good, beside = first_begun(
        listings((division, 100, *day)).with_columns(row_no=7),
        listings((other, 200, began[0], SOON), (other, 200, *began)),
    )
    assert (good["division"].to_list(), beside["division"].to_list()) == ([kept], second)
    assert beside["ends_on"].to_list() == [None] * len(second)
    assert good["amount_fen"].to_list() == [100 if kept == division else 200]
    assert (good["started_on"] <= SOON).fill_null(value=True).all()  # not when the other one is over
    assert (good["row_no"].to_list(), set(beside.columns)) == ([7], {"number", *PLACE})


@pytest.mark.parametrize("by_household", [False, True])
def test_a_part_of_a_roster_in_which_nobody_is_listed_twice_tells_second_listings_in_the_same_columns(by_household):
    good, again = listings((HERE, 100, EARLY)), listings((THERE, 200, LATE))
    others = good.with_columns(number=pl.lit("b"))
    parts = [first_begun(part, again, by_household=by_household)[1] for part in (good, others)]
    assert len(pl.concat(parts)) == (0 if by_household else 1)
