"""Notices: what people had to be told about their money, and the proof that it arrived or was tried."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import asyncpg
import pyarrow as pa

from shared.contracts.vocabulary import NoticeKind
from shared.kit.db import ReadTx, WriteTx


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something a person has to be told.

    Attributes:
        deadline_on: day until which he can answer, or has to pay.
    """

    notice_id: UUID
    subject: UUID
    kind: NoticeKind
    programs: tuple[str, ...]
    reason: str
    amount_fen: int | None
    deadline_on: date | None
    decision_id: UUID | None
    overpayment_id: UUID | None
    given_at: datetime


async def add_notice(tx: WriteTx, notice: Notice) -> None:
    """Keep a notice."""
    await tx.run(
        "INSERT INTO notice (notice_id, subject, kind, programs, reason, amount_fen, deadline_on, decision_id, "
        "overpayment_id, given_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        notice.notice_id,
        notice.subject,
        notice.kind,
        list(notice.programs),
        notice.reason,
        notice.amount_fen,
        notice.deadline_on,
        notice.decision_id,
        notice.overpayment_id,
        notice.given_at,
    )


_STAGE = """
CREATE TEMP TABLE IF NOT EXISTS heard_proof (
    subject uuid, message_id uuid, about uuid, template text, channel text, at timestamptz, outcome text, reason text
) ON COMMIT DELETE ROWS
"""

# A message that failed and then arrived has arrived; one that arrived never fails any more.
_KEEP = """
INSERT INTO proof_of_notice (subject, message_id, channel, template, delivered_at, notice_id, outcome, reason)
SELECT DISTINCT ON (h.subject, h.message_id, h.channel)
       h.subject, h.message_id, h.channel, h.template, h.at, n.notice_id, h.outcome, h.reason
FROM heard_proof h JOIN notice n ON n.notice_id = h.about AND n.subject = h.subject
ORDER BY h.subject, h.message_id, h.channel, h.at DESC
ON CONFLICT (subject, message_id, channel) DO UPDATE SET
    delivered_at = excluded.delivered_at, outcome = excluded.outcome, reason = excluded.reason
WHERE proof_of_notice.outcome = 'failed' AND excluded.outcome = 'delivered'
"""


async def save_proofs(tx: WriteTx, proofs: pa.Table) -> None:
    """Keep what became of notices; the same twice is kept once, and what is about no notice of ours is left out."""
    await tx.run(_STAGE)
    await tx.copy("heard_proof", proofs)
    await tx.run(_KEEP)


async def channels_tried(tx: ReadTx, decision_id: UUID) -> list[str]:
    """Channels on which the notice of an intended stop arrived or was tried."""
    rows = await tx.fetch(
        "SELECT DISTINCT p.channel FROM notice n JOIN proof_of_notice p ON p.notice_id = n.notice_id "
        "WHERE n.decision_id = $1 AND n.kind = 'intended_stop' ORDER BY p.channel",
        decision_id,
    )
    return [row["channel"] for row in rows]


_LIST = """
SELECT n.notice_id, n.kind, n.programs, n.reason, n.amount_fen, n.deadline_on, n.decision_id, n.given_at,
       COALESCE((SELECT jsonb_agg(jsonb_build_object('channel', p.channel, 'outcome', p.outcome, 'reason', p.reason,
                                                     'at', p.delivered_at) ORDER BY p.delivered_at)
                 FROM proof_of_notice p WHERE p.notice_id = n.notice_id), '[]')::text AS attempts
FROM notice n WHERE n.subject = $1 AND ($2::text[] IS NULL OR n.programs && $2) ORDER BY n.given_at, n.notice_id
"""


async def list_notices(tx: ReadTx, subject: UUID, programs: Sequence[str] | None) -> list[asyncpg.Record]:
    """Notices to a person, oldest first, each with its attempts as JSON; of all programs where `programs` is None."""
    return await tx.fetch(_LIST, subject, None if programs is None else list(programs))
