"""Places of one person in one roster: which of two listings is the enrolment, and which is a second one."""

import polars as pl

PLACE = ("division", "group_no", "amount_fen", "started_on", "ends_on")
"""What differs between two listings of a person."""
COUNTY_DIGITS = 6


def first_begun(good: pl.DataFrame, again: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Let the listing that began first be each person's row, and tell the second ones.

    Where one of two does not say when it began, the one that stands first in the roster is kept. A row that says the
    same county and not another first day is the same listing written twice, and no second one.

    Args:
        good: one row a person, columns `number` and PLACE among others.
        again: the other open rows of these people and of others, `number` and PLACE.
    """
    again = again.join(good, on="number", how="semi")
    if again.is_empty():
        return good, again
    mine = good.select("number", *PLACE).join(again, on="number", how="semi")
    earliest = again.drop_nulls("started_on").sort("started_on", maintain_order=True).unique("number", keep="first")
    taking = mine.join(earliest, on="number", suffix="_first").filter(pl.col("started_on_first") < pl.col("started_on"))
    first = taking.select("number", *(f"{name}_first" for name in PLACE))
    kept = good.join(first, on="number", how="left", maintain_order="left").with_columns(
        pl.when(pl.col("division_first").is_null()).then(pl.col(name)).otherwise(pl.col(f"{name}_first")).alias(name)
        for name in PLACE
    )
    kept = kept.drop(f"{name}_first" for name in PLACE)
    others = pl.concat([again, taking.select("number", *PLACE)])
    beside = others.join(kept.select("number", *PLACE), on="number", suffix="_kept", maintain_order="left")
    elsewhere = _county("division") != _county("division_kept")
    begun = pl.col("started_on") != pl.col("started_on_kept")
    second = beside.filter(elsewhere | begun.fill_null(value=False)).select("number", *PLACE)
    return kept, second.unique(["number", "division"], keep="first", maintain_order=True)


def _county(name: str) -> pl.Expr:
    return pl.col(name).str.slice(0, COUNTY_DIGITS)
