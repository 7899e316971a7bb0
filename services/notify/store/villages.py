"""What villages have to hand out and to read out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import orjson

from services.notify.domain.languages import Language
from shared.kit.db import ReadTx

# Between handing over and printing somebody may be recorded as dead: a legal letter then is the family's.
_LIST: Final = """
SELECT d.message_id, d.subject, m.template, m.version, m.variables::text AS variables, d.handed_at, c.sealed,
       NOT d.personal OR n.subject IS NOT NULL AS to_family, coalesce(p.large_print, false) AS large_print,
       p.language
FROM contact c JOIN delivery d ON d.subject = c.subject JOIN message m ON m.id = d.message_id
LEFT JOIN preference p ON p.subject = c.subject LEFT JOIN do_not_write n ON n.subject = c.subject AND n.blocked
WHERE c.division = $1 AND d.channel = $2 AND d.status = 'handed' AND ($3::uuid[] IS NULL OR d.message_id = ANY($3))
  AND NOT (d.personal AND d.lane > 0 AND n.subject IS NOT NULL) AND NOT m.given_up
ORDER BY m.lane, d.handed_at, d.message_id LIMIT $4
"""
_OF_VILLAGE: Final = """
SELECT d.message_id FROM delivery d JOIN contact c ON c.subject = d.subject
WHERE d.message_id = ANY($3::uuid[]) AND d.channel = $2 AND c.division = $1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class VillageRow:
    """A message a village has to bring to somebody.

    Attributes:
        sealed: the contact, still sealed.
    """

    message_id: UUID
    subject: UUID
    template: str
    version: int
    variables: dict[str, object]
    handed_at: datetime
    sealed: bytes
    to_family: bool
    large_print: bool
    language: Language


async def list_of(
    tx: ReadTx, division: str, channel: str, *, ids: Sequence[UUID] | None, limit: int
) -> list[VillageRow]:
    """Messages of a channel that a village has and has not yet confirmed, legal ones first, then the oldest."""
    rows = await tx.fetch(_LIST, division, channel, list(ids) if ids is not None else None, limit)
    return [
        VillageRow(
            **{
                **row,
                "variables": orjson.loads(row["variables"]),
                "language": Language(row["language"] or Language.CHINESE),
            }
        )
        for row in rows
    ]


async def known_ids(tx: ReadTx, division: str, channel: str, ids: Sequence[UUID]) -> set[UUID]:
    """Those of `ids` that are messages to people of a village."""
    return {row["message_id"] for row in await tx.fetch(_OF_VILLAGE, division, channel, list(ids))}
