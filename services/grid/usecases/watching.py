"""Looking at how members report: what looks made up is visited again by somebody else, and leaders see it."""

from datetime import timedelta
from uuid import UUID

import polars as pl

from services.grid.domain.anomalies import Limits, odd_members
from services.grid.domain.views import View
from services.grid.store import anomalies, upkeep
from services.grid.usecases.asking import SECOND_LOOK
from services.grid.usecases.deps import Deps
from shared.kit.db import ReadTx, WriteTx
from shared.kit.workdays import after_working_days

WINDOW = timedelta(days=30)


async def odd_of(tx: ReadTx, deps: Deps, view: View) -> pl.DataFrame:
    """Members in a view whose last month looks odd: division, worker_id, sightings, reasons."""
    found = await anomalies.sightings(tx, view, deps.clock.now() - WINDOW)
    return odd_members(found, _limits(deps))


async def look_at_odd(tx: WriteTx, deps: Deps) -> int:
    """A few of an odd member's sightings are visited again by another one; which, a keyed hash decides.

    Returns:
        How many visits were asked for.
    """
    today = deps.clock.today()
    policy = deps.policies.on(today)
    found = await anomalies.sightings(tx, View(everything=True), deps.clock.now() - WINDOW)
    odd = odd_members(found, _limits(deps))
    if odd.is_empty():
        return 0
    theirs = found.join(odd, on=["division", "worker_id"], how="semi")
    keys = deps.draw_keys.many(each.hex() for each in theirs["visit_id"])
    chosen = (
        theirs.with_columns(draw=pl.Series([row.tobytes() for row in keys], dtype=pl.Binary))
        .sort("worker_id", "draw")
        .group_by("worker_id", maintain_order=True)
        .head(policy.anomaly_visits)
    )
    return await upkeep.look_again(
        tx,
        [UUID(bytes=each) for each in chosen["visit_id"]],
        SECOND_LOOK,
        deadline_on=after_working_days(today, policy.working_days[0]),
        now=deps.clock.now(),
    )


def _limits(deps: Deps) -> Limits:
    policy = deps.policies.on(deps.clock.today())
    return Limits(
        least=policy.anomaly_least,
        minute_share=policy.anomaly_minute_share,
        place_share=policy.anomaly_place_share,
        helper_share=policy.anomaly_helper_share,
    )
