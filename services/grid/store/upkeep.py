"""What time brings: overdue tasks go up, crowded members are relieved, a sample is visited again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from uuid import UUID

import polars as pl

from services.grid.domain.tasks import RUNGS, Rung
from shared.contracts.vocabulary import TaskReason
from shared.kit.db import ReadTx, WriteTx

_LAST = "ffffffff-ffff-ffff-ffff-ffffffffffff"


def bounds(shard: str) -> tuple[UUID, UUID]:
    """First and last subject of a shard."""
    rest = "0000000-0000-0000-0000-000000000000"
    return UUID(shard + rest), UUID(shard + _LAST[1:])


@dataclass(frozen=True, slots=True, kw_only=True)
class Late:
    """A task that went one rung up: to whom, and who had it until when."""

    task_id: UUID
    subject: UUID
    reason: TaskReason
    rung: Rung
    division: str | None
    worker_id: str | None
    deadline_on: date


async def escalate(
    tx: WriteTx, shard: str, deadlines: Mapping[Rung, date], *, today: date, now: datetime
) -> list[Late]:
    """Open tasks of a shard whose deadline has passed go one rung up, into the hands of whoever may do it there.

    One whose report waits for its leader stays with who reported; one whose grid nobody has, or whose address nobody
    has said, is the town's at once.
    """
    steps = [(below, above) for below, above in pairwise(RUNGS)]
    low, high = bounds(shard)
    rows = await tx.fetch(
        """
        WITH moved AS (
            UPDATE tasks t SET rung = n.above, deadline_on = n.deadline, changed_at = $6,
                worker_id = coalesce(CASE WHEN t.state = 'submitted' THEN t.worker_id
                    WHEN n.above = 'leader' AND g.leader_id <> ALL(t.not_by) THEN g.leader_id
                    WHEN n.above = 'assistant' AND g.assistant_id <> ALL(t.not_by) THEN g.assistant_id END,
                    t.worker_id)
            FROM unnest($1::text[], $2::text[], $3::date[]) AS n(below, above, deadline), grids g
            WHERE t.subject BETWEEN $4 AND $5 AND t.state NOT IN ('created', 'closed') AND t.deadline_on < $7
                AND t.rung = n.below AND g.grid_code = t.grid_code
            RETURNING t.task_id, t.subject, t.reason, t.rung, t.division, old.worker_id, old.deadline_on,
                t.worker_id AS after
        ), noted AS (
            INSERT INTO task_hands (task_id, worker_id, until_at)
            SELECT task_id, worker_id, $6 FROM moved WHERE worker_id <> after
        )
        SELECT task_id, subject, reason, rung, division, worker_id, deadline_on FROM moved
        """,
        [below.value for below, _ in steps],
        [above.value for _, above in steps],
        [deadlines[above] for _, above in steps],
        low,
        high,
        now,
        today,
    )
    rows += await tx.fetch(
        """
        UPDATE tasks SET rung = 'town', deadline_on = $1, changed_at = $4
        WHERE subject BETWEEN $2 AND $3 AND state = 'created' AND deadline_on < $5 AND rung <> 'town'
        RETURNING task_id, subject, reason, rung, division, worker_id, old.deadline_on
        """,
        deadlines[Rung.TOWN],
        low,
        high,
        now,
        today,
    )
    return [Late(**{**row, "reason": TaskReason(row["reason"]), "rung": Rung(row["rung"])}) for row in rows]


_IN_HANDS = (
    "t.state IN ('dispatched', 'accepted') AND t.rung = 'member' AND cardinality(t.not_by) = 0 "
    "AND t.division IS NOT NULL"
)


async def crowded_loads(tx: ReadTx, most: int) -> pl.DataFrame:
    """How much lies in whose hands in villages where somebody has more than `most`: division, worker_id, load."""
    rows = await tx.fetch(
        f"""
        WITH hands AS (
            SELECT t.division, t.worker_id, count(*) AS load FROM tasks t WHERE {_IN_HANDS} GROUP BY 1, 2
        ), crowded AS (SELECT DISTINCT division FROM hands WHERE load > $1)
        SELECT division, worker_id, max(load) AS load FROM (
            SELECT h.* FROM hands h JOIN crowded USING (division)
            UNION ALL SELECT g.division, g.member_id, 0 FROM grids g JOIN crowded USING (division)) members
        GROUP BY 1, 2
        """,  # noqa: S608  (our own words)
        most,
    )
    return pl.DataFrame(
        [tuple(row) for row in rows],
        schema={"division": pl.String, "worker_id": pl.String, "load": pl.Int64},
        orient="row",
    )


async def tasks_in_hands(tx: ReadTx, hands: pl.DataFrame) -> pl.DataFrame:
    """What lies in these hands: task_id, subject, division, worker_id, priority."""
    rows = await tx.fetch(
        f"SELECT t.task_id, t.subject, t.division, t.worker_id, t.priority FROM tasks t WHERE {_IN_HANDS} "  # noqa: S608
        "AND (t.division, t.worker_id) IN (SELECT * FROM unnest($1::text[], $2::text[]))",
        hands["division"].to_list(),
        hands["worker_id"].to_list(),
    )
    return pl.DataFrame(
        [(row["task_id"].bytes, row["subject"].bytes, *tuple(row)[2:]) for row in rows],
        schema={
            "task_id": pl.Binary,
            "subject": pl.Binary,
            "division": pl.String,
            "worker_id": pl.String,
            "priority": pl.Int16,
        },
        orient="row",
    )


async def sightings(tx: ReadTx, days: tuple[date, date]) -> list[UUID]:
    """Reports of some days that say somebody was seen, and that were no second look themselves."""
    rows = await tx.fetch(
        """
        SELECT v.visit_id FROM visits v JOIN tasks t USING (task_id)
        WHERE v.status = 'concluded' AND v.result IN ('seen_alive', 'seen_by_video') AND t.reason <> 'sample'
            AND v.received_at >= $1::date::timestamp AT TIME ZONE 'Asia/Shanghai'
            AND v.received_at < ($2::date + 1)::timestamp AT TIME ZONE 'Asia/Shanghai'
        """,
        *days,
    )
    return [row["visit_id"] for row in rows]


async def look_again(tx: WriteTx, visit_ids: Sequence[UUID], about: str, *, deadline_on: date, now: datetime) -> int:
    """The people of these visits are visited again by another member of the village, or its leader; once a visit.

    Args:
        tx: the transaction.
        visit_ids: visits to look at again.
        about: why, one word.
        deadline_on: by when.
        now: instant.

    Returns:
        How many tasks were opened.
    """
    tag = await tx.run(
        """
        INSERT INTO tasks (task_id, subject, reason, state, deadline_on, priority, division, grid_code, worker_id,
            programs, opened_by, about, created_at, changed_at, not_by)
        SELECT uuidv7(), v.subject, 'sample', 'dispatched', $3, 100, t.division, t.grid_code, other.holder, 1,
            v.visit_id::text, ARRAY[$2], $4, $4, ARRAY[v.worker_id]
        FROM visits v JOIN tasks t USING (task_id)
        JOIN LATERAL (SELECT holder FROM grids g
            CROSS JOIN LATERAL (VALUES (g.member_id, 1), (g.leader_id, 2), (g.assistant_id, 3)) held(holder, turn)
            WHERE g.division = t.division AND holder <> v.worker_id
            ORDER BY turn, md5(g.grid_code || v.visit_id::text) LIMIT 1) other ON true
        WHERE v.visit_id = ANY($1) AND NOT EXISTS (SELECT FROM tasks s WHERE s.subject = v.subject
            AND s.reason = 'sample' AND s.opened_by = v.visit_id::text)
        ON CONFLICT (subject, reason) WHERE state <> 'closed' DO NOTHING
        """,
        list(visit_ids),
        about,
        deadline_on,
        now,
    )
    return int(tag.rsplit(" ", 1)[1])


async def knocks(tx: ReadTx, subject: UUID, since: datetime) -> list[date]:
    """Days on which somebody knocked at a person's door without reaching an end, since an instant."""
    rows = await tx.fetch(
        "SELECT DISTINCT (visited_at AT TIME ZONE 'Asia/Shanghai')::date AS day FROM visits WHERE subject = $1 "
        "AND result IN ('absent_informed_by', 'refused') AND status = 'concluded' AND visited_at >= $2 ORDER BY 1",
        subject,
        since,
    )
    return [row["day"] for row in rows]


async def knocked_alone(tx: ReadTx, subject: UUID, since: datetime, worker_id: str) -> bool:
    """Whether nobody else has knocked at a person's door since an instant."""
    rows = await tx.fetch(
        "SELECT FROM visits WHERE subject = $1 AND status = 'concluded' AND visited_at >= $2 AND worker_id <> $3 "
        "LIMIT 1",
        subject,
        since,
        worker_id,
    )
    return not rows


async def was_round(tx: ReadTx, day: date) -> bool:
    """Whether the round of a day has been gone."""
    return bool(await tx.fetch("SELECT FROM rounds WHERE day = $1", day))


async def note_round(tx: WriteTx, day: date) -> None:
    """The round of a day has been gone; older days are of no use any more."""
    await tx.run("DELETE FROM rounds WHERE day < $1", day)
    await tx.run("INSERT INTO rounds (day) VALUES ($1) ON CONFLICT DO NOTHING", day)
