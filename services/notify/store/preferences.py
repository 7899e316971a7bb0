"""How people want to be told: legal notices always, information only where they do not mind."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from services.notify.domain.languages import Language
from shared.kit.db import ReadTx, WriteTx

_KEEP: Final = """
INSERT INTO preference (subject, information, large_print, language, changed_at, changed_by)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (subject) DO UPDATE
SET information = excluded.information, large_print = excluded.large_print, language = excluded.language,
    changed_at = excluded.changed_at, changed_by = excluded.changed_by
"""
# What a village has on its list goes as well: it has not been brought yet.
_REFUSE: Final = """
UPDATE delivery SET status = 'refused', reason = 'opted_out', ended_at = $2
WHERE subject = $1 AND lane > 0 AND personal
  AND (status IN ('waiting', 'queued') OR (status = 'handed' AND channel = ANY($3::text[])))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """What one person asked for.

    Attributes:
        information: False: nothing but legal notices is sent; the inbox keeps the rest.
        large_print: letters in large print.
        language: where a text has no words in it, it is Chinese.
        changed_at: None while he has asked for nothing.
    """

    subject: UUID
    information: bool
    large_print: bool
    language: Language
    changed_at: datetime | None


async def keep(tx: WriteTx, preference: Preference, *, by: str, at: datetime) -> None:
    """Keep what a person asked for."""
    asked = (preference.information, preference.large_print, preference.language.value)
    await tx.run(_KEEP, preference.subject, *asked, at, by)


async def refuse_information(tx: WriteTx, subject: UUID, channels: list[str], at: datetime) -> int:
    """Refuse information that is still to be sent, or to be brought by these channels. Returns the number."""
    return int((await tx.run(_REFUSE, subject, at, channels)).rsplit(" ", 1)[-1])


async def find(tx: ReadTx, subject: UUID) -> Preference:
    """What a person asked for; the defaults where he asked for nothing."""
    rows = await tx.fetch(
        "SELECT subject, information, large_print, language, changed_at FROM preference WHERE subject = $1", subject
    )
    if not rows:
        return Preference(
            subject=subject, information=True, large_print=False, language=Language.CHINESE, changed_at=None
        )
    return Preference(**{**rows[0], "language": Language(rows[0]["language"])})
