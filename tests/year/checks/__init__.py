"""What must be true of a year: modules here have `step(world)`, after each step, `month(world)`, `end(world)`, or some."""

from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules

from tests.year.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One sentence that must hold, and what was found.

    Attributes:
        name: the sentence; the same each month.
        good: whether it holds.
        found: in words and figures, for the screen and the document.
    """

    name: str
    good: bool
    found: str


async def of_step(world: World) -> list[Check]:
    """What the modules say after some days."""
    return await _all(world, "step")


async def of_month(world: World) -> list[Check]:
    """What the modules say at the end of a month."""
    return await _all(world, "month")


async def of_end(world: World) -> list[Check]:
    """What the modules say at the end of the year."""
    return await _all(world, "end")


async def _all(world: World, moment: str) -> list[Check]:
    found: list[Check] = []
    for module in iter_modules(__path__):
        asked = getattr(import_module(f"{__name__}.{module.name}"), moment, None)
        if asked is None:
            continue
        try:
            found += await asked(world)
        except Exception as error:  # noqa: BLE001  (a check that breaks must not lose an hour of the others)
            told = f"{type(error).__name__}: {error}"
            found.append(Check(name=f"the checks of {module.name} can be made", good=False, found=told))
    return found
