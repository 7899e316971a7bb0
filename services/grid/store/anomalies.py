"""A month of sightings, for looking at how members report."""

from datetime import datetime

import polars as pl

from services.grid.domain.anomalies import SIGHTINGS
from services.grid.domain.views import View
from services.grid.store.tasks import conditions
from shared.kit.db import ReadTx


async def sightings(tx: ReadTx, view: View, since: datetime) -> pl.DataFrame:
    """Sightings since an instant in a view, as `SIGHTINGS`."""
    where, args = conditions(view)
    args.append(since)
    rows = await tx.fetch(
        "SELECT visit_id, worker_id, subject, division, visited_at, lon, lat, helper FROM "  # noqa: S608  (conditions are ours, values are parameters)
        "(SELECT v.*, t.grid_code FROM visits v JOIN tasks t USING (task_id) "
        "WHERE v.result IN ('seen_alive', 'seen_by_video')) seen "
        f"WHERE {' AND '.join(where)} AND visited_at >= ${len(args)}",
        *args,
    )
    return pl.DataFrame(
        [(row["visit_id"].bytes, row["worker_id"], row["subject"].bytes, *tuple(row)[3:]) for row in rows],
        schema=SIGHTINGS,
        orient="row",
    )
