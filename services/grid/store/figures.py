"""Counts an operator asks first."""

from dataclasses import dataclass

from shared.kit.db import ReadTx


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Counts of everything."""

    grids: int
    workers: int
    recipients: int
    tasks_open: dict[str, int]
    tasks_unassigned: int
    tasks_closed: int
    visits: int
    visits_in_review: int
    cases_open: int
    cases_concluded: int


async def count(tx: ReadTx) -> Figures:
    """Count."""
    tasks = await tx.fetch("SELECT reason, state, count(*) AS n FROM tasks GROUP BY reason, state")
    rest = await tx.fetch(
        "SELECT (SELECT count(*) FROM grids) AS grids, (SELECT count(*) FROM workers) AS workers, "
        "(SELECT count(DISTINCT subject) FROM recipients WHERE active) AS recipients, "
        "(SELECT count(*) FROM visits) AS visits, "
        "(SELECT count(*) FROM visits WHERE status = 'in_review') AS visits_in_review, "
        "(SELECT count(*) FROM cases WHERE state <> 'concluded') AS cases_open, "
        "(SELECT count(*) FROM cases WHERE state = 'concluded') AS cases_concluded"
    )
    opened: dict[str, int] = {}
    for row in tasks:
        if row["state"] != "closed":
            opened[row["reason"]] = opened.get(row["reason"], 0) + row["n"]
    return Figures(
        **rest[0],
        tasks_open=opened,
        tasks_unassigned=sum(row["n"] for row in tasks if row["state"] == "created"),
        tasks_closed=sum(row["n"] for row in tasks if row["state"] == "closed"),
    )
