"""In which order to knock: the older, the nearer to the end, the more programs, the earlier. Columns only."""

from datetime import date

import polars as pl

SUSPICION = 900
"""A suspicion goes before everything that only lacks evidence."""
REQUEST = 850
"""Somebody asked to be visited."""
SAMPLE = 100
TAKE_UP = 50
"""Nobody loses anything by waiting a little, but he is owed it."""
_AGE_STEPS = ((95, 300), (80, 150), (70, 60))
_DUE_STEPS = ((0, 250), (30, 150), (60, 60))
_RISK_DECADES, _RISK_POINTS = 5, 125


def visit_priority(today: date, *, born_on: pl.Expr, due_on: pl.Expr, programs: pl.Expr) -> pl.Expr:
    """Priority 0 to 899 of an unmatched person, higher first.

    Ages of 95 and more come first because most undiscovered deaths are there; then those whose time runs out.
    """
    age = (pl.lit(today) - born_on).dt.total_days() // 365
    left = (due_on - pl.lit(today)).dt.total_days()
    by_age = pl.lit(0)
    for years, points in reversed(_AGE_STEPS):
        by_age = pl.when(age >= years).then(points).otherwise(by_age)
    return (
        (by_age.fill_null(0) + _by_due(left) + programs.fill_null(1).clip(0, 10) * 10)
        .clip(0, SUSPICION - 1)
        .cast(pl.Int16)
    )


def risk_priority(today: date, *, risk: pl.Expr, due_on: pl.Expr) -> pl.Expr:
    """Priority 0 to 899 by scoring's visit risk (0 to 1, over many powers of ten) and by the time that is left."""
    by_risk = ((risk.clip(10**-_RISK_DECADES, 1.0).log10() + _RISK_DECADES) * _RISK_POINTS).fill_null(0)
    left = (due_on - pl.lit(today)).dt.total_days()
    return (by_risk + _by_due(left)).clip(0, SUSPICION - 1).cast(pl.Int16)


def _by_due(left: pl.Expr) -> pl.Expr:
    by_due = pl.lit(0)
    for days, points in reversed(_DUE_STEPS):
        by_due = pl.when(left <= days).then(points).otherwise(by_due)
    return by_due.fill_null(0)
