"""Grid members: they take their worklists along, knock for some days, and send what they collected."""

import asyncio
import random
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import uuid_utils.compat as uuids

from deploy.demo.client import RefusedError
from deploy.demo.visits import house
from shared.kit.clock import SHANGHAI
from tests.year.calendar import Step
from tests.year.world import Person, World

_AT_ONCE = 4
_HANDS = ("dispatched", "accepted", "returned")
_PAGE = 1000
_DAY = (8, 18)
_NEVER_OPENS, _OUT_AT_FIRST, _GONE = 5, 40, 100
"""Of a thousand: who never opens, who is out the first time, and of those who moved, whose number is found only then."""


_PLACES = "SELECT grid_code, lon, lat FROM grid.grids WHERE lon IS NOT NULL"


async def knock(world: World, step: Step, tried: set[UUID]) -> None:
    """Visit everybody who is asked for; `tried` keeps who was not met once."""
    asked = await _asked(world, step)
    places = {row["grid_code"]: {"lon": row["lon"], "lat": row["lat"]} for row in await world.rows(_PLACES)}
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(grid: str) -> None:
        async with gate:
            worklist = await world.run.client.call("GET", "grid", f"/v1/worklist?grid={grid}")
            dice = random.Random(f"{grid} {step.today}")
            reports = [
                _report(world, line, task, _moment(dice, step), tried)
                | {"place": house(places[grid], UUID(line["subject"]).int)}
                for line in worklist["items"]
                for task in line["tasks"]
                if task["task_id"] in asked[grid]
            ]
            if not reports:
                return
            said = await world.run.client.call("POST", "grid", "/v1/visits:sync", body={"visits": reports})
        refused = [each["reasons"] for each in said["items"] if each["reception"] == "refused"]
        if refused:
            msg = f"{len(refused)} visits were refused: {', '.join(refused[0])}"
            raise RefusedError(msg)
        world.counts.update(f"visit {each['result']}" for each in reports)

    await asyncio.gather(*(one(grid) for grid in sorted(asked)))


async def _asked(world: World, step: Step) -> dict[str, set[str]]:
    """What each grid was to do on the first evening: for what was asked after it nobody has set out yet."""
    found: dict[str, set[str]] = defaultdict(set)
    evening = step.begins + timedelta(hours=12)
    for state in _HANDS:
        cursor: str | None = ""
        while cursor is not None:
            path = f"/v1/tasks?state={state}&limit={_PAGE}" + (f"&cursor={cursor}" if cursor else "")
            page = await world.run.client.call("GET", "grid", path)
            for task in page["items"]:
                if datetime.fromisoformat(task["created_at"]) < evening:
                    found[task["grid_code"]].add(task["task_id"])
            cursor = page["next_cursor"]
    return found


def _moment(dice: random.Random, step: Step) -> datetime:
    """Some daylight minute of the step, after the morning on which the worklist was loaded."""
    days = (step.until.date() - step.today).days
    chosen = step.begins.replace(hour=_DAY[0]) + timedelta(days=dice.randrange(1, days), hours=dice.random() * 9)
    return chosen.astimezone(SHANGHAI)


def _report(world: World, line: dict[str, Any], task: dict[str, Any], at: datetime, tried: set[UUID]) -> dict[str, Any]:
    person = world.people[UUID(line["subject"])]
    result = at_the_door(person, at, out=person.subject not in tried)
    tried.add(person.subject)
    seen = result.startswith("seen")
    return {
        "visit_id": str(uuids.uuid7()),
        "task_id": task["task_id"],
        "worker_id": task["worker_id"],
        "result": result,
        "visited_at": at.isoformat(),
        "id_card_read": result == "seen_alive",
        "prompt_id": task["prompt"]["prompt_id"],
        "prompt_answered": seen,
        "event_on": person.died_on.isoformat() if result == "dead" and person.died_on else None,
        "informant": None if seen else "neighbour",
        "form": {"seen": seen, "talked": True, "explained": True, "registered": True, "problems": False},
    }


def at_the_door(person: Person, at: datetime, *, out: bool) -> str:
    """What a member finds; `out` is whether nobody has been there before."""
    on, luck = at.date(), person.subject.int % 1000
    if person.dead(on):
        return "dead"
    if person.being("in_custody", on) or person.being("detained", on):
        return "in_custody"
    if person.being("missing", on) or luck < _NEVER_OPENS or (out and luck < _OUT_AT_FIRST):
        return "absent_informed_by"
    if person.being("moved", on) and out and luck < _GONE:
        return "moved"
    if person.being("abroad", on) or person.being("moved", on):
        return "seen_by_video"
    return "seen_alive"
