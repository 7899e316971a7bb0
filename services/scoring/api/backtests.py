"""Route about the past: what a rule set would have decided."""

from typing import Annotated

from fastapi import APIRouter, Header, Response

from services.scoring.api.deps import Manager, NotingRoute, RouteDeps, looker
from services.scoring.domain.backtest import month_ends, plot
from services.scoring.schemas.trials import BacktestIn, BacktestOut, BacktestRowOut
from services.scoring.usecases.backtest import backtest
from services.scoring.usecases.look import note_all
from shared.kit.problems import PROBLEM_RESPONSES, ProblemError

SVG = "image/svg+xml"
router = APIRouter(prefix="/v1", tags=["back-tests"], responses=PROBLEM_RESPONSES, route_class=NotingRoute)


class NoMonthError(ProblemError):
    """A period without an end of month."""

    status = 422
    code = "no_month"
    title = "The period holds no end of a month"


class FutureError(ProblemError):
    """A period that is not over."""

    status = 422
    code = "future_period"
    title = "The period ends after today"


@router.post(
    "/backtests",
    response_model=BacktestOut,
    responses={200: {"content": {SVG: {"schema": {"type": "string"}}}, "description": "Table, or the picture alone."}},
)
async def try_on_the_past(
    asked: BacktestIn, caller: Manager, deps: RouteDeps, accept: Annotated[str, Header()] = ""
) -> BacktestOut | Response:
    """What a rule set would have decided at the end of each month, beside known outcomes.

    The answer is a table with a picture in it, or the picture alone for a caller that accepts `image/svg+xml` first.
    """
    today = deps.clock.today()
    if asked.end > today:
        raise FutureError(f"A back-test knows only what has come: let it end by {today.isoformat()}.")
    rules = deps.rules(asked.rule_set, today)
    days = month_ends(asked.begin, asked.end)
    if not days:
        raise NoMonthError("Let the period reach the last day of a month.")
    shards = sorted(asked.shards)
    outcomes = None if asked.outcomes is None else {each.subject: each.lost_on for each in asked.outcomes}
    if outcomes:
        # Of a single person the counts would tell what is thought of him.
        async with deps.database.write() as noting:
            await note_all(noting, list(outcomes), looker(caller, "backtest"))
    async with deps.database.read() as tx:
        found = await backtest(
            tx, rules=rules, days=days, shards=[int(shard, 16) for shard in shards], outcomes=outcomes
        )
    rows = found.rows
    if accept.partition(",")[0].partition(";")[0].strip() == SVG:
        return Response(plot(rows), media_type=SVG)
    return BacktestOut(
        rule_set=rules.name,
        shards=shards,
        rows=[BacktestRowOut.model_validate(row, from_attributes=True) for row in rows],
        note=found.note,
        plot=plot(rows),
    )
