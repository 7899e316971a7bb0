"""Some grid members knock: worklists fetched and visits posted as phones would, and at the door stands the truth."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import uuid_utils.compat as uuids

from deploy.demo.city.manifest import TRUTH
from deploy.demo.client import Client, RefusedError
from shared.kit.clock import wall

_FEWEST, _MOST, _ONE_IN = 4, 20, 33
"""Grids whose members knock: a small city pays few visits, a large one no more than can be watched."""
_AT_ONCE = 4
_ASK_AGAIN_SECONDS = 0.5
_AT_THE_DOOR = {
    "dead": "dead",
    "in_custody": "in_custody",
    "detained": "in_custody",
    "abroad": "seen_by_video",
    "moved": "seen_by_video",
    "missing": "absent_informed_by",
}
"""What a member finds by what is true; everybody else opens the door himself."""


@dataclass(frozen=True, slots=True)
class Door:
    """Who would be found behind a door, and which of the grid's it is."""

    state: str
    died_on: date | None
    number: int


def doors(city: Path) -> Mapping[tuple[str, str], Door]:
    """What is true of a person, by the code of his grid and his name: all a member at the door knows."""
    people = pl.read_parquet(city / TRUTH, columns=["name", "division", "group_no", "state", "died_on"])
    code = pl.col("division") + pl.col("group_no").cast(pl.String).str.zfill(3)
    number = pl.int_range(pl.len()).over(code)
    rows = people.sort("name").select(code, "name", "state", "died_on", number.alias("number")).rows()
    return {(grid, name): Door(state, died_on, number) for grid, name, state, died_on, number in rows}


async def pay(client: Client, city: Path, *, told: Callable[[int, float], object]) -> Counter[str]:
    """Let the members of some grids visit whoever they were asked to.

    Args:
        client: of the platform.
        city: folder of the generated city.
        told: after each grid, how many were visited there and which share of the grids is done.

    Returns:
        The number of visits by what was found.

    Raises:
        RefusedError: the platform took a report for impossible.
        httpx.TransportError: nobody told the names for as long as the client is patient.
    """
    listed = pl.read_csv(city / "grids" / "grids.csv", infer_schema=False)
    spots = listed["grid_code", "lon", "lat"].rows()
    places = {grid: {"lon": float(lon), "lat": float(lat)} for grid, lon, lat in spots}
    grids = listed["grid_code"].to_list()
    behind, gate = doors(city), asyncio.Semaphore(_AT_ONCE)
    found: Counter[str] = Counter()
    chosen, done = grids[: min(max(len(grids) // _ONE_IN, _FEWEST), _MOST)], 0

    async def one(grid: str) -> None:
        nonlocal done
        async with gate:
            worklist = await _worklist(client, grid)
            items = [
                _visit(task, door, worklist["as_of"], house(places[grid], door.number))
                for line in worklist["items"]
                for door in [behind[grid, line["name"]]]
                for task in line["tasks"]
                if task["reason"] == "unmatched"
            ]
            if not items:
                return
            said = await client.call("POST", "grid", "/v1/visits:sync", body={"visits": items})
        if refused := [each for each in said["items"] if each["reception"] == "refused"]:
            msg = f"{len(refused)} visits were refused: {', '.join(refused[0]['reasons'])}"
            raise RefusedError(msg)
        found.update(item["result"] for item in items)
        done += 1
        told(len(items), done / len(chosen))

    await asyncio.gather(*(one(grid) for grid in chosen))
    return found


def house(centre: Mapping[str, float], number: int) -> dict[str, float]:
    """Where somebody of a grid lives: its houses stand some hundred metres apart."""
    east, north = number % 7 - 3, number // 7 % 7 - 3
    return {"lon": round(centre["lon"] + east / 1000, 3), "lat": round(centre["lat"] + north / 1000, 3)}


async def _worklist(client: Client, grid: str) -> dict[str, Any]:
    """What is to be done in a grid, with the names on its doors: without them nobody can be visited."""
    ends = wall() + client.patience
    while True:
        worklist: dict[str, Any] = await client.call("GET", "grid", f"/v1/worklist?grid={grid}")
        if worklist["names"] == "included":
            return worklist
        if wall() > ends:
            msg = "ingest tells no names"
            raise httpx.TransportError(msg)
        await asyncio.sleep(_ASK_AGAIN_SECONDS)


def _visit(task: dict[str, Any], door: Door, now: str, place: dict[str, float]) -> dict[str, Any]:
    result = _AT_THE_DOOR.get(door.state, "seen_alive")
    seen = result.startswith("seen")
    return {
        "visit_id": str(uuids.uuid7()),
        "task_id": task["task_id"],
        "worker_id": task["worker_id"],
        "result": result,
        "visited_at": now,
        "id_card_read": result == "seen_alive",
        "place": place,
        # Card or not, the person does what the prompt asks.
        "prompt_id": task["prompt"]["prompt_id"],
        "prompt_answered": seen,
        "event_on": door.died_on.isoformat() if result == "dead" and door.died_on else None,
        "informant": None if seen else "relative",
        "form": {"seen": seen, "talked": True, "explained": True, "registered": True, "problems": False},
    }
