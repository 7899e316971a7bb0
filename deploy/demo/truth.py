"""How right the platform was: its answers, asked as a partner would ask, held against the city's own truth."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import polars.selectors as cs

from deploy.demo.city.truth import ENOUGH_POINTS
from deploy.demo.city.year import TODAY_ON
from deploy.demo.client import Client

_HEADERS = {"Purpose-Code": "demo-accuracy", "Legal-Basis": "demo", "Case-Ref": "demo"}
_AT_ONCE = 1000
_DEAD = "dead"
_LOST = (_DEAD, "missing", "in_custody", "detained")
"""States in which people rightly look: nobody who is in one of them is suspected wrongly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """People by what the platform answered and what was true on the day.

    Attributes:
        recognised_dead_seen_before: an act in person before the death; no register has told since.
        recognised_dead_cards_before: the same by weak records alone; with those dead at as_of the three are all.
        within_30: of those who died in the year and at least 30 days ago, whom a file told of within 30 days and who
            are under review: files of a year come in one morning, so that nobody could be suspected on another day.
        living_under_review: under review though nothing has ended their right.
        by_data: certified by data alone, as the platform counts; the others were seen by people or by a camera.
        strong_only: whom a strong act in the year would certify, and no negative record keeps from it.
        points_only: whom the points of weak sources would certify too, whatever their sources, departments and days.
    """

    people: int
    recognised: int
    recognised_alive: int
    recognised_dead: int
    recognised_dead_at_as_of: int
    recognised_dead_seen_before: int
    recognised_dead_cards_before: int
    dead: int
    dead_registered: int
    dead_registered_under_review: int
    dead_unregistered: int
    dead_30: int
    within_30: int
    dead_60: int
    within_60: int
    dead_90: int
    within_90: int
    living_under_review: int
    under_review: int
    not_yet: int
    unknown: int
    by_data: int
    strong_only: int
    strong_only_dead: int
    points_only: int
    points_only_dead: int


def read_truth(path: Path) -> pl.DataFrame:
    """One row a person: citizen_id, first program, state, whether any register had told of the death by today."""
    return pl.read_parquet(path).with_columns(pl.col("programs").list.first().alias("program"))


async def ask(client: Client, truth: pl.DataFrame, told: Callable[[int], object]) -> pl.DataFrame:
    """The truth with the platform's answer for each person."""
    gate = asyncio.Semaphore(4)

    async def some(program: str, ids: list[str]) -> pl.DataFrame:
        body = {"program": program, "items": [{"citizen_id": each} for each in ids]}
        async with gate:
            said = await client.call("POST", "recognition", "/v1/recognitions:batch", body=body, headers=_HEADERS)
        told(len(ids))
        answers = {
            "citizen_id": ids,
            "answer": [each.get("answer", "problem") for each in said["items"]],
            "as_of": [_seen_on(each) for each in said["items"]],
        }
        return pl.DataFrame(answers, schema_overrides={"as_of": pl.Date})

    pieces = [
        some(str(program), frame["citizen_id"].slice(start, _AT_ONCE).to_list())
        for (program,), frame in truth.group_by("program", maintain_order=True)
        for start in range(0, len(frame), _AT_ONCE)
    ]
    return truth.join(pl.concat(await asyncio.gather(*pieces)), on="citizen_id", how="left", validate="1:1")


def _seen_on(item: Mapping[str, Any]) -> date | None:
    """The day on which whoever is certified was last seen alive."""
    days = [claim["as_of"] for claim in item.get("claims", ()) if claim["claim"] == "alive"]
    return date.fromisoformat(days[0]) if days else None


def _soon(days: int) -> dict[str, pl.Expr]:
    """Of those who died in the year, at least so many days ago: how many, and of how many a register told in time."""
    died, review = pl.col("died_on"), pl.col("answer") == "under_review"
    old = died.is_between(TODAY_ON - timedelta(days=364), TODAY_ON - timedelta(days=days))
    in_time = pl.col("register_told_on") - died <= timedelta(days=days)
    return {f"dead_{days}": old.sum(), f"within_{days}": (old & review & in_time).sum()}


async def by_data(client: Client) -> int:
    """How many people data alone certify, as the platform counts."""
    figures = await client.call("GET", "recognition", "/v1/figures")
    return int(figures["certified_people"].get("data", 0))


def _beside() -> dict[str, pl.Expr]:
    """What two simpler methods would say on the same records; a third has to be fitted first (`make accuracy`)."""
    clear, dead = ~pl.any_horizontal(cs.ends_with("_delivered_on").is_not_null()), pl.col("state") == _DEAD
    strong = pl.col("strong_seen_on").is_not_null()
    methods = {
        "strong_only": clear & strong,
        "points_only": clear & (strong | (pl.col("weak_points") >= ENOUGH_POINTS)),
    }
    counts = {name: certified.sum() for name, certified in methods.items()}
    return counts | {f"{name}_dead": (certified & dead).sum() for name, certified in methods.items()}


def odd_ones(answered: pl.DataFrame) -> Mapping[str, list[str]]:
    """Whom each odd figure of a comparison is about, by number of his identity card."""
    dead, review = pl.col("state") == _DEAD, pl.col("answer") == "under_review"
    recognised, known = pl.col("answer") == "recognised", pl.col("register_told_on").is_not_null()
    odd = {
        "certified, and dead today": recognised & dead,
        "dead at as_of already": recognised & dead & (pl.col("as_of") > pl.col("died_on")),
        "dead in a register, not suspected": dead & known & ~review,
        "under review, nothing lost": review & ~pl.col("state").is_in(_LOST),
        "unknown": pl.col("answer") == "unknown",
    }
    return {name: answered.filter(which)["citizen_id"].sort().to_list() for name, which in odd.items()}


def compare(answered: pl.DataFrame, *, by_data: int) -> Accuracy:
    """Counts for the last screen."""
    dead, review = pl.col("state") == _DEAD, pl.col("answer") == "under_review"
    recognised, known = pl.col("answer") == "recognised", pl.col("register_told_on").is_not_null()
    gone, after = recognised & dead, pl.col("as_of") > pl.col("died_on")
    in_person = (pl.col("strong_seen_on") <= pl.col("died_on")).fill_null(value=False)
    counts = answered.select(
        people=pl.len(),
        recognised=recognised.sum(),
        recognised_alive=(recognised & ~dead).sum(),
        recognised_dead=gone.sum(),
        recognised_dead_at_as_of=(gone & after).sum(),
        recognised_dead_seen_before=(gone & ~after & in_person).sum(),
        recognised_dead_cards_before=(gone & ~after & ~in_person).sum(),
        dead=dead.sum(),
        dead_registered=(dead & known).sum(),
        dead_registered_under_review=(dead & known & review).sum(),
        dead_unregistered=(dead & ~known).sum(),
        **_soon(30),
        **_soon(60),
        **_soon(90),
        living_under_review=(review & ~pl.col("state").is_in(_LOST)).sum(),
        under_review=review.sum(),
        not_yet=(pl.col("answer") == "not_yet").sum(),
        unknown=(pl.col("answer") == "unknown").sum(),
        **_beside(),
    )
    return Accuracy(**counts.row(0, named=True), by_data=by_data)
