"""Every look at a person is kept before the answer leaves: for auditors with who looked, for the person without."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from services.grid.domain.looks import ACTIONS, PURPOSES, Seen, who
from services.grid.store import readings
from services.grid.store.readings import Reading, Wanted
from services.grid.usecases.deps import Deps
from shared.kit.auth import Caller
from shared.kit.db import ReadTx, WriteTx


async def note(
    tx: WriteTx, deps: Deps, caller: Caller, told: Sequence[Reading], *, worker_id: str | None = None
) -> None:
    """Keep what a caller is about to be told, or is refused; `worker_id` names for whom a back end asks."""
    told_to = (caller.client_id, caller.user, caller.role)
    await readings.note(tx, told, who=told_to, worker_id=worker_id, at=deps.clock.now())


async def read_log(
    tx: WriteTx, deps: Deps, caller: Caller, wanted: Wanted, *, after: int, limit: int
) -> list[dict[str, Any]]:
    """A page of the log for an auditor; that he read it is kept, too."""
    found = await readings.page(tx, wanted, after=after, limit=limit)
    await note(tx, deps, caller, [Reading(what=Seen.LOG, subject=wanted.subject)])
    return [dict(row) for row in found]


async def read_mine(
    tx: ReadTx, subject: UUID, *, before: datetime | None, limit: int
) -> tuple[list[dict[str, Any]], datetime | None]:
    """Who looked at a person, newest first, in plain words and without names; and where to go on."""
    rows = await readings.of_person(tx, subject, before=before, limit=limit)
    items = [
        {
            "at": row["at"],
            "organisation": who(row["role"], for_member=row["for_member"]),
            "action": ACTIONS[Seen(row["what"])],
            "purpose": PURPOSES[Seen(row["what"])],
            "refused": not row["shown"],
        }
        for row in rows
    ]
    return items, rows[-1]["at"] if len(rows) >= limit else None
