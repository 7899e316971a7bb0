"""Reports that look made up are looked at again by somebody else, and leaders see them."""

from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from services.grid.domain.anomalies import SIGHTINGS, Limits, odd_members
from services.grid.jobs.upkeep import go_round
from tests.services.grid.town import NEIGHBOUR, NOW, VILLAGE, Town, due, enrolled, roll_csv, subject, visit

LIMITS = Limits(least=5, minute_share=0.5, place_share=0.9, helper_share=0.8)
SPOT = (115.78, 33.85)


def month(
    worker: str, count: int, *, gap: int = 3600, spot: tuple[float, float] | None = None, helper: bytes | None = None
) -> list[tuple[Any, ...]]:
    return [
        (bytes([n] * 16), worker, bytes([n] * 16), VILLAGE, NOW + timedelta(seconds=gap * n),
         *(spot or (115.0 + n / 100, 33.0)), helper)
        for n in range(count)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "reasons"),
    [
        (month("a", 8), []),
        (month("a", 8, gap=20), ["one_minute"]),
        (month("a", 8, spot=SPOT), ["one_place"]),
        (month("a", 8, helper=b"h"), ["one_helper"]),
        (month("a", 8, gap=1, spot=SPOT, helper=b"h"), ["one_minute", "one_place", "one_helper"]),
        (month("a", 4, gap=1, spot=SPOT, helper=b"h"), []),
        # Two members at the same minute are two people at work.
        (month("a", 5) + month("b", 5), []),
        ([], []),
    ],
)
def test_what_is_odd(rows, reasons):
    found = odd_members(pl.DataFrame(rows, schema=SIGHTINGS, orient="row"), LIMITS)
    assert [reason for each in found["reasons"] for reason in each] == reasons


async def test_an_odd_members_people_are_seen_by_another_and_the_leader_learns_of_it(town: Town):
    await town.import_grids(roll_csv(VILLAGE, NEIGHBOUR, groups=3))
    people = [subject(number) for number in range(1, 9)]
    await town.hear(enrolled(*people), due(*people))
    member = await town.member_of(VILLAGE + "001")
    rows = await town.rows("SELECT task_id FROM tasks")
    visits = [visit(row["task_id"], at=NOW - timedelta(seconds=n), helper="会计") for n, row in enumerate(rows)]
    await town.ask("POST", "/v1/visits:sync", headers=town.member(member), json={"visits": visits})
    assert (await go_round(town.deps)).sampled == 2
    assert (await go_round(town.deps)).sampled == 0
    again = await town.rows("SELECT worker_id FROM tasks WHERE reason = 'sample'")
    assert member not in {row["worker_id"] for row in again}
    told = (await town.ask("GET", "/v1/anomalies", headers=town.village())).json()["items"]
    assert [(each["worker_id"], each["sightings"], each["reasons"]) for each in told] == [
        (member, 8, ["one_minute", "one_place", "one_helper"])
    ]
    assert (await town.ask("GET", "/v1/anomalies", headers=town.village(NEIGHBOUR))).json()["items"] == []
    kept = await town.rows("SELECT helper FROM visits LIMIT 1")
    assert "会计".encode() not in kept[0]["helper"]
