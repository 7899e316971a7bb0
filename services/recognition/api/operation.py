"""Routes for the operator: certification runs and figures."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response, Security

from services.recognition.api.deps import DepsOf
from services.recognition.api.once import ONCE, Answered, once_by
from services.recognition.schemas.operation import FiguresOut, RunIn, RunOut
from services.recognition.store import lookups
from services.recognition.store.runs import SHARD_COUNT, Run
from services.recognition.usecases import feed, runs
from shared.kit.auth import Caller, allow
from shared.kit.db import WriteTx
from shared.kit.problems import PROBLEM_RESPONSES

router = APIRouter(prefix="/v1", tags=["operation"], responses=PROBLEM_RESPONSES)

Operator = Annotated[Caller, Security(allow("operate"))]


@router.post("/certification-runs", status_code=202, response_model=RunOut, openapi_extra=ONCE)
async def start_run(request: Request, caller: Operator, found: DepsOf, body: RunIn | None = None) -> Response:
    """Look for people whose certification runs out; the run of today is not started twice at once."""

    async def effect(tx: WriteTx) -> Answered:
        run = await runs.request_run(found, tx, caller.user)
        place = str(request.url_for("get_run", run_id=run.run_id).path)
        return Answered(_run(run), 202, {"Location": place, "Retry-After": "1"})

    answer = await once_by(request, found, caller, body, effect, "operation")
    found.wake_runs.set()
    return answer


@router.get("/certification-runs/{run_id}")
async def get_run(run_id: UUID, _caller: Operator, found: DepsOf) -> RunOut:
    """How far a run is."""
    async with found.database.read() as tx:
        return _run(await runs.get_run(tx, run_id))


@router.get("/figures")
async def figures(_caller: Operator, found: DepsOf) -> FiguresOut:
    """The counts an operator asks first."""
    async with found.database.read() as tx:
        said = await lookups.figures(tx, found.clock.today())
        unacknowledged = await feed.count_unacknowledged(found, tx)
    return FiguresOut.model_validate(said | {"revocations_unacknowledged": unacknowledged})


def _run(run: Run) -> RunOut:
    return RunOut(
        run_id=run.run_id,
        run_on=run.run_on,
        state=run.state,
        requested_at=run.requested_at,
        finished_at=run.finished_at,
        shards_done=run.shards_done,
        shards=SHARD_COUNT,
        due=run.due,
        said=run.said,
    )
