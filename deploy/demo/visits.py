"""Some grid members knock: worklists fetched and visits posted as the phones of a few villages would."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import uuid_utils.compat as uuids

from deploy.demo.client import Client, RefusedError

_GRIDS = 40
_AT_ONCE = 4


async def pay(client: Client, city: Path, *, told: Callable[[int], object]) -> int:
    """Let the members of the first grids with open tasks visit; everybody at the door is truly seen alive.

    Returns:
        The number of visits.
    """
    grids = pl.read_csv(city / "grids" / "grids.csv", infer_schema=False)["grid_code"].to_list()
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(grid: str) -> int:
        async with gate:
            worklist = await client.call("GET", "grid", f"/v1/worklist?grid={grid}")
            due = [task for line in worklist["items"] for task in line["tasks"] if task["reason"] == "unmatched"]
            items = [_visit(task, worklist["as_of"]) for task in due]
            if not items:
                return 0
            said = await client.call("POST", "grid", "/v1/visits:sync", body={"visits": items})
        if refused := [each for each in said["items"] if each["reception"] == "refused"]:
            msg = f"{len(refused)} visits were refused: {', '.join(refused[0]['reasons'])}"
            raise RefusedError(msg)
        told(len(items))
        return len(items)

    return sum(await asyncio.gather(*(one(grid) for grid in grids[:_GRIDS])))


def _visit(task: dict[str, Any], now: str) -> dict[str, Any]:
    return {
        "visit_id": str(uuids.uuid7()),
        "task_id": task["task_id"],
        "worker_id": task["worker_id"],
        "result": "seen_alive",
        "visited_at": now,
        "id_card_read": True,
        "form": {"seen": True, "talked": True, "explained": True, "registered": True, "problems": False},
    }
