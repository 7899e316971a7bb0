"""Knocks somebody or something asks for: requests, draws and benefits that seem to be owed; opened by sets."""

from collections.abc import Sequence
from datetime import date, datetime

import polars as pl

from services.grid.domain.takeup import Rule, born_by
from services.grid.domain.tasks import TaskOutcome
from services.grid.store.people import ADDRESSES
from services.grid.store.staging import stage
from services.grid.store.upkeep import bounds
from shared.contracts.vocabulary import TaskReason
from shared.kit.db import ReadTx, WriteTx

_GIVEN = "CASE WHEN g.member_id IS NULL THEN 'created' ELSE 'dispatched' END"
_MERGED = """
    ON CONFLICT (subject, reason) WHERE state <> 'closed' DO UPDATE SET priority = greatest(tasks.priority,
        excluded.priority), changed_at = excluded.changed_at,
        about = ARRAY(SELECT DISTINCT unnest(tasks.about || excluded.about) ORDER BY 1)
    WHERE tasks.priority < excluded.priority OR NOT tasks.about @> excluded.about
"""


async def open_asked(
    tx: WriteTx, rows: pl.DataFrame, *, reason: TaskReason, priority: int, deadline_on: date, now: datetime
) -> None:
    """A knock at each of these people's, by the member of their grid, merged with one already asked for.

    Args:
        tx: the transaction.
        rows: subject, opened_by, about (one word).
        reason: why.
        priority: how urgent.
        deadline_on: by when the member has to act.
        now: instant of the wish.
    """
    staged = await stage(tx, "staged_asked", rows)
    addresses = ADDRESSES.format(subjects="staged_asked")
    await staged.run(
        tx,
        f"""
        INSERT INTO tasks (task_id, subject, reason, state, deadline_on, priority, division, grid_code, worker_id,
            born_on, programs, opened_by, about, created_at, changed_at)
        SELECT uuidv7(), s.subject, $1, {_GIVEN}, $2, $3, a.division, a.grid_code, g.member_id, a.born_on, 1,
            s.opened_by, ARRAY[s.about], $4, $4
        FROM staged_asked s LEFT JOIN ({addresses}) a ON a.subject = s.subject
        LEFT JOIN grids g ON g.grid_code = a.grid_code
        {_MERGED}
        """,  # noqa: S608  (our own words)
        reason.value,
        deadline_on,
        priority,
        now,
    )


async def has_unplaced(tx: ReadTx) -> bool:
    """Whether any open task is about a person whose address nobody has said yet."""
    return bool(await tx.fetch("SELECT FROM tasks WHERE state = 'created' AND grid_code IS NULL LIMIT 1"))


async def place_unplaced(tx: WriteTx, rows: pl.DataFrame, deadline_on: date, now: datetime) -> None:
    """Tasks of people whose address has become known go to the member of their grid, or who else of it may do them."""
    staged = await stage(tx, "staged_recipients", rows)
    addresses = ADDRESSES.format(subjects="staged_recipients")
    await staged.run(
        tx,
        f"UPDATE tasks t SET grid_code = a.grid_code, division = a.division, born_on = a.born_on, changed_at = $1, "  # noqa: S608
        f"worker_id = g.member_id, state = {_GIVEN}, "
        "rung = CASE WHEN g.member_id IS NULL THEN t.rung ELSE 'member' END, "
        f"deadline_on = CASE WHEN g.member_id IS NULL THEN t.deadline_on ELSE $2 END FROM ({addresses}) a, "
        "LATERAL (SELECT n.task_id, (SELECT holder FROM grids, "
        "unnest(ARRAY[member_id, leader_id, assistant_id]) WITH ORDINALITY o(holder, turn) "
        "WHERE grid_code = a.grid_code AND holder <> ALL(n.not_by) ORDER BY turn LIMIT 1) AS member_id "
        "FROM tasks n WHERE n.subject = a.subject AND n.state = 'created' AND n.grid_code IS NULL) g "
        "WHERE t.task_id = g.task_id AND a.grid_code IS NOT NULL",
        now,
        deadline_on,
    )


async def delivered(tx: ReadTx, rules: Sequence[Rule]) -> list[Rule]:
    """The rules all of whose programs somebody draws: a roster that never came says nothing about anybody."""
    programs = sorted({program for rule in rules for program in rule.programs})
    rows = await tx.fetch(
        "SELECT p FROM unnest($1::text[]) p WHERE EXISTS (SELECT FROM recipients r WHERE r.program = p AND r.active)",
        programs,
    )
    there = {row["p"] for row in rows}
    return [rule for rule in rules if there.issuperset(rule.programs)]


async def open_take_up(  # noqa: PLR0913  (what, where, when)
    tx: WriteTx, shard: str, rules: Sequence[Rule], *, today: date, since: date, deadline_on: date, priority: int,
    now: datetime,
) -> tuple[int, int]:  # fmt: skip
    """Ask whoever a rule names, close what has been taken up, and withdraw what else is not to be asked now.

    Asked is who draws something, or nothing any more though he is certified alive: the dead leave rosters, too.
    Left alone are people with a case under way or a death confirmed, and those asked about the same since `since`.

    Returns:
        How many were opened or widened, and how many draw now what they were asked about.
    """
    low, high = bounds(shard)
    await tx.run("CREATE TEMP TABLE IF NOT EXISTS owed (subject uuid, about text[]) ON COMMIT DELETE ROWS")
    await tx.run("DELETE FROM owed")
    for rule in rules:
        await tx.run(
            """
            INSERT INTO owed SELECT p.subject, ARRAY[$1] FROM recipients p WHERE p.subject BETWEEN $2 AND $3
            GROUP BY p.subject HAVING (bool_or(active) OR EXISTS (SELECT FROM certified c WHERE c.subject = p.subject
                    AND c.valid_until >= $7 AND NOT EXISTS (SELECT FROM revoked_certificates r
                        WHERE r.certificate_id = c.certificate_id)))
                AND max(born_on) <= $4
                AND NOT coalesce(bool_or(active AND program = ANY($5)), false)
                AND $6::text[] <@ coalesce(array_agg(program) FILTER (WHERE active), '{}')
            """,
            rule.code,
            low,
            high,
            born_by(today, rule.min_age),
            list(rule.without_any),
            list(rule.with_all),
            today,
        )
    await tx.run(
        f"""
        DELETE FROM owed o WHERE EXISTS (SELECT FROM cases c WHERE c.subject = o.subject
                AND (c.state <> 'concluded' OR (c.kind IN ('suspected_death', 'conflict')
                    AND c.conclusion IN ('confirmed', 'confirmed_no_overpayment'))))
            OR EXISTS (SELECT FROM tasks t WHERE t.subject = o.subject AND t.state = 'closed' AND t.reason = 'take_up'
                AND t.outcome NOT IN ('{TaskOutcome.WITHDRAWN}', '{TaskOutcome.NOT_ENROLLED}')
                AND t.about @> o.about AND t.created_at >= $1)
        """,  # noqa: S608  (our own words)
        datetime.combine(since, datetime.min.time(), now.tzinfo),
    )
    opened = await tx.fetch(
        f"""
        INSERT INTO tasks (task_id, subject, reason, state, deadline_on, priority, division, grid_code, worker_id,
            born_on, programs, opened_by, about, created_at, changed_at)
        SELECT uuidv7(), o.subject, 'take_up', {_GIVEN}, $1, $2, a.division, a.grid_code, g.member_id, a.born_on, 1,
            'rule', o.about, $3, $3
        FROM (SELECT subject, array_agg(code ORDER BY code) AS about FROM owed, unnest(about) code GROUP BY subject) o
        JOIN ({ADDRESSES.format(subjects="owed")}) a ON a.subject = o.subject
        LEFT JOIN grids g ON g.grid_code = a.grid_code
        -- What he draws by now, he is not asked about, whatever else he is still owed.
        ON CONFLICT (subject, reason) WHERE state <> 'closed' DO UPDATE SET changed_at = excluded.changed_at,
            about = excluded.about WHERE tasks.about <> excluded.about
        RETURNING coalesce(NOT old.about @> new.about, true) AS more
        """,  # noqa: S608  (our own words)
        deadline_on,
        priority,
        now,
    )
    named = [(rule.code, program) for rule in rules for program in rule.without_any]
    closed = await tx.fetch(
        f"""
        UPDATE tasks t SET state = 'closed', closed_at = $1, changed_at = $1,
            outcome = CASE WHEN EXISTS (SELECT FROM recipients r
                JOIN unnest($4::text[], $5::text[]) AS named(code, program) ON named.program = r.program
                WHERE r.subject = t.subject AND r.active AND named.code = ANY(t.about))
                THEN '{TaskOutcome.TAKEN_UP}' ELSE '{TaskOutcome.WITHDRAWN}' END
        WHERE t.subject BETWEEN $2 AND $3 AND t.reason = 'take_up' AND t.state <> 'closed'
            AND NOT EXISTS (SELECT FROM owed o WHERE o.subject = t.subject)
        RETURNING t.outcome
        """,  # noqa: S608  (our own words)
        now,
        low,
        high,
        [code for code, _ in named],
        [program for _, program in named],
    )
    taken = sum(row["outcome"] == TaskOutcome.TAKEN_UP for row in closed)
    return sum(row["more"] for row in opened), taken


async def open_oldest(  # noqa: PLR0913  (whom, where, when)
    tx: WriteTx, shard: str, about: str, *, born_by: date, today: date, since: date, deadline_on: date, priority: int,
    now: datetime,
) -> int:  # fmt: skip
    """A knock at the doors of those born by a day whom data certify, unless somebody comes or came since `since`.

    Left alone are people with a case under way or a death confirmed. Returns how many were opened.
    """
    await tx.run("CREATE TEMP TABLE IF NOT EXISTS oldest (subject uuid) ON COMMIT DELETE ROWS")
    await tx.run("DELETE FROM oldest")
    await tx.run(
        """
        INSERT INTO oldest SELECT p.subject FROM recipients p WHERE p.subject BETWEEN $1 AND $2 AND p.born_on <= $3
        GROUP BY p.subject HAVING bool_or(p.active)
            AND EXISTS (SELECT FROM certified c WHERE c.subject = p.subject AND c.channel = 'data'
                AND c.valid_until >= $4 AND NOT EXISTS (SELECT FROM revoked_certificates r
                    WHERE r.certificate_id = c.certificate_id))
            AND NOT EXISTS (SELECT FROM visits v WHERE v.subject = p.subject AND v.visited_at >= $5)
            AND NOT EXISTS (SELECT FROM tasks t WHERE t.subject = p.subject
                AND (t.state <> 'closed' OR t.about @> ARRAY[$6] AND t.created_at >= $5))
            AND NOT EXISTS (SELECT FROM cases c WHERE c.subject = p.subject
                AND (c.state <> 'concluded' OR (c.kind IN ('suspected_death', 'conflict')
                    AND c.conclusion IN ('confirmed', 'confirmed_no_overpayment'))))
        """,
        *bounds(shard),
        born_by,
        today,
        datetime.combine(since, datetime.min.time(), now.tzinfo),
        about,
    )
    opened = await tx.run(
        f"""
        INSERT INTO tasks (task_id, subject, reason, state, deadline_on, priority, division, grid_code, worker_id,
            born_on, programs, opened_by, about, created_at, changed_at)
        SELECT uuidv7(), a.subject, 'sample', {_GIVEN}, $1, $2, a.division, a.grid_code, g.member_id, a.born_on, 1,
            'rule', ARRAY[$3], $4, $4
        FROM ({ADDRESSES.format(subjects="oldest")}) a LEFT JOIN grids g ON g.grid_code = a.grid_code
        {_MERGED}
        """,  # noqa: S608  (our own words)
        deadline_on,
        priority,
        about,
        now,
    )
    return int(opened.rsplit(" ", 1)[1])
