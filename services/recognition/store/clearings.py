"""Clearings: what people found not to be so, kept with reasons and days, and asked of an event by these."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final
from uuid import UUID

from services.recognition.domain.clearings import Clearing
from services.recognition.domain.programs import EndingEvent
from services.recognition.store.records import insert
from shared.kit.db import ReadTx, WriteTx


async def add(tx: WriteTx, made: Clearing) -> None:
    """Keep what officers found not to be so."""
    await insert(tx, "clearing", made, reasons=[str(each) for each in made.reasons])


_GIVEN_UP = """
INSERT INTO clearing (clearing_id, subject, reasons, until_on, about_at, found_at, lives)
SELECT uuidv7(), $1, $2, max(event_on), max(opened_at) FILTER (WHERE event_on IS NULL), $3, false
FROM proposal p
WHERE subject = $1 AND reason = ANY ($2) AND origin IN ('case', 'report', 'stop_request') HAVING count(*) > 0
"""


async def add_given_up(tx: WriteTx, subject: UUID, reasons: Sequence[EndingEvent], at: datetime) -> None:
    """Keep that officers have given up all that was proposed for these reasons by what people had found."""
    await tx.run(_GIVEN_UP, subject, list(reasons), at)


async def was_cleared(
    tx: ReadTx, subject: UUID, reason: EndingEvent, event_on: date | None, found_at: datetime
) -> bool:
    """Whether people have found that an event is not so, by its reason and its day, since it was found."""
    return bool(await tx.fetch("SELECT FROM clearings($1, $2, $3, $4) LIMIT 1", subject, reason, event_on, found_at))


async def is_cleared(tx: ReadTx, decision_id: UUID) -> bool:
    """Whether people have found that what a decision rests on never was so."""
    rows = await tx.fetch(
        "SELECT FROM decision d JOIN proposal p ON p.proposal_id = d.proposal_id "
        "CROSS JOIN LATERAL refutations(d.subject, d.reason, d.event_on, p.opened_at) WHERE d.decision_id = $1 LIMIT 1",
        decision_id,
    )
    return bool(rows)


async def withdraw_cleared(tx: WriteTx, subject: UUID, at: datetime, case_id: UUID | None = None) -> None:
    """Close what nobody has confirmed of what is not so by now, or of what a case had proposed.

    What the rosters or the person himself proposed rests on no finding and stays.
    """
    await tx.run(
        "UPDATE proposal p SET state = 'withdrawn', closed_at = $2 WHERE subject = $1 AND state IN ('open', 'decided') "
        "AND opened_at <= $2 AND (case_id = $3 OR origin <> 'double_receipt' "
        "AND EXISTS (SELECT FROM refutations(p.subject, p.reason, p.event_on, p.opened_at)))",
        subject,
        at,
        case_id,
    )


AS_IT_LASTS: Final = "CASE {0}.reason WHEN 'criminal_punishment' THEN 'imprisonment' ELSE {0}.reason END"
"""Under which reason a clearing is asked of what ends no benefit, in SQL."""
_WITHDRAW_OVER = f"""
UPDATE proposal p SET state = 'withdrawn', closed_at = $3 WHERE subject = $1 AND program = $2
    AND state IN ('open', 'decided') AND effect <> 'terminate' AND origin <> 'double_receipt'
    AND EXISTS (SELECT FROM clearings(p.subject, {AS_IT_LASTS.format("p")}, p.event_on, p.opened_at) c WHERE c.at = $3)
"""  # noqa: S608  (our own text)


async def withdraw_over(tx: WriteTx, subject: UUID, program: str, at: datetime) -> None:
    """Close what would stop one program's benefit again for what is found over at that instant.

    What ends it for good stays.
    """
    await tx.run(_WITHDRAW_OVER, subject, program, at)
