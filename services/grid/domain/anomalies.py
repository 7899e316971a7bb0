"""Members whose reports look made up: pure rules over a month of sightings. Columns only; they accuse nobody."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

SIGHTINGS: Mapping[str, pl.DataType] = {
    "visit_id": pl.Binary(),
    "worker_id": pl.String(),
    "subject": pl.Binary(),
    "division": pl.String(),
    "visited_at": pl.Datetime("us", "UTC"),
    "lon": pl.Float64(),
    "lat": pl.Float64(),
    "helper": pl.Binary(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """From when on something is odd.

    Attributes:
        least: sightings below which a member is not judged.
        minute_share: share of sightings within one minute of another person's.
        place_share: share of all sightings at one and the same spot of a hundred metres; one without a place is
            looked at by itself.
        helper_share: share of all sightings in which one and the same person helped.
    """

    least: int
    minute_share: float
    place_share: float
    helper_share: float


def odd_members(sightings: pl.DataFrame, limits: Limits) -> pl.DataFrame:
    """Members with something odd: division, worker_id, sightings, reasons; the order is stable.

    Reasons: `one_minute` (many people at once), `one_place` (everybody at one spot), `one_helper` (always the same).

    Args:
        sightings: as `SIGHTINGS`.
        limits: from when on it is odd.
    """
    hurried = sightings.sort("worker_id", "visited_at").with_columns(
        hurried=pl.min_horizontal(
            pl.col("visited_at").diff().over("worker_id").abs(),
            pl.col("visited_at").diff(-1).over("worker_id").abs(),
        ).dt.total_seconds()
        < 60  # noqa: PLR2004  (a minute)
    )
    placed = pl.col("lon").is_not_null()
    counted = hurried.group_by("division", "worker_id").agg(
        sightings=pl.len(),
        one_minute=pl.col("hurried").fill_null(value=False).mean(),
        one_place=_most_common(pl.struct("lon", "lat").filter(placed)),
        one_helper=_most_common(pl.col("helper").drop_nulls()),
    )
    odd = {
        "one_minute": pl.col("one_minute") >= limits.minute_share,
        "one_place": pl.col("one_place") >= limits.place_share * pl.col("sightings"),
        "one_helper": pl.col("one_helper") >= limits.helper_share * pl.col("sightings"),
    }
    reasons = pl.concat_list(pl.when(found).then(pl.lit(word)) for word, found in odd.items()).list.drop_nulls()
    return (
        counted.filter(pl.col("sightings") >= limits.least)
        .select("division", "worker_id", "sightings", reasons=reasons)
        .filter(pl.col("reasons").list.len() > 0)
        .sort("division", "worker_id")
    )


def _most_common(values: pl.Expr) -> pl.Expr:
    return values.value_counts(sort=True).struct.field("count").first().fill_null(0)
