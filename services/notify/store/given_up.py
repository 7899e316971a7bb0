"""What is not so any more: known as such by its row, so that nothing brings it and nothing rests on it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from services.notify.domain.drafts import CERTIFIED
from services.notify.domain.facts import DEMANDS, GIVEN_UP, IN_PART, RESUMED, REVOKED, SETTLED, STOPS, SUSPENDED
from shared.kit.db import WriteTx

# What a village has on its list goes as well: it has not been brought yet.
_VOID: Final = """
WITH void AS ({which} RETURNING m.id)
UPDATE delivery d SET status = 'merged', reason = 'given_up', ended_at = $1
FROM void WHERE d.message_id = void.id
  AND (d.status IN ('queued', 'waiting') OR (d.status = 'handed' AND d.channel = ANY($2::text[])))
"""
# A decision that was given up is as if it had never been told: what has not been brought of it stays where it is, and
# is not tried again either. Of money asked for, what was asked before it was settled: more may have been paid since,
# and be asked for anew. What is paid again is suspended by no other decision either. Ids of notices grow with time.
_BY_DECISION: Final = _VOID.format(
    which="""
    UPDATE message m SET given_up = true
    WHERE m.subject = $3 AND NOT m.given_up AND EXISTS (
        SELECT FROM message w WHERE w.subject = m.subject
            AND (m.decision_id = $4 AND w.decision_id = $4
                 AND (m.template = ANY($5::text[]) AND w.template = ANY($6::text[])
                      OR m.template = ANY($7::text[]) AND w.template = ANY($8::text[]) AND w.about > m.about
                         AND w.variables->>'reason' <> ALL($9::text[]))
                 OR m.template = $10 AND w.template = $11 AND w.about > m.about
                    AND w.variables->'programs' @> (m.variables->'programs')))
    """
)
# The version of before did not keep of which certificate it told: then the newest that stands may be it.
_BY_CERTIFICATE: Final = _VOID.format(
    which="""
    UPDATE message m SET given_up = true
    WHERE m.subject = $3 AND m.template = $4 AND NOT m.given_up AND (m.about = $5 OR m.about IS NULL AND NOT EXISTS (
        SELECT FROM message y
        WHERE y.subject = m.subject AND y.template = m.template AND y.created_at > m.created_at
            AND NOT y.given_up AND y.about IS DISTINCT FROM $5))
    """
)
# A nearer end is only ever said because what certified beyond it has been revoked, whichever of both is heard first.
# Person by person, as _MARK: reading all messages for a few thousand drafts would cost more than writing them.
_BY_NEARER_END: Final = _VOID.format(
    which="""
    UPDATE message m SET given_up = true WHERE m.id = ANY (ARRAY(
        SELECT further.id FROM draft x CROSS JOIN LATERAL (
            SELECT o.id FROM message o
            WHERE o.subject = x.subject AND o.template = x.template AND NOT o.given_up AND o.revision > x.revision
              AND coalesce(o.said_at, o.created_at) < x.said_at OFFSET 0) further
        WHERE x.template = $3))
    """
)
# The officers' message says that it has been revoked, also where that is heard before it was issued.
_MARK: Final = """
UPDATE draft x SET given_up = true
WHERE x.template = $1 AND (SELECT true FROM message r
                           WHERE r.subject = x.subject AND r.template = $2 AND r.about = x.about LIMIT 1)
"""


async def by_decision(tx: WriteTx, subject: UUID, decision_id: UUID, now: datetime, *, channels: Sequence[str]) -> None:
    """Give up what tells of a decision that has been given up, or asks for what is settled, whichever came first.

    Args:
        tx: the transaction.
        subject: of the decision.
        decision_id: the one heard of.
        now: business time.
        channels: the villages'.
    """
    lists = [list(each) for each in (STOPS, GIVEN_UP, DEMANDS, SETTLED, IN_PART)]
    await tx.run(_BY_DECISION, now, list(channels), subject, decision_id, *lists, SUSPENDED, RESUMED)


async def by_certificate(
    tx: WriteTx, subject: UUID, certificate_id: UUID, now: datetime, *, channels: Sequence[str]
) -> None:
    """Give up what tells until when a certificate holds that has been revoked; `channels` are the villages'."""
    await tx.run(_BY_CERTIFICATE, now, list(channels), subject, CERTIFIED, certificate_id)


async def before_writing(tx: WriteTx, now: datetime, *, channels: Sequence[str]) -> None:
    """Of the table of drafts, mark what has been revoked, and give up what went further than is said now."""
    await tx.run(_MARK, CERTIFIED, REVOKED)
    await tx.run(_BY_NEARER_END, now, list(channels), CERTIFIED)
