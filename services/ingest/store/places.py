"""Second listings in PostgreSQL: a person whom a program lists at two places is enrolled at one of them."""

from datetime import date

import asyncpg
import numpy as np
import pyarrow as pa

from shared.kit.db import ReadTx, WriteTx

# Two listings are two where counties differ, or both say when they began and say it differently.
_APART = "(left({0}.division, 6) <> left({1}.division, 6) OR {0}.started_on <> {1}.started_on)"
# A row that says the very first day of a listing is about that one, even where it takes it back altogether.
_ABOUT_IT = (
    "({0}.started_on IS NULL OR i.started_on = {0}.started_on OR i.ended_on >= date_trunc('month', {0}.started_on))"
)
# No row says that an end has come which one said ahead: it is that of one listing, not of all in its county.
_LEFT = (
    "EXISTS (SELECT FROM left_in i WHERE i.subject = {0}.subject AND i.county = left({0}.division, 6) "
    f"AND {_ABOUT_IT} AND NOT i.ahead AND (i.row_no IS NOT NULL OR i.division = {{0}}.division))"
)

# Not his any more: another county, or a village of this one that he moved from.
_NOT_HIS = "(i.county <> left(e.division, 6) OR i.division = ANY(string_to_array(e.left_division, ',')))"
LEFT_BEHIND = (
    "nullif(array_to_string(array_remove(string_to_array(concat_ws(',', e.left_division, e.division), ','), "
    "{0}.division), ','), '')"
)
"""The villages that an enrolment `e` has left when it is where another row is, to which somebody may come back."""

_LEAVING = f"""
INSERT INTO leaving SELECT i.subject, max(i.ended_on)
FROM left_in i JOIN enrolment e ON e.subject = i.subject AND e.program = $1 AND e.ended_on IS NULL
WHERE ($2 OR {_NOT_HIS} IS NOT TRUE) AND {_ABOUT_IT.format("e")} AND NOT i.ahead
GROUP BY i.subject
"""  # noqa: S608  (our own text)
"""Whose enrolment has ended: his, so neither one of before it began nor, in a delta, that of where he is not."""

_ELSEWHERE = f"""
SELECT i.row_no FROM left_in i
WHERE (EXISTS (SELECT FROM enrolment e WHERE e.subject = i.subject AND e.program = $1 AND e.ended_on IS NULL
        AND {_NOT_HIS} AND {_ABOUT_IT.format("e")})
        OR NOT EXISTS (SELECT FROM enrolment e WHERE e.subject = i.subject AND e.program = $1))
    AND NOT EXISTS (SELECT FROM second_place p WHERE p.subject = i.subject AND p.program = $1
        AND i.county = left(p.division, 6))
    AND NOT EXISTS (SELECT FROM staged s WHERE s.subject = i.subject)
ORDER BY i.row_no
"""  # noqa: S608  (our own text)
"""Ends of what nobody is listed for: of people who go on elsewhere, unless it ended before that began, which is but
history, and of people who were never enrolled."""

_TAKES_OVER = f"""
WITH next AS (
    INSERT INTO takes_over SELECT DISTINCT ON (p.subject) p.subject, p.division, p.amount_fen, p.started_on, p.ends_on
    FROM leaving l JOIN second_place p ON p.subject = l.subject AND p.program = $1
    WHERE NOT {_LEFT.format("p")} AND NOT EXISTS (SELECT FROM staged s WHERE s.subject = p.subject)
        AND NOT EXISTS (SELECT FROM named n WHERE n.subject = p.subject)
        AND NOT EXISTS (SELECT FROM left_in i WHERE i.subject = p.subject AND i.county IS NULL AND NOT i.ahead)
    ORDER BY p.subject, p.started_on NULLS LAST, p.division
    RETURNING subject
) DELETE FROM leaving l USING next n WHERE n.subject = l.subject
"""  # noqa: S608  (our own text)
"""Where the first listing has ended the second one is the enrolment; a row that says no place ends both."""

_TWICE = """
e.subject = s.subject AND e.program = $1 AND e.ended_on IS NULL AND left(e.division, 6) <> left(s.division, 6)
AND NOT EXISTS (SELECT FROM leaving l WHERE l.subject = s.subject)
"""
"""A staged row of another county than that of the enrolment, of which nothing says that it has ended."""

_LATER = f"""
WITH apart AS (
    DELETE FROM staged s USING enrolment e WHERE {_TWICE} AND NOT COALESCE(s.started_on < e.started_on, false)
    RETURNING s.subject, s.division, s.amount_fen, s.started_on, s.ends_on
) INSERT INTO elsewhere SELECT subject, division, amount_fen, started_on, ends_on FROM apart
"""  # noqa: S608  (our own text)

_EARLIER = f"""
INSERT INTO elsewhere SELECT e.subject, e.division, e.amount_fen, e.started_on, e.ends_on
FROM enrolment e, staged s WHERE {_TWICE}
"""  # noqa: S608  (our own text)

_MOVE = f"""
UPDATE enrolment e SET division = t.division, amount_fen = t.amount_fen, started_on = t.started_on, group_no = NULL,
    ends_on = t.ends_on, left_division = {LEFT_BEHIND.format("t")}, batch_no = $2
FROM takes_over t WHERE e.subject = t.subject AND e.program = $1 AND e.ended_on IS NULL
RETURNING e.subject, e.amount_fen, e.division, e.group_no, e.household, e.sex, e.born_on, e.started_on, e.ended_on,
    e.due_on
"""  # noqa: S608  (our own text)

_OVER = f"""
DELETE FROM second_place p WHERE p.program = $1 AND (
    NOT EXISTS (SELECT FROM elsewhere x WHERE x.subject = p.subject AND x.division = p.division)
        AND ($2 AND NOT EXISTS (SELECT FROM named n WHERE n.subject = p.subject)
            AND NOT EXISTS (SELECT FROM left_in i WHERE i.subject = p.subject AND i.ahead) OR {_LEFT.format("p")})
    OR NOT EXISTS (SELECT FROM enrolment e WHERE e.subject = p.subject AND e.program = $1 AND e.ended_on IS NULL
        AND {_APART.format("p", "e")}))
RETURNING p.subject, 'ended' AS change, p.division, p.amount_fen, p.started_on
"""  # noqa: S608  (our own text)

_LISTED = f"""
INSERT INTO second_place AS p (subject, program, division, amount_fen, started_on, ends_on, batch_no)
SELECT DISTINCT ON (x.subject, x.division) x.subject, $1, x.division, x.amount_fen, x.started_on, x.ends_on, $2
FROM elsewhere x JOIN enrolment e ON e.subject = x.subject AND e.program = $1 AND e.ended_on IS NULL
WHERE {_APART.format("x", "e")} AND NOT EXISTS (SELECT FROM named n WHERE n.subject = x.subject)
ORDER BY x.subject, x.division, x.started_on
ON CONFLICT (subject, program, division) DO UPDATE SET amount_fen = excluded.amount_fen,
    started_on = excluded.started_on, batch_no = excluded.batch_no
WHERE (p.amount_fen, p.started_on) IS DISTINCT FROM (excluded.amount_fen, excluded.started_on)
RETURNING p.subject, CASE WHEN xmax = 0 THEN 'new' ELSE 'changed' END AS change, p.division, p.amount_fen, p.started_on
"""  # noqa: S608  (our own text)

_ENDS_AHEAD = """
UPDATE second_place p SET ends_on = x.ends_on FROM elsewhere x
WHERE p.subject = x.subject AND p.program = $1 AND p.division = x.division AND p.ends_on IS DISTINCT FROM x.ends_on
"""
"""An end to come changes nothing yet: there is nothing to say of it."""

_WILL_END = f"""
WITH own AS (
    SELECT DISTINCT ON (e.subject) e.subject, i.ended_on
    FROM left_in i JOIN enrolment e ON e.subject = i.subject AND e.program = $1 AND e.ended_on IS NULL
    LEFT JOIN staged s ON s.subject = e.subject
    WHERE i.ahead AND CASE WHEN s.subject IS NULL THEN $2 OR {_NOT_HIS} IS NOT TRUE
        ELSE {_NOT_HIS} IS NOT TRUE AND (i.division <> s.division AND i.division ~ '^[0-9]{{12}}$') IS NOT TRUE END
    ORDER BY e.subject, {_NOT_HIS} IS TRUE, i.ended_on DESC
) UPDATE enrolment e SET ends_on = o.ended_on FROM own o WHERE e.subject = o.subject AND e.program = $1
"""  # noqa: S608  (our own text)
"""His own one comes first. It is not that of the village where another row of the roster lists him."""
_SECOND_WILL_END = """
UPDATE second_place p SET ends_on = i.on_day FROM (
    SELECT p.subject, p.division, max(i.ended_on) AS on_day
    FROM left_in i JOIN second_place p ON p.subject = i.subject AND p.program = $1
    WHERE i.ahead AND (i.county IS NULL OR i.county = left(p.division, 6)) GROUP BY 1, 2) i
WHERE p.subject = i.subject AND p.program = $1 AND p.division = i.division
"""

_DUE_PROGRAMS = """
SELECT program FROM enrolment WHERE ended_on IS NULL AND ends_on <= $1
UNION SELECT program FROM second_place WHERE ends_on <= $1 ORDER BY program
"""
_DUE = """
INSERT INTO leaving SELECT subject, ends_on FROM enrolment WHERE program = $1 AND ended_on IS NULL AND ends_on <= $2
"""
_SECOND_DUE = """
INSERT INTO left_in SELECT NULL, subject, left(division, 6), division, started_on, ends_on, false
FROM second_place WHERE program = $1 AND ends_on <= $2
"""


async def stage_leaving(tx: WriteTx, program: str, left: pa.Table, *, full: bool) -> None:
    """Temporary tables of what rows say has ended, whose, where and when, and of people whose enrolment has.

    Args:
        tx: the transaction.
        program: whose enrolments.
        left: `row_no`, `subject`, `county`, `division` and `started_on`, null where none is said, `ended_on`, and
            whether that lies `ahead`.
        full: the roster names everybody, so that whoever it says has left nowhere goes on.
    """
    await _make_leaving(tx)
    await tx.copy("left_in", left)
    await tx.run("CREATE INDEX ON left_in (subject)")
    await tx.run("ANALYZE left_in")
    await tx.run(_LEAVING, program, full)
    await tx.run("ANALYZE leaving")


async def _make_leaving(tx: WriteTx) -> None:
    await tx.run(
        "CREATE TEMP TABLE left_in (row_no integer, subject uuid NOT NULL, county text, division text, "
        "started_on date, ended_on date, ahead boolean) ON COMMIT DROP"
    )
    await tx.run("CREATE TEMP TABLE leaving (subject uuid PRIMARY KEY, ended_on date NOT NULL) ON COMMIT DROP")


async def keep_ends(tx: WriteTx, program: str, *, full: bool) -> None:
    """Keep the days to come on which rows that say nothing else end a listing."""
    await tx.run(_WILL_END, program, full)
    await tx.run(_SECOND_WILL_END, program)


async def programs_due(tx: ReadTx, today: date) -> list[str]:
    """Programs with a listing whose end was to come and has."""
    return [row["program"] for row in await tx.fetch(_DUE_PROGRAMS, today)]


async def stage_due(tx: WriteTx, program: str, today: date) -> None:
    """Stage listings of a program whose end has come as if an empty delta ended them."""
    await _make_leaving(tx)
    await tx.run(_DUE, program, today)
    await tx.run(_SECOND_DUE, program, today)
    await _make_elsewhere(tx)
    await tx.run(_TAKES_OVER, program)


async def left_elsewhere(tx: WriteTx, program: str) -> np.ndarray:
    """Numbers of the staged rows of a delta that end nothing: their people are enrolled elsewhere, or never were."""
    rows = await tx.fetch(_ELSEWHERE, program)
    return np.array([row["row_no"] for row in rows], dtype=np.uint32)


async def stage_elsewhere(tx: WriteTx, elsewhere: pa.Table) -> None:
    """A temporary table of second listings within the roster, and one of those that become the enrolment."""
    await _make_elsewhere(tx)
    await tx.copy("elsewhere", elsewhere)


async def _make_elsewhere(tx: WriteTx) -> None:
    shape = "subject uuid NOT NULL, division text, amount_fen bigint, started_on date, ends_on date"
    await tx.run(f"CREATE TEMP TABLE elsewhere ({shape}) ON COMMIT DROP")
    await tx.run(f"CREATE TEMP TABLE takes_over ({shape}) ON COMMIT DROP")


async def set_apart(tx: WriteTx, program: str) -> None:
    """Take out of a staged delta what speaks of a second listing: it neither moves nor ends the first one."""
    for statement in (_TAKES_OVER, _LATER, _EARLIER):
        await tx.run(statement, program)


async def move_to_second(tx: WriteTx, program: str, batch_no: int) -> list[asyncpg.Record]:
    """Enrol people at their second place whose first listing has ended; their enrolments."""
    return await tx.fetch(_MOVE, program, batch_no)


async def save_second(tx: WriteTx, program: str, batch_no: int, *, full: bool, says_ends: bool) -> list[asyncpg.Record]:
    """Keep the second listings; what of them is new, changed or ended."""
    over = await tx.fetch(_OVER, program, full)
    listed = await tx.fetch(_LISTED, program, batch_no)
    if says_ends:
        await tx.run(_ENDS_AHEAD, program)
    return [*over, *listed]
