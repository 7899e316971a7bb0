"""The command line of `make year`; ends with 1 where a check does not hold."""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from deploy.demo.run import DemoOptions
from shared.kit.clock import wall
from tests.year import checks, life, report
from tests.year.calendar import BEGINS, steps
from tests.year.checks import Check
from tests.year.world import CARDS, QUICK, World, opened_world

_DOCUMENT = Path(__file__).parents[2] / "docs" / "year.md"
_PARTS = 4


async def year(asked: argparse.Namespace, folder: Path, console: Console) -> bool:
    """Live a year, show and perhaps keep what was found; returns whether everything holds."""
    options = DemoOptions(
        data=folder, scale=asked.scale, seed=asked.seed, port_base=0, stay=False, durable=False, database_url=None,
        nats_url=None, starts=BEGINS, rolling=True, clients=CARDS, environment=QUICK, patience=1800.0,
    )  # fmt: skip
    began = wall()
    async with opened_world(options, console) as world:
        found = await _lived(world, console)
        found = report.merged(found)
        world.run.progress.stop()
        report.show(console, found, world.counts)
        if asked.write:
            report.write(_DOCUMENT, world, found, wall() - began)
    return all(each.good for each in found)


async def _lived(world: World, console: Console) -> list[Check]:
    total = sum(_PARTS - 1 + step.runs for step in steps())
    bar = world.run.progress.add_task("the year", total=total, rate="")

    def told(what: str) -> None:
        world.run.progress.update(bar, advance=1, description=what)
        if not console.is_terminal:
            console.print(what)

    found = await life.live(world, told)
    return found + await checks.of_end(world)


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m tests.year", description=__doc__)
    parser.add_argument("--scale", type=float, default=0.01)
    parser.add_argument("--seed", type=int, default=2023)
    parser.add_argument("--folder", type=Path, help="keep the city and its stack there")
    parser.add_argument("--write", action="store_true", help="write docs/year.md")
    asked = parser.parse_args()
    console = Console()
    if not console.is_terminal:
        console = Console(width=200)
    with tempfile.TemporaryDirectory() as temporary:
        return 0 if asyncio.run(year(asked, asked.folder or Path(temporary), console)) else 1


if __name__ == "__main__":
    sys.exit(main())
