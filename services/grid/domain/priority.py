"""In which order to knock: the older, the nearer to the end, the more programs, the earlier. Columns only."""

from datetime import date

import polars as pl

SUSPICION = 900
"""A suspicion goes before everything that only lacks evidence."""
_AGE_STEPS = ((95, 300), (80, 150), (70, 60))
_DUE_STEPS = ((0, 250), (30, 150), (60, 60))


def visit_priority(today: date, *, born_on: pl.Expr, due_on: pl.Expr, programs: pl.Expr) -> pl.Expr:
    """Priority 0 to 899 of an unmatched person, higher first.

    Ages of 95 and more come first because most undiscovered deaths are there; then those whose time runs out.
    """
    age = (pl.lit(today) - born_on).dt.total_days() // 365
    left = (due_on - pl.lit(today)).dt.total_days()
    by_age = pl.lit(0)
    for years, points in reversed(_AGE_STEPS):
        by_age = pl.when(age >= years).then(points).otherwise(by_age)
    by_due = pl.lit(0)
    for days, points in reversed(_DUE_STEPS):
        by_due = pl.when(left <= days).then(points).otherwise(by_due)
    return (
        (by_age.fill_null(0) + by_due.fill_null(0) + programs.fill_null(1).clip(0, 10) * 10)
        .clip(0, SUSPICION - 1)
        .cast(pl.Int16)
    )
