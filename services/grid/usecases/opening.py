"""Knocks that are opened, or opened again, are told to recognition, so that it knows who is still looked for."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from uuid import UUID

import asyncpg
import pyarrow as pa

from services.grid.store import reopening
from services.grid.usecases.deps import Deps
from shared.contracts.events.grid import TASKS_OPENED
from shared.kit.db import WriteTx
from shared.kit.workdays import after_working_days

_OPENED = {"subject": pa.binary(16), "task_id": pa.binary(16), "deadline_on": pa.date32()}


async def say_opened(tx: WriteTx, deps: Deps, opened: Sequence[asyncpg.Record], *, run: str) -> None:
    """Say which tasks are open: subject, task_id, deadline_on."""
    if opened:
        table = pa.table({name: pa.array([row[name] for row in opened], kind) for name, kind in _OPENED.items()})
        await deps.outbox.say_table(tx, TASKS_OPENED, table, {"run": run})


async def knock_after_all(
    tx: WriteTx, deps: Deps, subjects: Sequence[UUID], outcomes: Iterable[str], *,
    unseen_since: datetime | None = None, resumed: bool = False,
) -> None:  # fmt: skip
    """Open people's last knocks again where what closed them turned out to certify nobody.

    Args:
        tx: the transaction.
        deps: dependencies.
        subjects: the people.
        outcomes: what may have closed them.
        unseen_since: visits before this instant do not answer them any more; None where an earlier one still may.
        resumed: an officer has decided to pay them again, whatever was confirmed before.
    """
    today: date = deps.clock.today()
    deadline = after_working_days(today, deps.policies.on(today).working_days[0])
    opened = await reopening.reopen_unmatched(
        tx,
        subjects,
        outcomes,
        unseen_since=unseen_since,
        resumed=resumed,
        deadline_on=deadline,
        now=deps.clock.now(),
    )
    for run in sorted({each["opened_by"] for each in opened}):
        await say_opened(tx, deps, [each for each in opened if each["opened_by"] == run], run=run)
