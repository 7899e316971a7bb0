"""The end of a grid: its people and what is open about them go to another one, or it does not end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import polars as pl

from services.grid.domain import roll
from services.grid.domain.roll import Ended, Fault
from services.grid.store import people
from services.grid.store import roll as store
from services.grid.usecases.deps import Deps
from services.grid.usecases.errors import RollRefusedError
from services.grid.usecases.importing import take_from_who_left
from services.grid.usecases.keeping import move_in
from shared.kit.db import WriteTx


@dataclass(frozen=True, slots=True, kw_only=True)
class Endings:
    """What a list ended."""

    grids_ended: int
    people_moved: int


async def end_grids(tx: WriteTx, deps: Deps, shaped: pl.DataFrame) -> Endings:
    """End the grids a checked list says are no more, behind `import_roll`, which holds the locks.

    Raises:
        RollRefusedError: people live in one that names no successor, or its successor is none, or it has not ended yet.
    """
    listed = roll.ended(shaped)
    if not listed:
        return Endings(grids_ended=0, people_moved=0)
    now, today = deps.clock.now(), deps.clock.today()
    were = await store.end_grids(tx, [each.grid_code for each in listed], now)
    living = await people.living_in(tx, [each.grid_code for each in listed])
    successors = {code: await store.find_grid(tx, code) for code in {each.successor or "" for each in listed}}
    nowhere = {code for code, grid in successors.items() if code and grid is None}
    found = [
        Fault(row=each.row, column="ended_on", code="not_yet") for each in listed if each.ended_on > today
    ] + _unplaced(listed, were, living, nowhere)
    if found:
        raise RollRefusedError(roll.first(found))
    moved = 0
    for each in listed:
        grid = successors[each.successor or ""]
        if grid is not None:
            for subject in living.get(each.grid_code, ()):
                await move_in(tx, deps, subject, grid, said_by=("grid", "service"))
                moved += 1
    await take_from_who_left(tx, deps, sorted({holder for holders in were.values() for holder in holders}))
    return Endings(grids_ended=len(were), people_moved=moved)


def _unplaced(
    listed: Sequence[Ended], were: Mapping[str, object], living: Mapping[str, Sequence[UUID]], nowhere: set[str]
) -> list[Fault]:
    return [
        Fault(row=each.row, column="successor", code="not_a_grid" if each.successor else "people_live_there")
        for each in listed
        if each.successor in nowhere
        or (each.successor is None and each.grid_code in were and living.get(each.grid_code))
    ]
