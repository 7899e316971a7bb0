"""Who was seen after people had found that he had died or disappeared: in person, since then, and it stands."""

from typing import Final
from uuid import UUID

from services.recognition.domain.certificates import IN_PERSON
from services.recognition.domain.clearings import NOT_SO_OF_WHO_LIVES
from shared.kit.db import ReadTx

_QUOTED = {name: ", ".join(f"'{each}'" for each in sorted(words)) for name, words in (
    ("channels", IN_PERSON), ("reasons", NOT_SO_OF_WHO_LIVES),
)}  # fmt: skip
# Rows of before know the day alone: what may have been made since is asked about.
_MADE_AT = "COALESCE(c.made_at, (c.issued_on + 1)::timestamp AT TIME ZONE 'Asia/Shanghai')"
SEEN_SINCE: Final = f"""
SELECT c.certificate_id, {_MADE_AT} AS at FROM certificate c
WHERE p.reason IN ({_QUOTED["reasons"]}) AND c.subject = p.subject AND c.claim = 'alive'
    AND c.channel IN ({_QUOTED["channels"]}) AND {_MADE_AT} > p.opened_at
    AND c.as_of > COALESCE(p.event_on, (p.opened_at AT TIME ZONE 'Asia/Shanghai')::date)
    AND NOT EXISTS (SELECT FROM revocation r WHERE r.subject = c.subject AND r.certificate_id = c.certificate_id)
"""  # noqa: S608  (our own text)
"""Of a proposal `p`: certificates by which the person was seen on a day after its event, and when they were made."""


async def list_seen_since(tx: ReadTx, proposal_id: UUID) -> list[UUID]:
    """Certificates that contradict what was proposed and were made since people found it, the newest first."""
    rows = await tx.fetch(
        f"SELECT s.certificate_id FROM proposal p CROSS JOIN LATERAL ({SEEN_SINCE}) s "  # noqa: S608  (our own text)
        "WHERE p.proposal_id = $1 ORDER BY s.at DESC, s.certificate_id",
        proposal_id,
    )
    return [row["certificate_id"] for row in rows]
