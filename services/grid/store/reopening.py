"""Knocks opened again: what closed them certified nobody."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import asyncpg

from services.grid.store.people import NEWEST
from shared.kit.db import WriteTx


async def reopen_answered(
    tx: WriteTx, visit_ids: Sequence[UUID], *, deadline_on: date, now: datetime
) -> list[asyncpg.Record]:
    """Tasks that these visits closed wait for their leader again, as if they had been opened now.

    One that something else has made moot meanwhile stays closed for that, and so does one beside a newer open one.
    Where who had it holds no grid in the village any more, whoever has the grid now is asked.

    Returns:
        subject, task_id, reason, deadline_on and opened_by of those that are open again.
    """
    rows = await tx.fetch(
        """
        UPDATE tasks t SET outcome = last.moot, closing_visit_id = NULL, changed_at = $2,
            state = CASE WHEN last.moot IS NOT NULL THEN 'closed' WHEN t.worker_id IS NULL THEN 'created'
                ELSE 'submitted' END,
            closed_at = CASE WHEN last.moot IS NOT NULL THEN $2::timestamptz END,
            deadline_on = CASE WHEN last.moot IS NULL THEN greatest(t.deadline_on, $3) ELSE t.deadline_on END,
            rung = CASE WHEN last.moot IS NULL THEN 'member' ELSE t.rung END,
            worker_id = CASE WHEN t.worker_id IS NULL OR EXISTS (SELECT FROM grids h WHERE h.division = t.division
                    AND t.worker_id IN (h.member_id, h.leader_id, h.assistant_id)) THEN t.worker_id
                ELSE coalesce((SELECT g.member_id FROM grids g WHERE g.grid_code = t.grid_code
                    AND g.member_id <> ALL(t.not_by)), t.worker_id) END
        FROM (SELECT DISTINCT ON (n.subject, n.reason) n.task_id, CASE
                WHEN n.reason = 'unmatched' AND EXISTS (SELECT FROM certified c WHERE c.subject = n.subject
                    AND c.valid_until > n.due_on AND c.channel NOT IN ('home', 'remote') AND NOT EXISTS (
                        SELECT FROM revoked_certificates r WHERE r.certificate_id = c.certificate_id))
                    THEN 'certified_meanwhile'
                WHEN n.reason IN ('unmatched', 'take_up') AND EXISTS (SELECT FROM recipients r
                    WHERE r.subject = n.subject HAVING NOT bool_or(r.active)) THEN 'not_enrolled'
                WHEN n.reason = 'suspicion' AND NOT EXISTS (SELECT FROM cases c WHERE c.subject = n.subject
                    AND c.state IN ('assigned', 'in_verification')) THEN 'case_concluded' END AS moot
            FROM tasks n WHERE n.closing_visit_id = ANY($1) AND n.state = 'closed' AND NOT EXISTS (SELECT FROM tasks o
                WHERE o.subject = n.subject AND o.reason = n.reason AND o.state <> 'closed')
            ORDER BY n.subject, n.reason, n.created_at DESC) last
        WHERE t.task_id = last.task_id
        RETURNING uuid_send(t.subject) AS subject, uuid_send(t.task_id) AS task_id, t.reason, t.deadline_on,
            t.opened_by, t.state
        """,
        list(visit_ids),
        now,
        deadline_on,
    )
    return [row for row in rows if row["state"] != "closed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """Which knocks are opened again.

    Attributes:
        outcomes: what may have closed them.
        unseen_since: visits before this instant do not answer them any more; None where an earlier one still may.
        seen_is_enough: they stay closed where somebody has seen the person since the task was made, else since then.
        confirmed_is_enough: they stay closed where people have confirmed that nobody is to be met there.
    """

    outcomes: tuple[str, ...]
    unseen_since: datetime | None = None
    seen_is_enough: bool = True
    confirmed_is_enough: bool = True


async def reopen_unmatched(
    tx: WriteTx, subjects: Sequence[UUID], again: Again, *, deadline_on: date, now: datetime
) -> list[asyncpg.Record]:
    """Open these people's newest `unmatched` task again, in the hands of whoever has the grid where they live now.

    It stays closed where another one is open, where a certificate in force outlasts what was due, where every roster
    has let the person go, and where people look into a suspicion.

    Returns:
        subject, task_id, deadline_on and opened_by of the tasks that are open again, with grid_code, worker_id, and the
        closing_visit_id and not_by that they had.
    """
    newest = NEWEST.replace("{whom}", "p.subject = ANY($1)")
    return await tx.fetch(
        f"""
        WITH moved AS (
            UPDATE tasks t SET grid_code = last.grid_code, division = last.division,
                state = CASE WHEN last.member_id IS NULL THEN 'created' ELSE 'dispatched' END,
                worker_id = last.member_id, rung = 'member', deadline_on = $4, outcome = NULL, closed_at = NULL,
                closing_visit_id = NULL, closed_by = NULL, not_by = '{{}}', reopened_at = greatest($3, t.reopened_at),
                changed_at = $5
            FROM (SELECT DISTINCT ON (n.subject) n.subject, n.task_id, n.state, n.outcome, n.due_on, n.created_at,
                    n.reopened_at, n.at AS grid_code, n.village AS division,
                    g.member_id
                FROM (SELECT n.*, coalesce(a.division, n.division) AS village, CASE WHEN a.grid_code IS NOT NULL
                        THEN a.grid_code WHEN coalesce(a.division = n.division, true) THEN n.grid_code END AS at
                    FROM tasks n LEFT JOIN ({newest}) a ON a.subject = n.subject) n
                LEFT JOIN grids g ON g.grid_code = n.at
                WHERE n.subject = ANY($1) AND n.reason = 'unmatched'
                ORDER BY n.subject, n.state = 'closed', n.due_on DESC, n.created_at DESC) last
            WHERE t.task_id = last.task_id AND last.state = 'closed' AND last.outcome = ANY($2)
                AND NOT EXISTS (SELECT FROM certified c WHERE c.subject = last.subject AND c.valid_until > last.due_on
                    AND NOT EXISTS (SELECT FROM revoked_certificates r WHERE r.certificate_id = c.certificate_id))
                AND NOT EXISTS (SELECT FROM cases c WHERE c.subject = last.subject AND (c.state <> 'concluded'
                    OR ($6 AND c.conclusion IN ('confirmed', 'confirmed_no_overpayment')
                        AND c.kind <> 'duplicate_receipt'
                        AND c.concluded_at >= coalesce(last.reopened_at, last.created_at))))
                AND NOT EXISTS (SELECT FROM recipients r WHERE r.subject = last.subject
                    HAVING NOT bool_or(r.active))
                AND ($3::timestamptz IS NULL OR NOT EXISTS (SELECT FROM visits v WHERE v.subject = last.subject
                    AND v.status = 'concluded' AND v.result IN ('seen_alive', 'seen_by_video')
                    AND v.visited_at >= CASE WHEN $7 THEN last.created_at ELSE $3 END))
            RETURNING t.task_id, t.subject, t.deadline_on, t.opened_by, t.changed_at, old.worker_id AS before,
                t.worker_id AS after, t.grid_code, old.closing_visit_id, old.not_by
        ), noted AS (
            INSERT INTO task_hands (task_id, worker_id, until_at)
            SELECT task_id, before, changed_at FROM moved WHERE before <> after
        )
        SELECT uuid_send(subject) AS subject, uuid_send(task_id) AS task_id, deadline_on, opened_by, grid_code,
            after AS worker_id, closing_visit_id, not_by FROM moved
        """,  # noqa: S608  (our own words)
        list(subjects),
        list(again.outcomes),
        again.unseen_since,
        deadline_on,
        now,
        again.confirmed_is_enough,
        again.seen_is_enough,
    )
