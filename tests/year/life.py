"""The year itself: what happens between the first and the last morning."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import date
from uuid import UUID

from deploy.demo.city.manifest import CityFile
from tests.year import checks, members, offices
from tests.year.calendar import Step, steps
from tests.year.checks import Check
from tests.year.world import World

_AT_ONCE = 3


async def live(world: World, told: Callable[[str], object]) -> list[Check]:
    """Live the year; returns what the checks of its steps and months found.

    Args:
        world: on its first morning.
        told: what goes on, before each part of a step.
    """
    manifest = world.run.manifest
    for file in manifest.of("grids"):
        await world.run.client.upload("grid", "/v1/grids:import", manifest.locate(file))
    await _together(world, manifest.of("roster"))
    await world.quiet()
    waiting = _deliveries(manifest.of("source"))
    tried: set[UUID] = set()
    found: list[Check] = []
    for step in steps():
        told(f"{step.today:%Y-%m-%d} files")
        await world.move(step.begins)
        await _together(world, waiting(step.today))
        await world.quiet()
        await _act(world, step, tried, told)
        found += await checks.of_step(world)
        if step.ends:
            found += await checks.of_month(world)
    return found


async def _act(world: World, step: Step, tried: set[UUID], told: Callable[[str], object]) -> None:
    if step.runs:
        told(f"{step.today:%Y-%m-%d} certification run")
        await world.run.client.call("POST", "recognition", "/v1/certification-runs", body={})
        await world.quiet()
    told(f"{step.today:%Y-%m-%d} visits")
    await world.move(step.until)
    await members.knock(world, step, tried)
    await world.quiet()
    told(f"{step.today:%Y-%m-%d} offices")
    await offices.document_unreachable(world)
    await offices.work_cases(world)
    await world.quiet()
    await offices.work_proposals(world)
    await world.quiet()
    await offices.hand_out_letters(world)
    await world.quiet()


def _deliveries(files: tuple[CityFile, ...]) -> Callable[[date], list[CityFile]]:
    """Files that have come since the last question, oldest first."""
    left = sorted(files, key=lambda file: file.delivered_on)

    def until(day: date) -> list[CityFile]:
        come = [file for file in left if file.delivered_on <= day]
        del left[: len(come)]
        return come

    return until


async def _together(world: World, files: tuple[CityFile, ...] | list[CityFile]) -> None:
    """Upload some files at once, those of one source one after the other."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def lane(ordered: list[CityFile]) -> None:
        for file in ordered:
            async with gate:
                if file.kind == "roster":
                    place, mode = f"/v1/programs/{file.code}/roster", {"mode": "full"}
                else:
                    place, mode = f"/v1/sources/{file.code}/batches", {}
                said = await world.run.client.upload("ingest", place, world.run.manifest.locate(file), **mode)
            world.counts["rows delivered"] += said.get("rows", 0)

    await asyncio.gather(*(lane(ordered) for ordered in _lanes(files)))


def _lanes(files: tuple[CityFile, ...] | list[CityFile]) -> Iterator[list[CityFile]]:
    for code in sorted({file.code for file in files}):
        yield [file for file in files if file.code == code]
