"""Knocks that are opened, or opened again, are told to recognition, so that it knows who is still looked for."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg
import pyarrow as pa

from services.grid.domain.tasks import SIGHTINGS
from services.grid.store import cases, hands, reopening, visits
from services.grid.store.reopening import Again
from services.grid.usecases.deps import Deps
from shared.contracts.events.grid import TASKS_OPENED
from shared.kit.db import WriteTx

_OPENED = {"subject": pa.binary(16), "task_id": pa.binary(16), "deadline_on": pa.date32()}


async def say_opened(tx: WriteTx, deps: Deps, opened: Sequence[asyncpg.Record], *, run: str) -> None:
    """Say which tasks are open: subject, task_id, deadline_on."""
    if opened:
        table = pa.table({name: pa.array([row[name] for row in opened], kind) for name, kind in _OPENED.items()})
        await deps.outbox.say_table(tx, TASKS_OPENED, table, {"run": run})


async def knock_after_all(tx: WriteTx, deps: Deps, subjects: Sequence[UUID], again: Again) -> None:
    """Open people's last knocks again where what closed them turned out to certify nobody; who saw him stays away."""
    opened = await reopening.reopen_unmatched(tx, subjects, again, deadline_on=deps.knock_by(), now=deps.clock.now())
    closing = await visits.find_visits(tx, {each["closing_visit_id"] for each in opened if each["closing_visit_id"]})
    for each in opened:
        closed_by = closing.get(each["closing_visit_id"])
        if closed_by is not None and closed_by.visit.result in SIGHTINGS:
            barred = {*each["not_by"], closed_by.visit.worker_id}
            other = await cases.another_worker(tx, each["grid_code"] or "", barred)
            for who in sorted(barred):
                to = other if each["worker_id"] == who else None
                now, today = deps.clock.now(), deps.clock.today()
                await hands.bar(tx, UUID(bytes=each["task_id"]), who, to, today=today, now=now)
    for run in sorted({each["opened_by"] for each in opened}):
        await say_opened(tx, deps, [each for each in opened if each["opened_by"] == run], run=run)
