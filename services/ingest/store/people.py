"""The vault and the roster in PostgreSQL: people are sealed, enrolments are rows."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import numpy as np
import pyarrow as pa

from services.ingest.domain.people import PeopleIndex
from services.ingest.store.places import LEFT_BEHIND
from shared.kit.auth import Caller
from shared.kit.db import ReadTx, WriteTx


async def vault_version(tx: ReadTx) -> int:
    """Grows with every change of the vault."""
    rows = await tx.fetch("SELECT version FROM vault")
    return int(rows[0]["version"]) if rows else 0


async def lock_vault(tx: WriteTx) -> None:
    """Let one roster at a time change the vault."""
    await tx.wait_for_lock("vault")


async def load_people(tx: ReadTx, version: int) -> PeopleIndex:
    """Everybody in the vault as sorted columns."""
    rows = await tx.columns(
        "SELECT subject, person_no, name_hash FROM person",
        [("subject", "(16,)u1"), ("person_no", ">i8"), ("name_hash", ">i8")],
    )
    return await asyncio.to_thread(
        PeopleIndex.build,
        rows["subject"],
        rows["person_no"].astype(np.int64),
        rows["name_hash"].astype(np.int64).view(np.uint64),
        version,
    )


async def make_stage(tx: WriteTx) -> None:
    """A temporary table `staged` for the good rows of a roster, one a person."""
    await tx.run(
        "CREATE TEMP TABLE staged (subject uuid PRIMARY KEY, row_no integer NOT NULL, name_hash bigint, "
        "contact_hash bigint, amount_fen bigint, division text, group_no smallint, household uuid, sex text, "
        "born_on date, started_on date, due_on date, ends_on date) ON COMMIT DROP"
    )


async def stage(tx: WriteTx, rows: pa.Table) -> None:
    """Put rows into `staged`."""
    await tx.copy("staged", rows)


async def measure_stage(tx: WriteTx, *, by_household: bool) -> None:
    """Tell the planner how much is staged; `by_household` where it is looked for by that, too.

    What is asked about every enrolment needs an index on each table beside it: within a count nothing is hashed.
    """
    if by_household:
        await tx.run("CREATE INDEX ON staged (household)")
    await tx.run("ANALYZE staged")


async def stage_named(tx: WriteTx, subjects: pa.Array) -> None:
    """A temporary table `named` of people whose row of the roster is faulty: they are in it all the same."""
    await tx.run("CREATE TEMP TABLE named (subject uuid NOT NULL) ON COMMIT DROP")
    await tx.copy("named", pa.table({"subject": subjects}))
    await tx.run("CREATE INDEX ON named (subject)")
    await tx.run("ANALYZE named")


async def stage_rivals(tx: WriteTx, subjects: pa.Array, households: pa.Array) -> None:
    """A temporary table `rival` of people who are listed beside the payee of a household."""
    await tx.run("CREATE TEMP TABLE rival (subject uuid NOT NULL, household uuid NOT NULL) ON COMMIT DROP")
    await tx.copy("rival", pa.table({"subject": subjects, "household": households}))
    await tx.run("ANALYZE rival")


async def set_payees_apart(tx: WriteTx, program: str) -> np.ndarray:
    """Move staged payees to `named` beside whom he is listed who draws the money now; their row numbers, ascending.

    The order of rows moves no money: of two payees the enrolled one stays until the roster names another one alone.
    """
    await tx.run(
        "INSERT INTO named SELECT r.subject FROM rival r JOIN enrolment e USING (subject, household) "
        "WHERE e.program = $1 AND e.ended_on IS NULL",
        program,
    )
    return await _set_apart(
        tx,
        "DELETE FROM staged s USING rival r, enrolment e WHERE r.household = s.household AND e.subject = r.subject "
        "AND e.household = r.household AND e.program = $1 AND e.ended_on IS NULL",
        program,
    )


async def set_misnamed_apart(tx: WriteTx, program: str) -> np.ndarray:
    """Move staged people whom another program enrols under another name to `named`; their row numbers, ascending.

    Of people whom it alone enrols a program may say that their name has changed.
    """
    return await _set_apart(
        tx,
        "DELETE FROM staged s USING person p WHERE p.subject = s.subject AND p.name_hash <> s.name_hash "
        "AND EXISTS (SELECT FROM enrolment e WHERE e.subject = s.subject AND e.program <> $1 AND e.ended_on IS NULL)",
        program,
    )


async def _set_apart(tx: WriteTx, deletion: str, program: str) -> np.ndarray:
    rows = await tx.fetch(
        f"WITH apart AS ({deletion} RETURNING s.subject, s.row_no), "  # noqa: S608  (our own text)
        "noted AS (INSERT INTO named SELECT subject FROM apart) SELECT row_no FROM apart ORDER BY row_no",
        program,
    )
    return np.array([row["row_no"] for row in rows], dtype=np.uint32)


async def changed_rows(tx: WriteTx, program: str) -> np.ndarray:
    """Row numbers of staged people who are new or of whom their program says something new, int32.

    Programs may know different phones of a person: one that says again what it said before changes nothing.
    """
    rows = await tx.columns(
        "SELECT s.row_no FROM staged s LEFT JOIN person p USING (subject) "
        "LEFT JOIN enrolment e ON e.subject = s.subject AND e.program = $1 "
        "WHERE p.subject IS NULL OR p.name_hash <> s.name_hash "
        "OR (p.contact_hash <> s.contact_hash AND e.contact_hash IS DISTINCT FROM s.contact_hash)",
        [("row_no", ">i4")],
        program,
    )
    return rows["row_no"].astype(np.int32)


INCOMING = ["subject", "name_hash", "contact_hash", "sealed", "key_id", "division", "group_no"]
"""Columns of people to be kept."""


async def make_incoming(tx: WriteTx) -> None:
    """A temporary table `incoming` for people to be kept."""
    await tx.run(
        "CREATE TEMP TABLE incoming (subject uuid, name_hash bigint, contact_hash bigint, sealed bytea, key_id text, "
        "division text, group_no smallint) ON COMMIT DROP"
    )


async def save_people(tx: WriteTx, rows: pa.Table) -> None:
    """Insert or update people, columns INCOMING."""
    await tx.copy("incoming", rows)
    await tx.run(
        "INSERT INTO person (subject, name_hash, contact_hash, sealed, key_id, division, group_no) "
        "SELECT subject, name_hash, contact_hash, sealed, key_id, division, group_no FROM incoming ORDER BY subject "
        "ON CONFLICT (subject) DO UPDATE SET name_hash = excluded.name_hash, contact_hash = excluded.contact_hash, "
        "sealed = excluded.sealed, "
        "key_id = excluded.key_id, division = excluded.division, group_no = CASE WHEN excluded.group_no IS NULL "
        "AND person.division = excluded.division THEN person.group_no ELSE excluded.group_no END"
    )
    await tx.run("TRUNCATE incoming")


async def grow_version(tx: WriteTx) -> None:
    """Note that the vault has changed."""
    await tx.run("INSERT INTO vault (version) VALUES (1) ON CONFLICT (one) DO UPDATE SET version = vault.version + 1")


_DIFFERS = (
    "(e.amount_fen, e.division, e.group_no, e.household, e.started_on, e.due_on) IS DISTINCT FROM "
    "(s.amount_fen, s.division, s.group_no, s.household, s.started_on, s.due_on)"
)
_SAID = "amount_fen, division, group_no, household, sex, born_on, started_on, ended_on, due_on"
_MERGE = f"""
WITH merged AS (
    INSERT INTO enrolment AS e (subject, program, amount_fen, division, group_no, household, sex, born_on, started_on,
        due_on, ends_on, contact_hash, batch_no)
    SELECT s.subject, $1, s.amount_fen, s.division, s.group_no, s.household, s.sex, s.born_on, s.started_on,
        s.due_on, s.ends_on, s.contact_hash, $2
    FROM staged s LEFT JOIN enrolment e ON e.subject = s.subject AND e.program = $1
    WHERE e.subject IS NULL OR e.ended_on IS NOT NULL OR {_DIFFERS}
    ORDER BY s.subject
    ON CONFLICT (subject, program) DO UPDATE SET amount_fen = excluded.amount_fen, division = excluded.division,
        group_no = excluded.group_no, household = excluded.household, started_on = excluded.started_on,
        due_on = excluded.due_on, ends_on = excluded.ends_on, ended_on = NULL, contact_hash = excluded.contact_hash,
        batch_no = excluded.batch_no,
        left_division = {LEFT_BEHIND.format("excluded")}
    RETURNING e.subject, (xmax = 0) AS fresh
) INSERT INTO differs (row_no, fresh) SELECT s.row_no, m.fresh FROM merged m JOIN staged s USING (subject)"""  # noqa: S608  (our columns)
_ENDS = """
program = $1 AND ended_on IS NULL AND NOT EXISTS (SELECT FROM staged s WHERE s.subject = e.subject)
AND NOT EXISTS (SELECT FROM named n WHERE n.subject = e.subject)
AND ($2 AND NOT EXISTS (SELECT FROM left_in i WHERE i.subject = e.subject AND i.ahead)
OR EXISTS (SELECT FROM leaving l WHERE l.subject = e.subject)
OR ($3 AND EXISTS (SELECT FROM staged s WHERE s.household = e.household)))"""
"""Which enrolments the staged roster ends. Whoever a faulty row names stays, whatever another row of his says."""
_END = f"""
WITH over AS (
    UPDATE enrolment e SET ended_on = coalesce((SELECT l.ended_on FROM leaving l WHERE l.subject = e.subject), $4),
        ends_on = NULL, batch_no = $5
    WHERE {_ENDS} RETURNING e.*
) INSERT INTO gone (subject, change, {_SAID}) SELECT subject, 'ended', {_SAID} FROM over"""  # noqa: S608  (our columns)
_SHAPE = [
    ("subject", pa.binary(16)), ("change", pa.string()), ("amount_fen", pa.int64()), ("division", pa.string()),
    ("group_no", pa.int16()), ("household", pa.binary(16)), ("sex", pa.string()), ("born_on", pa.date32()),
    ("started_on", pa.date32()), ("ended_on", pa.date32()), ("due_on", pa.date32()),
]  # fmt: skip
_AT_ONCE = 25_000


_KEEP = {
    "group_no": "CASE WHEN s.division = e.division THEN e.group_no END",
    "started_on": "e.started_on", "due_on": "e.due_on", "household": "e.household",
    "ends_on": "CASE WHEN s.division = e.division THEN e.ends_on END",
}  # fmt: skip


async def keep_unsaid(tx: WriteTx, program: str, unsaid: Sequence[str]) -> None:
    """Give the staged rows what enrolments that are open hold in columns of which the roster says nothing.

    Args:
        tx: the transaction.
        program: whose enrolments.
        unsaid: of group_no, started_on, due_on, household, ends_on; a group and an end are kept within their village.
    """
    given = ", ".join(f"{name} = {_KEEP[name]}" for name in unsaid)
    held = " OR ".join(f"e.{name} IS NOT NULL" for name in unsaid)
    await tx.run(
        f"UPDATE staged s SET {given} FROM enrolment e "  # noqa: S608  (our columns)
        f"WHERE e.subject = s.subject AND e.program = $1 AND e.ended_on IS NULL AND ({held})",
        program,
    )


async def differing_between(tx: WriteTx, first: int, last: int) -> pa.Table:
    """Of staged rows that differ, by number and in its order, what they may have been given."""
    rows = await tx.fetch(
        "SELECT s.row_no, s.group_no, s.household, s.started_on, s.due_on FROM differs d JOIN staged s USING (row_no) "
        "WHERE d.row_no BETWEEN $1 AND $2 ORDER BY d.row_no",
        first,
        last,
    )
    shape = [(name, kind) for name, kind in _SHAPE if name in _KEEP]
    return pa.table({name: pa.array([_plain(row[name]) for row in rows], kind) for name, kind in shape})


async def merge_enrolments(tx: WriteTx, program: str, batch_no: int) -> tuple[np.ndarray, np.ndarray]:
    """Bring the enrolments of a program to the staged rows.

    Returns:
        Row numbers of the roster that are new or changed, int32 and ascending; and which of them are new.
    """
    await tx.run("CREATE TEMP TABLE differs (row_no integer NOT NULL, fresh boolean NOT NULL) ON COMMIT DROP")
    await tx.run(_MERGE, program, batch_no)
    await tx.run(
        "UPDATE enrolment e SET contact_hash = s.contact_hash, ends_on = s.ends_on FROM staged s "
        "WHERE e.subject = s.subject AND e.program = $1 "
        "AND (e.contact_hash, e.ends_on) IS DISTINCT FROM (s.contact_hash, s.ends_on)",
        program,
    )
    rows = await tx.columns("SELECT row_no, fresh FROM differs", [("row_no", ">i4"), ("fresh", "u1")])
    row_no = rows["row_no"].astype(np.int32)
    order = np.argsort(row_no)
    return row_no[order], rows["fresh"][order].astype(bool)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """Which enrolments a roster ends.

    Attributes:
        today: the day on which they end, where their row does not say another.
        full: all of them but the named; else only those whose row says so.
        by_household: those, too, whose household has another payee now.
    """

    today: date
    full: bool = False
    by_household: bool = False


async def end_enrolments(tx: WriteTx, program: str, batch_no: int, how: Ends) -> AsyncIterator[pa.Table]:
    """End the enrolments of a program that are not staged; they come some at a time, shaped as the event says them.

    Args:
        tx: the transaction.
        program: whose enrolments.
        batch_no: the roster.
        how: which of them.
    """
    await tx.run(
        "CREATE TEMP TABLE gone (place bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, subject uuid, change text, "
        "amount_fen bigint, division text, group_no smallint, household uuid, sex text, born_on date, started_on date, "
        "ended_on date, due_on date) ON COMMIT DROP"
    )
    await tx.run(_END, program, how.full, how.by_household, how.today, batch_no)
    place = 0
    while rows := await tx.fetch("SELECT * FROM gone WHERE place > $1 ORDER BY place LIMIT $2", place, _AT_ONCE):
        place = rows[-1]["place"]
        yield pa.table({name: pa.array([_plain(row[name]) for row in rows], kind) for name, kind in _SHAPE})


def _plain(value: object) -> object:
    return value.bytes if isinstance(value, UUID) else value


async def share_ending(tx: WriteTx, program: str, *, full: bool, by_household: bool) -> tuple[int, int]:
    """How many open enrolments of a program the staged roster would end, and how many there are."""
    rows = await tx.fetch(
        f"SELECT count(*) AS open, count(*) FILTER (WHERE {_ENDS}) AS ending "  # noqa: S608  (our columns)
        "FROM enrolment e WHERE program = $1 AND ended_on IS NULL",
        program,
        full,
        by_household,
    )
    return rows[0]["ending"], rows[0]["open"]


async def sealed_of(tx: ReadTx, subjects: Sequence[UUID]) -> list[tuple[UUID, bytes, str]]:
    """Sealed data and division of people."""
    rows = await tx.fetch(
        "SELECT subject, sealed, division FROM person WHERE subject = ANY($1::uuid[])", list(subjects)
    )
    return [(row["subject"], row["sealed"], row["division"]) for row in rows]


async def number_of(tx: ReadTx, subject: UUID) -> int:
    """Number of a person; 0, which nobody has, where the vault does not know him."""
    rows = await tx.fetch("SELECT person_no FROM person WHERE subject = $1", subject)
    return int(rows[0]["person_no"]) if rows else 0


async def subject_of(tx: ReadTx, person_no: int) -> UUID:
    """The person of a number."""
    rows = await tx.fetch("SELECT subject FROM person WHERE person_no = $1", person_no)
    return UUID(bytes=rows[0]["subject"].bytes)


async def log_looks(tx: WriteTx, caller: Caller, purpose: str, subjects: Sequence[UUID], at: datetime) -> None:
    """Note who looked at whom and what for, before anything is shown."""
    count = len(subjects)
    await tx.copy(
        "look",
        pa.table(
            {
                "at": pa.array([at] * count, pa.timestamp("us", "UTC")),
                "client_id": [caller.client_id] * count,
                "user": [caller.user] * count,
                "purpose": [purpose] * count,
                "subject": pa.array([subject.bytes for subject in subjects], pa.binary(16)),
            }
        ),
    )


async def count_people(tx: ReadTx) -> Mapping[str, int]:
    """People in the vault and open enrolments."""
    rows = await tx.fetch(
        "SELECT (SELECT count(*) FROM person) AS people, "
        "(SELECT count(*) FROM enrolment WHERE ended_on IS NULL) AS enrolments"
    )
    return dict(rows[0])
