"""Which people a caller may see, from his token and the grids he holds."""

from collections.abc import Iterable
from datetime import date, datetime

from services.grid.domain.holders import user_text
from services.grid.domain.views import BACK_END_ROLES, FIELD_ROLES, View, office_view, person_view
from services.grid.store import roll
from services.grid.usecases.deps import Deps
from services.grid.usecases.errors import WorkerNeededError, WorkerUnknownError
from shared.kit.auth import Caller
from shared.kit.clock import SHANGHAI
from shared.kit.db import ReadTx


async def view_of_worker(tx: ReadTx, caller: Caller, worker_id: str, today: date) -> View:
    """The grids a member or leader holds, and those of whom he stands in for today, within the token's divisions."""
    stands_for = await roll.stands_in_for(tx, worker_id, today)
    grids = await roll.grids_of(tx, stands_for)
    # Whoever left sees nothing, whatever still bears his name.
    return person_view(caller.divisions, grids, stands_for) if grids else View()


async def view_of_worker_on(tx: ReadTx, caller: Caller, worker_id: str, day: date) -> View:
    """What was his on a day: a phone that was offline tells of it when somebody else may have taken over."""
    stood_for = await roll.stands_in_for(tx, worker_id, day)
    morning = datetime.combine(day, datetime.min.time(), SHANGHAI)
    return person_view(caller.divisions, await roll.grids_held_since(tx, stood_for, morning), stood_for)


async def acting_worker(tx: ReadTx, caller: Caller, named: str | None) -> str:
    """The member who acts: the caller himself, or the one his back end names.

    Raises:
        WorkerNeededError: a back end names nobody.
        WorkerUnknownError: nobody has that id, or a member names somebody else.
    """
    if caller.role in FIELD_ROLES:
        chosen = caller.user
        if named not in {None, chosen}:
            detail = "A member speaks for himself only."
            raise WorkerUnknownError(detail)
    elif caller.role in BACK_END_ROLES:
        if named is None:
            detail = "A back end names the member in `worker_id`."
            raise WorkerNeededError(detail)
        chosen = named
    else:
        detail = "Visits are reported by members and leaders of grids."
        raise WorkerUnknownError(detail)
    if not await roll.is_worker(tx, chosen):
        detail = "Import the list of grids first, or ask for the right id."
        raise WorkerUnknownError(detail)
    return chosen


async def view_of(tx: ReadTx, caller: Caller, today: date, *, named: str | None = None) -> View:
    """What a caller may read.

    Raises:
        WorkerNeededError: the mobile back end names nobody.
        WorkerUnknownError: the caller or the named one holds no grid.
    """
    if caller.role in FIELD_ROLES or caller.role == "citizen" or named is not None:
        return await view_of_worker(tx, caller, await acting_worker(tx, caller, named), today)
    return office_view(caller.role, caller.divisions)


async def known_as(tx: ReadTx, deps: Deps, users: Iterable[str]) -> dict[str, str]:
    """By which one name people are compared: his id for whom an office's tokens call otherwise, else as they do."""
    names = sorted(set(users))
    keys = {name: deps.name_keys.one(user_text(name)).bytes for name in names}
    found = await roll.workers_of_users(tx, list(keys.values()))
    return {name: found.get(key, name) for name, key in keys.items()}
