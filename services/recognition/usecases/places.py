"""People whom one program lists at two places: a machine stops nothing, an officer says what it came to."""

from datetime import datetime
from uuid import UUID

import asyncpg
import pyarrow as pa
import pyarrow.compute as pc

from services.recognition.domain.places import PlaceOutcome
from services.recognition.domain.programs import EndingEvent
from services.recognition.store import places
from services.recognition.usecases.deps import Deps
from services.recognition.usecases.divisions import may_see
from shared.contracts.vocabulary import EnrolmentChange
from shared.kit.auth import Caller
from shared.kit.db import ReadTx, WriteTx
from shared.kit.problems import ConflictError, NotFoundError


class NothingWaitsError(ConflictError):
    """Somebody has closed it, or the rosters name one place alone by now."""

    code = "nothing_waits"


async def hear(deps: Deps, tx: WriteTx, table: pa.Table, program: str, received_at: datetime) -> None:
    """Take in where a program lists people a second time, if its rule knows of drawing a benefit twice."""
    declared = deps.programs.get(program)
    if declared is None or declared.sandbox:
        return
    if EndingEvent.DUPLICATE_RECEIPT not in declared.in_force(deps.clock.today()).events:
        return
    listed = pc.not_equal(table.column("change").cast(pa.string()), str(EnrolmentChange.ENDED))
    heard = table.select(["subject", "division", "amount_fen", "started_on"]).append_column("listed", listed)
    await places.merge(tx, heard, program, received_at=received_at, at=deps.clock.now())


async def get(tx: ReadTx, place_id: UUID, caller: Caller) -> asyncpg.Record:
    """A second listing in a program the officer speaks for.

    Raises:
        NotFoundError: none, or another department's.
    """
    found = await places.find(tx, place_id)
    if found is None or not await may_see(tx, caller, found["subject"], found["program"]):
        detail = "No second place of your programs has this id."
        raise NotFoundError(detail)
    return found


async def close(
    deps: Deps, tx: WriteTx, place_id: UUID, caller: Caller, *, outcome: PlaceOutcome, refunded_fen: int | None
) -> asyncpg.Record:
    """Say what a second listing came to; nobody is stopped by it and nothing is claimed.

    Raises:
        NothingWaitsError: it is closed, or not listed any more.
    """
    await places.lock(tx, place_id)
    if not (await get(tx, place_id, caller))["waits"]:
        detail = "It is closed already, or the rosters name one place alone by now."
        raise NothingWaitsError(detail)
    await places.close(tx, place_id, outcome, refunded_fen, by=caller.user, at=deps.clock.now())
    return await get(tx, place_id, caller)
