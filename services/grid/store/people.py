"""Where recipients live and how long they are certified, kept in columns as the messages bring them."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import polars as pl

from services.grid.store.staging import Staged, stage
from shared.kit.db import ReadTx, WriteTx

NEWEST = """
    SELECT DISTINCT ON (p.subject) p.subject, coalesce(moved.grid_code, p.division || lpad(p.group_no::text, 3, '0'))
        AS grid_code, coalesce(left(moved.grid_code, 12), p.division) AS division, p.born_on
    FROM recipients p LEFT JOIN relocations moved ON moved.subject = p.subject
    WHERE {whom}
    ORDER BY p.subject, p.active DESC, coalesce(p.moved_at, p.received_at) DESC, p.program
"""
ADDRESSES = NEWEST.replace("{whom}", "p.subject = ANY(ARRAY(SELECT subject FROM {subjects}))")
"""Newest address of the people in a table: an active enrolment before an ended one, a member's correction first.

An address is as old as the first roster of its program that named it: one that only repeats it tells nothing new.
"""


async def save_recipients(
    tx: WriteTx, rows: pl.DataFrame, *, program: str, received_at: datetime
) -> tuple[Staged, dict[UUID, bool]]:
    """What a roster said; an older roster changes nothing.

    Returns:
        It, and who may live elsewhere than before: true whose address it changed, false whom it lists for the first
        time or lets go at another one than another program that pays him, while something is open about him.
    """
    staged = await stage(tx, "staged_recipients", rows)
    moved = await staged.fetch(
        tx,
        "WITH saved AS ("
        "INSERT INTO recipients (subject, program, active, division, group_no, sex, born_on, received_at, moved_at, "
        "active_since) SELECT subject, $1, active, division, group_no, sex, born_on, $2, $2, $2 FROM staged_recipients "
        "ON CONFLICT (subject, program) DO UPDATE SET active = excluded.active, division = excluded.division, "
        "group_no = excluded.group_no, sex = excluded.sex, born_on = excluded.born_on, "
        "received_at = excluded.received_at, moved_at = CASE "
        "WHEN (recipients.division, recipients.group_no) IS DISTINCT FROM (excluded.division, excluded.group_no) "
        "THEN excluded.received_at ELSE coalesce(recipients.moved_at, recipients.received_at) END, "
        "active_since = CASE WHEN excluded.active AND NOT recipients.active THEN excluded.received_at "
        "ELSE coalesce(recipients.active_since, recipients.received_at) END "
        "WHERE recipients.received_at <= excluded.received_at "
        "RETURNING new.subject, new.active, new.division, new.group_no, old.subject IS NULL AS first, "
        "(old.division, old.group_no) <> (new.division, new.group_no) AS moved) "
        "SELECT subject, active AND NOT first AS changed FROM saved s WHERE CASE WHEN active AND NOT first THEN moved "
        "ELSE EXISTS (SELECT FROM recipients o WHERE o.subject = s.subject AND o.program <> $1 AND o.active "
        "AND (o.division, o.group_no) <> (s.division, s.group_no)) "
        "AND (EXISTS (SELECT FROM tasks t WHERE t.subject = s.subject AND t.state <> 'closed') "
        "OR EXISTS (SELECT FROM cases c WHERE c.subject = s.subject AND c.state <> 'concluded') "
        "OR EXISTS (SELECT FROM stop_requests r WHERE r.subject = s.subject AND r.state = 'received' "
        "AND r.withdrawn_at IS NULL)) END",
        program,
        received_at,
    )
    return staged, {row["subject"]: row["changed"] for row in moved}


async def forget_relocations(tx: WriteTx, subjects: Sequence[UUID], *, before: datetime) -> None:
    """A roster that has changed its address since knows more than the member's correction of the old one."""
    await tx.run("DELETE FROM relocations WHERE subject = ANY($1) AND set_at < $2", list(subjects), before)


async def addresses_of(tx: ReadTx, subjects: Sequence[UUID]) -> dict[UUID, str]:
    """Grids in which these people live, where they are known."""
    newest = NEWEST.replace("{whom}", "p.subject = ANY($1)")
    rows = await tx.fetch(newest, list(subjects))
    return {row["subject"]: row["grid_code"] for row in rows if row["grid_code"]}


async def set_active(tx: WriteTx, subject: UUID, program: str, *, active: bool, decided_at: datetime) -> None:
    """An officer's decision ends or renews an entry; a roster received later says how it is then."""
    await tx.run(
        "UPDATE recipients SET active = $3, received_at = $4, "
        "active_since = CASE WHEN $3 THEN $4 ELSE coalesce(active_since, received_at) END "
        "WHERE subject = $1 AND program = $2 AND received_at <= $4",
        subject,
        program,
        active,
        decided_at,
    )


async def paid_since(tx: ReadTx, subject: UUID, instant: datetime) -> bool:
    """Whether a roster or an officer has said after an instant that a person is paid who had not been, or again."""
    paid = "active AND coalesce(active_since, received_at) > $2"
    return bool(await tx.fetch(f"SELECT FROM recipients WHERE subject = $1 AND {paid}", subject, instant))


async def save_certified(tx: WriteTx, rows: pl.DataFrame, said_at: datetime) -> Staged:
    """Remember the certificate told last of each person: a later one lasts longer, unless one was revoked between."""
    staged = await stage(tx, "staged_certificates", rows)
    await staged.run(
        tx,
        "INSERT INTO certified (subject, certificate_id, valid_until, channel, said_at) "
        "SELECT subject, certificate_id, valid_until, channel, $1 FROM staged_certificates "
        "ON CONFLICT (subject) DO UPDATE SET certificate_id = excluded.certificate_id, "
        "valid_until = excluded.valid_until, channel = excluded.channel, said_at = excluded.said_at "
        "WHERE (certified.said_at, certified.valid_until) < (excluded.said_at, excluded.valid_until)",
        said_at,
    )
    return staged


async def save_revoked(tx: WriteTx, certificate_id: UUID, revoked_at: datetime) -> None:
    """Remember that a certificate does not hold, whether or not it has been heard of."""
    await tx.run(
        "INSERT INTO revoked_certificates (certificate_id, revoked_at) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        certificate_id,
        revoked_at,
    )


async def certified_through(tx: ReadTx, subject: UUID, certificate_id: UUID) -> str | None:
    """The channel of the certificate that was told last of a person; None where it is not this one."""
    rows = await tx.fetch(
        "SELECT channel FROM certified WHERE subject = $1 AND certificate_id = $2", subject, certificate_id
    )
    return rows[0]["channel"] if rows else None


async def save_relocation(tx: WriteTx, subject: UUID, grid_code: str, *, set_by: str, now: datetime) -> None:
    """A member's correction of where a person lives."""
    await tx.run(
        "INSERT INTO relocations (subject, grid_code, set_by, set_at) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (subject) DO UPDATE SET grid_code = excluded.grid_code, set_by = excluded.set_by, "
        "set_at = excluded.set_at",
        subject,
        grid_code,
        set_by,
        now,
    )


async def living_in(tx: ReadTx, codes: Sequence[str]) -> dict[str, list[UUID]]:
    """Who lives in these grids by his newest address, or of whom something is open there."""
    newest = NEWEST.replace(
        "{whom}",
        "(p.division || lpad(p.group_no::text, 3, '0') = ANY($1) AND p.active) OR moved.grid_code = ANY($1)",
    )
    rows = await tx.fetch(
        f"""
        SELECT DISTINCT grid_code, subject FROM (
            SELECT a.subject, n.grid_code FROM ({newest}) a, LATERAL (
                {NEWEST.replace("{whom}", "p.subject = a.subject")}) n
            UNION ALL SELECT subject, grid_code FROM tasks WHERE grid_code = ANY($1) AND state <> 'closed'
            UNION ALL SELECT subject, grid_code FROM cases WHERE grid_code = ANY($1) AND state <> 'concluded'
            UNION ALL SELECT subject, grid_code FROM stop_requests WHERE grid_code = ANY($1) AND state = 'received'
                AND withdrawn_at IS NULL
        ) there WHERE grid_code = ANY($1) ORDER BY grid_code, subject
        """,  # noqa: S608  (our own)
        list(codes),
    )
    found: dict[str, list[UUID]] = {}
    for row in rows:
        found.setdefault(row["grid_code"], []).append(row["subject"])
    return found


async def list_living(tx: ReadTx, division: str, shard: str) -> list[UUID] | None:
    """The people of a shard whose newest address lies in a division, ascending; None where it is not known."""
    if not await tx.fetch("SELECT 1 FROM divisions WHERE code = $1", division):
        return None
    addresses = NEWEST.replace("{whom}", "p.subject BETWEEN $1 AND $2")
    first, last = UUID(int=int(shard, 16) << 124), UUID(int=(int(shard, 16) + 1 << 124) - 1)
    rows = await tx.fetch(
        f"SELECT subject FROM ({addresses}) a WHERE starts_with(division, $3) ORDER BY subject",  # noqa: S608  (our own)
        first,
        last,
        division,
    )
    return [row["subject"] for row in rows]
