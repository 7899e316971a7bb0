"""Tips, the sums that came back because of them, and who did what."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from services.grid.domain.claims import Loss, TipState
from shared.contracts.vocabulary import SuspicionKind
from shared.kit.db import ReadTx, WriteTx


@dataclass(frozen=True, slots=True, kw_only=True)
class Tip:
    """One tip; who reported is in `sealed` only."""

    tip_id: UUID
    claim_key: bytes
    subject: UUID
    kind: SuspicionKind
    state: TipState
    named: bool
    sealed: bytes
    received_at: datetime
    screen_by: date
    tell_by: date
    screened_by: str | None = None
    told_at: datetime | None = None
    case_id: UUID | None = None
    recovered_fen: int = 0
    reward_fen: int | None = None
    approved_by: str | None = None
    claim_until: date | None = None
    paid_by: str | None = None


_COLUMNS = (
    "tip_id, claim_key, subject, kind, state, named, sealed, received_at, screen_by, tell_by, screened_by, told_at, "
    "case_id, recovered_fen, reward_fen, approved_by, claim_until, paid_by"
)


def _tip(row: Mapping[str, Any]) -> Tip:
    return Tip(**{**row, "kind": SuspicionKind(row["kind"]), "state": TipState(row["state"])})


async def save(tx: WriteTx, tip: Tip, *, now: datetime) -> None:
    """Write a tip, new or changed."""
    await tx.run(
        f"INSERT INTO tips ({_COLUMNS}, changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, "  # noqa: S608
        "$14, $15, $16, $17, $18, $19) ON CONFLICT (tip_id) DO UPDATE SET state = excluded.state, "
        "sealed = excluded.sealed, screened_by = excluded.screened_by, told_at = excluded.told_at, "
        "case_id = excluded.case_id, recovered_fen = excluded.recovered_fen, reward_fen = excluded.reward_fen, "
        "approved_by = excluded.approved_by, claim_until = excluded.claim_until, paid_by = excluded.paid_by, "
        "changed_at = excluded.changed_at",
        tip.tip_id,
        tip.claim_key,
        tip.subject,
        tip.kind.value,
        tip.state.value,
        tip.named,
        tip.sealed,
        tip.received_at,
        tip.screen_by,
        tip.tell_by,
        tip.screened_by,
        tip.told_at,
        tip.case_id,
        tip.recovered_fen,
        tip.reward_fen,
        tip.approved_by,
        tip.claim_until,
        tip.paid_by,
        now,
    )


async def add_step(tx: WriteTx, tip_id: UUID, action: str, actor: str, now: datetime) -> None:
    """Add to the history of a tip."""
    await tx.run(
        "INSERT INTO tip_steps (tip_id, action, actor, happened_at) VALUES ($1, $2, $3, $4)",
        tip_id,
        action,
        actor,
        now,
    )


async def find(tx: ReadTx, tip_id: UUID, *, lock: bool = False) -> Tip | None:
    """A tip by its id."""
    suffix = " FOR UPDATE" if lock else ""
    rows = await tx.fetch(f"SELECT {_COLUMNS} FROM tips WHERE tip_id = $1{suffix}", tip_id)  # noqa: S608
    return _tip(rows[0]) if rows else None


async def lock_code(tx: WriteTx, claim_key: bytes) -> None:
    """A report that is sent twice at once is taken once."""
    await tx.run("SELECT pg_advisory_xact_lock(hashtext('grid:tip:' || encode($1, 'hex')))", claim_key)


async def waits_before(tx: ReadTx, tip: Tip) -> bool:
    """Whether an earlier tip about the same has not been examined."""
    rows = await tx.fetch(
        "SELECT FROM tips WHERE subject = $1 AND kind = $2 AND state = 'received' AND (received_at, tip_id) < ($3, $4) "
        "LIMIT 1",
        tip.subject,
        tip.kind.value,
        tip.received_at,
        tip.tip_id,
    )
    return bool(rows)


async def find_claimed(tx: ReadTx, claim_key: bytes) -> Tip | None:
    """A tip by the code its reporter keeps; nobody else takes a step until the end of the transaction."""
    rows = await tx.fetch(f"SELECT {_COLUMNS} FROM tips WHERE claim_key = $1 FOR UPDATE", claim_key)  # noqa: S608
    return _tip(rows[0]) if rows else None


async def of_case(tx: WriteTx, case_id: UUID) -> Tip | None:
    """The tip that opened a case."""
    rows = await tx.fetch(f"SELECT {_COLUMNS} FROM tips WHERE case_id = $1 FOR UPDATE", case_id)  # noqa: S608
    return _tip(rows[0]) if rows else None


async def page(tx: ReadTx, *, state: TipState | None, after: UUID | None, limit: int) -> list[Tip]:
    """One page of tips, oldest first."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM tips WHERE ($1::text IS NULL OR state = $1) "  # noqa: S608
        "AND ($2::uuid IS NULL OR tip_id > $2) ORDER BY tip_id LIMIT $3",
        state.value if state else None,
        after,
        limit,
    )
    return [_tip(row) for row in rows]


async def expired(tx: WriteTx, today: date) -> list[Tip]:
    """Approved rewards whose time to be claimed is over."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM tips WHERE state = 'reward_approved' AND claim_until < $1 FOR UPDATE",  # noqa: S608
        today,
    )
    return [_tip(row) for row in rows]


async def take_overdue(tx: WriteTx, today: date) -> list[tuple[Tip, date]]:
    """Tips nobody has examined in time, and reporters nobody has told of it, with the deadline that passed last.

    Each is told once; marked as told.
    """
    passed = "CASE WHEN tell_by < $1 THEN tell_by ELSE screen_by END"
    rows = await tx.fetch(
        f"UPDATE tips SET told_deadline_on = {passed} WHERE (state = 'received' AND screen_by < $1 "  # noqa: S608  (our own words)
        "OR state <> 'received' AND named AND told_at IS NULL AND tell_by < $1) "
        f"AND told_deadline_on IS DISTINCT FROM {passed} RETURNING told_deadline_on, {_COLUMNS}",
        today,
    )
    return [(_tip({name: each for name, each in row.items() if name != "told_deadline_on"}), row[0]) for row in rows]


async def note_recovered(
    tx: WriteTx, overpayment_id: UUID, case_id: UUID, recovered_fen: int, *, closed: bool, changed_at: datetime
) -> None:
    """What came back of an overpayment; an older word changes nothing."""
    await tx.run(
        "INSERT INTO recovered AS r (overpayment_id, case_id, recovered_fen, closed, changed_at) "
        "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (overpayment_id) DO UPDATE SET "
        "recovered_fen = excluded.recovered_fen, closed = excluded.closed, changed_at = excluded.changed_at "
        "WHERE r.changed_at < excluded.changed_at",
        overpayment_id,
        case_id,
        recovered_fen,
        closed,
        changed_at,
    )


async def loss_of(tx: ReadTx, case_id: UUID, decided_since: datetime) -> Loss:
    """What was overpaid in a case, as far as recognition has said.

    Decisions on each benefit are awaited in a case that was concluded after `decided_since`: some never end by it.
    """
    rows = await tx.fetch(
        """
        SELECT count(*) AS found, count(*) FILTER (WHERE NOT closed) AS unsettled,
            coalesce(sum(recovered_fen), 0)::bigint AS recovered_fen,
            EXISTS (SELECT FROM cases c WHERE c.case_id = $1 AND c.conclusion = 'confirmed_no_overpayment')
                OR EXISTS (SELECT FROM case_steps s WHERE s.case_id = $1 AND s.action = 'decided'
                    AND s.outcome ~ '^(terminated|suspended):') AS none_expected,
            EXISTS (SELECT FROM cases c JOIN recipients r ON r.subject = c.subject AND r.active
                WHERE c.case_id = $1 AND c.conclusion = 'confirmed' AND c.concluded_at > $2
                    AND NOT EXISTS (SELECT FROM case_steps s WHERE s.case_id = $1 AND s.action = 'decided'
                        AND s.outcome IN ('terminated:' || r.program, 'suspended:' || r.program))) AS pending
        FROM recovered WHERE case_id = $1
        """,
        case_id,
        decided_since,
    )
    return Loss(**rows[0])
