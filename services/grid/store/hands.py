"""In whose hands a task lies: other eyes hold wherever it goes, and who had it may still tell what he found."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from uuid import UUID

import polars as pl

from services.grid.store.staging import Staged, stage
from shared.kit.db import ReadTx, WriteTx


def _passing_on(update: str) -> str:
    """The update of tasks `t`, with a note of who had them."""
    return f"""
        WITH moved AS (
            {update} RETURNING t.task_id, old.worker_id AS before, t.worker_id AS after, t.changed_at
        )
        INSERT INTO task_hands (task_id, worker_id, until_at)
        SELECT task_id, before, changed_at FROM moved WHERE before IS DISTINCT FROM after AND before IS NOT NULL
    """  # noqa: S608  (our own words)


_RETURN = _passing_on(
    "UPDATE tasks t SET state = CASE WHEN $2::text IS NULL THEN 'created' ELSE 'returned' END, rung = 'member', "
    "worker_id = $2, deadline_on = CASE WHEN $2 IS NULL THEN least(t.deadline_on, $3) ELSE $3 END, changed_at = $4, "
    "not_by = CASE WHEN $5 = ANY(not_by) THEN not_by ELSE not_by || $5::text END "
    "WHERE t.task_id = $1 AND t.state <> 'closed'"
)
_MOVE = _passing_on(
    "UPDATE tasks t SET grid_code = $2, division = left($2, 12), worker_id = $3::text, "
    "state = CASE WHEN $3 IS NULL THEN 'created' WHEN t.state = 'created' THEN 'dispatched' ELSE t.state END, "
    # It begins its way up anew; who merely passes it on before its time gives nobody more time.
    "rung = CASE WHEN t.grid_code IS DISTINCT FROM $2 OR $3 IS NULL THEN 'member' ELSE t.rung END, "
    "deadline_on = CASE WHEN $3 IS NULL THEN least(t.deadline_on, $6) "
    "WHEN t.state = 'created' OR (t.grid_code <> $2 AND t.rung <> 'member') THEN $5 ELSE t.deadline_on END, "
    "changed_at = $4 WHERE t.task_id = $1 AND t.state <> 'closed'"
)
_BAR = _passing_on(
    "UPDATE tasks t SET worker_id = CASE WHEN t.worker_id = $2 THEN $3 ELSE coalesce($3, t.worker_id) END, "
    "state = CASE WHEN t.worker_id = $2 AND $3::text IS NULL THEN 'created' "
    # Of whose report it waited for, nothing is waited for any more.
    "WHEN t.worker_id = $2 AND t.state = 'submitted' THEN 'returned' ELSE t.state END, "
    "deadline_on = CASE WHEN t.worker_id = $2 AND $3 IS NULL THEN least(t.deadline_on, $5) ELSE t.deadline_on END, "
    "changed_at = $4, not_by = not_by || $2::text "
    "WHERE t.task_id = $1 AND t.state <> 'closed' AND $2 <> ALL(t.not_by)"
)
_HAND_OVER = _passing_on(
    "UPDATE tasks t SET worker_id = m.worker_id, changed_at = $1 FROM staged_moves m "
    "WHERE t.task_id = m.task_id AND t.state IN ('dispatched', 'accepted')"
)
_FOLLOW = _passing_on(
    "UPDATE tasks t SET worker_id = h.after_id, changed_at = $1 FROM staged_history h "
    # What went up lies with the leader or the assistant; the assistant's is the last pair of hands below the town.
    "WHERE h.duty IN ('member', CASE t.rung WHEN 'town' THEN 'assistant' ELSE t.rung END) "
    "AND t.grid_code = h.grid_code AND t.worker_id = h.before_id AND t.state <> 'closed' "
    "AND h.after_id <> ALL(t.not_by)"
)


_TAKE = _passing_on(
    "UPDATE tasks t SET worker_id = h.holder, changed_at = $2 FROM ("
    "SELECT DISTINCT ON (l.task_id) l.task_id, holder FROM tasks l JOIN grids g USING (grid_code), "
    "unnest(ARRAY[g.member_id, g.leader_id, g.assistant_id]) WITH ORDINALITY o(holder, turn) "
    "WHERE l.worker_id = ANY($1) AND l.state <> 'closed' AND holder <> ALL(l.not_by) "
    "ORDER BY l.task_id, turn) h WHERE t.task_id = h.task_id"
)

_NEW_TO_IT = (
    "NOT EXISTS (SELECT FROM case_steps s WHERE s.case_id = m.case_id AND s.actor = h.after_id "
    "AND s.action IN ('visited', 'recused'))"
)
# Of cases and requests no hands are noted: their steps tell who was there, and nobody reports on them from offline.
_FOLLOW_MATTERS = tuple(
    f"UPDATE {table} m SET worker_id = h.after_id FROM staged_history h "  # noqa: S608  (our own words)
    "WHERE m.division = left(h.grid_code, 12) AND m.grid_code = h.grid_code AND m.worker_id = h.before_id "
    "AND NOT EXISTS (SELECT FROM grids g WHERE g.grid_code = h.grid_code "
    "AND h.before_id IN (g.member_id, g.leader_id, g.assistant_id)) "
    f"AND h.after_id IS NOT NULL AND {free}"
    for table, free in (("cases", _NEW_TO_IT), ("stop_requests", "true"))
)


async def dispatch_created(tx: WriteTx, deadline_on: date, now: datetime) -> int:
    """Give tasks that had nobody to the members of grids that exist now, or who else of them may do it."""
    given = await tx.run(
        "UPDATE tasks t SET state = 'dispatched', rung = 'member', worker_id = h.holder, division = h.division, "
        "deadline_on = $1, changed_at = $2 FROM (SELECT DISTINCT ON (c.task_id) c.task_id, g.division, holder "
        "FROM tasks c JOIN grids g USING (grid_code), "
        "unnest(ARRAY[g.member_id, g.leader_id, g.assistant_id]) WITH ORDINALITY o(holder, turn) "
        "WHERE c.state = 'created' AND holder <> ALL(c.not_by) ORDER BY c.task_id, turn) h WHERE t.task_id = h.task_id",
        deadline_on,
        now,
    )
    return int(given.rsplit(" ", 1)[1])


async def follow_members(tx: WriteTx, history: Staged, now: datetime) -> None:
    """Open tasks, cases and requests of grids whose member, leader or assistant changed go to the new one."""
    await history.run(tx, _FOLLOW, now)
    for follow in _FOLLOW_MATTERS:
        await history.run(tx, follow)


async def take_from(tx: WriteTx, worker_ids: Sequence[str], now: datetime) -> None:
    """Open tasks in the hands of people who left go to whoever holds their grid."""
    await tx.run(_TAKE, list(worker_ids), now)


async def hand_over(tx: WriteTx, moves: pl.DataFrame, now: datetime) -> None:
    """Tasks change hands: task_id, worker_id."""
    staged = await stage(tx, "staged_moves", moves)
    await staged.run(tx, _HAND_OVER, now)


async def give_back(
    tx: WriteTx, task_id: UUID, worker_id: str | None, *, not_by: str, deadline_on: date, now: datetime
) -> None:
    """A reviewed task goes back to the door, in other hands, and begins its way up anew; who was there stays away.

    Where nobody else is there it is in nobody's hands.
    """
    await tx.run(_RETURN, task_id, worker_id, deadline_on, now, not_by)


async def move_task(  # noqa: PLR0913  (what, where, whose, when)
    tx: WriteTx, task_id: UUID, grid_code: str, worker_id: str | None, *, deadline_on: date, today: date, now: datetime
) -> None:
    """An open task goes to another grid, and to whoever is named; where nobody there may do it, the town hears soon."""
    await tx.run(_MOVE, task_id, grid_code, worker_id, now, deadline_on, today)


async def bar(tx: WriteTx, task_id: UUID, worker_id: str, other: str | None, *, today: date, now: datetime) -> None:
    """Somebody may not do an open task any more; it goes to the other one, or the town hears of it soon."""
    await tx.run(_BAR, task_id, worker_id, other, now, today)


async def forget(tx: WriteTx, before: datetime) -> None:
    """Delete who had a task so long ago that a visit of that time is refused anyway."""
    await tx.run("DELETE FROM task_hands WHERE until_at < $1", before)


async def hands_of(tx: ReadTx, task_ids: Iterable[UUID]) -> dict[UUID, list[tuple[str, datetime]]]:
    """Who had these tasks before, and until when."""
    rows = await tx.fetch("SELECT task_id, worker_id, until_at FROM task_hands WHERE task_id = ANY($1)", list(task_ids))
    found: dict[UUID, list[tuple[str, datetime]]] = defaultdict(list)
    for row in rows:
        found[row["task_id"]].append((row["worker_id"], row["until_at"]))
    return found
