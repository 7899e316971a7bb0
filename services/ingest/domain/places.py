"""Places of one person in one roster: which of two listings is the enrolment, and which is a second one."""

import polars as pl

PLACE = ("division", "group_no", "amount_fen", "started_on", "ends_on")
"""What differs between two listings of a person."""
COUNTY_DIGITS = 6
_APART = (pl.col("division").str.slice(0, COUNTY_DIGITS) != pl.col("division_kept").str.slice(0, COUNTY_DIGITS)) | (
    pl.col("started_on") != pl.col("started_on_kept")
).fill_null(value=False)


def first_begun(
    good: pl.DataFrame, again: pl.DataFrame, *, by_household: bool = False
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Let the listing that began first be each person's row, and tell the second ones.

    Where one of two does not say when it began, the one that stands first in the roster is kept. A row that says the
    same county and not another first day is the same listing written twice, and no second one: it goes on for as long
    as one of its rows does.

    Args:
        good: one row a person, columns `number` and PLACE among others.
        again: the other open rows of these people and of others, `number`, `household_no` and PLACE.
        by_household: a listing is one of a household, and there are no second ones.
    """
    again = again.join(good, on="number", how="semi")
    none = again.clear().select("number", *PLACE)
    if again.is_empty():
        return good, none
    if by_household:
        return _lasting(good, again, pl.col("household_no") == pl.col("household_no_kept")), none
    mine = good.select("number", *PLACE).join(again, on="number", how="semi")
    earliest = again.drop_nulls("started_on").sort("started_on", maintain_order=True).unique("number", keep="first")
    taking = mine.join(earliest, on="number", suffix="_first").filter(pl.col("started_on_first") < pl.col("started_on"))
    first = taking.select("number", *(f"{name}_first" for name in PLACE))
    kept = _lasting(_moved(good, first), again, ~_APART)
    others = pl.concat([again.select("number", *PLACE), taking.select("number", *PLACE)])
    beside = others.join(kept.select("number", *PLACE), on="number", suffix="_kept", maintain_order="left")
    second = beside.filter(_APART).sort("ends_on", descending=True, nulls_last=False, maintain_order=True)
    return kept, second.select("number", *PLACE).unique(["number", "division"], keep="first", maintain_order=True)


def _lasting(good: pl.DataFrame, again: pl.DataFrame, same: pl.Expr) -> pl.DataFrame:
    """Let the row of each listing that ends last be the person's: one with an end may only be how it was till then."""
    rows = again.join(good.drop_nulls("ends_on"), on="number", suffix="_kept", maintain_order="left").filter(
        same, pl.col("ends_on").is_null() | (pl.col("ends_on") > pl.col("ends_on_kept"))
    )
    last = rows.sort("ends_on", descending=True, nulls_last=False, maintain_order=True).unique("number", keep="first")
    # Where it begins only when the other is over, its person has his benefit since before that all the same.
    until_then = pl.col("started_on") > pl.col("ends_on_kept")
    began = pl.when(until_then).then("started_on_kept").otherwise(pl.coalesce("started_on", "started_on_kept"))
    last = last.with_columns(began.alias("started_on"))
    return _moved(good, last.select("number", *(pl.col(name).alias(f"{name}_first") for name in PLACE)))


def _moved(good: pl.DataFrame, first: pl.DataFrame) -> pl.DataFrame:
    """The rows, those of some people with another PLACE, which is called `…_first`."""
    moved = good.join(first, on="number", how="left", maintain_order="left").with_columns(
        pl.when(pl.col("division_first").is_null()).then(pl.col(name)).otherwise(pl.col(f"{name}_first")).alias(name)
        for name in PLACE
    )
    return moved.drop(f"{name}_first" for name in PLACE)
