"""Whether what a stop was proposed for still holds: who is certified is not late, who draws one draws no two."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

import asyncpg

from services.recognition.store.hearing import Cycles
from shared.kit.db import ReadTx, WriteTx

# Of an enrolment `e`: certified, or not wanted by its owner before a later day.
_IN_TIME = """
GREATEST(
    (SELECT max(valid_until(h.as_of, ($2::int[])[array_position($1::text[], e.program)], NULLIF(h.cap_months, 0)::int))
     FROM holding h WHERE h.subject = e.subject AND h.claim = 'alive'),
    e.due_on) >= $3
"""

_WITHDRAW = f"""
UPDATE proposal p SET state = 'withdrawn', closed_at = $4 FROM enrolment e
WHERE p.subject IN ({{people}}) AND p.reason = 'overdue' AND p.state IN ('open', 'decided')
    AND e.subject = p.subject AND e.program = p.program AND {_IN_TIME}
"""  # noqa: S608  (our own text)
_WITHDRAW_HEARD = {
    heard: _WITHDRAW.format(people=f"SELECT subject FROM {heard}")  # noqa: S608  (our own text)
    for heard in ("heard_assessment", "heard_enrolment")
}
_WITHDRAW_PEOPLE = _WITHDRAW.format(people="SELECT unnest($5::uuid[])")


async def is_in_time(tx: ReadTx, cycles: Cycles, today: date, subject: UUID, program: str) -> bool:
    """Whether a person is certified in a program today, or the program's owner wants it later."""
    rows = await tx.fetch(
        f"SELECT FROM enrolment e WHERE e.subject = $4 AND e.program = $5 AND {_IN_TIME}",
        cycles.codes,
        cycles.months,
        today,
        subject,
        program,
    )
    return bool(rows)


async def withdraw_in_time(tx: WriteTx, cycles: Cycles, today: date, at: datetime, people: str | list[UUID]) -> None:
    """Close what was proposed for lateness of people who are in time by now.

    Args:
        tx: the transaction.
        cycles: of the programs.
        today: today.
        at: now.
        people: whom to look at, or the table of what was just heard of them.
    """
    # Nearly always none waits, and twenty thousand people are heard of at once.
    if not await tx.fetch("SELECT FROM proposal WHERE reason = 'overdue' AND state IN ('open', 'decided') LIMIT 1"):
        return
    if isinstance(people, str):
        await tx.run(_WITHDRAW_HEARD[people], cycles.codes, cycles.months, today, at)
    else:
        await tx.run(_WITHDRAW_PEOPLE, cycles.codes, cycles.months, today, at, people)


async def list_held(tx: ReadTx, subject: UUID, program: str, others: Sequence[str]) -> list[asyncpg.Record]:
    """When a person's benefit began, and those of these others that he draws beside it: program and day."""
    return await tx.fetch(
        "SELECT program, started_on FROM enrolment WHERE subject = $1 AND (program = $2 "
        "OR program = ANY ($3) AND listed AND status NOT IN ('suspended', 'terminated'))",
        subject,
        program,
        list(others),
    )


async def list_double_of_heard(tx: ReadTx) -> list[asyncpg.Record]:
    """What is proposed for drawing two benefits at once, of people of the roster just taken in."""
    return await tx.fetch(
        "SELECT p.proposal_id, p.subject, p.program FROM proposal p WHERE p.origin = 'double_receipt' "
        "AND p.state IN ('open', 'decided') AND EXISTS (SELECT FROM heard_enrolment h WHERE h.subject = p.subject) "
        "ORDER BY p.subject, p.program"
    )
