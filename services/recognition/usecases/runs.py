"""Certification runs: once a month, who must be looked for."""

from uuid import UUID

import pyarrow as pa
import uuid_utils.compat as uuids

from services.recognition.domain.states import RunState
from services.recognition.store import certificates, runs
from services.recognition.store.runs import Run
from services.recognition.usecases import grace
from services.recognition.usecases.deps import Deps
from services.recognition.usecases.hearing import records_table
from services.recognition.usecases.proposing import propose_overdue
from shared.contracts.events import CERTIFICATIONS_DUE
from shared.contracts.vocabulary import SHARDS
from shared.kit.db import ReadTx, WriteTx
from shared.kit.problems import NotFoundError

_DUE_COLUMNS = {
    "subject": pa.binary(16),
    "due_on": pa.date32(),
    "division": pa.string(),
    "group_no": pa.int16(),
    "programs": pa.int16(),
    "born_on": pa.date32(),
}


async def request_run(deps: Deps, tx: WriteTx, requested_by: str) -> Run:
    """Queue the run of today; one that is under way already is handed back instead."""
    today = deps.clock.today()
    pending = await runs.find_pending(tx, today)
    if pending:
        return pending
    await grace.give_for_late_run(deps, tx, await runs.last_run_on(tx))
    run_id = uuids.uuid7()
    await runs.add_run(tx, run_id=run_id, run_on=today, requested_by=requested_by, at=deps.clock.now())
    return await get_run(tx, run_id)


async def get_run(tx: ReadTx, run_id: UUID) -> Run:
    """One run.

    Raises:
        NotFoundError: there is none of this id.
    """
    found = await runs.find_run(tx, run_id)
    if found is None:
        detail = "No certification run has this id; start one by POST /v1/certification-runs."
        raise NotFoundError(detail)
    return found


async def run_next_shard(deps: Deps, tx: WriteTx) -> bool:
    """Look through the next shard of the oldest run; False when there is nothing to do in this process."""
    run = await runs.take_pending(tx)
    if run is None or run.state not in {RunState.QUEUED, RunState.RUNNING}:
        return False
    await certificates.lock_whole_shard(tx, SHARDS[run.shards_done])
    rows = await runs.find_due(tx, run, run.shards_done, deps.cycles(run.run_on))
    told = [row for row in rows if row["looked_for"]]
    # The run that first looked for a person has somebody knock; a later step only reminds him.
    for first in sorted({row["looked_for"] for row in told}):
        table = records_table([row for row in told if row["looked_for"] == first], _DUE_COLUMNS)
        attributes = {"run": str(first), "run_on": run.run_on.isoformat()}
        await deps.outbox.say_table(tx, CERTIFICATIONS_DUE, table, attributes)
    await propose_overdue(deps, tx, run, run.shards_done)
    await runs.advance(tx, run, due=len(rows), said=len(told), at=deps.clock.now())
    return True
