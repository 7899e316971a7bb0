"""The question every partner asks: lookup and usage log in one statement, so that no answer leaves unlogged."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import asyncpg

from shared.kit.db import ReadTx, WriteTx


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who asks, for what, on which ground: what the usage log keeps of a request.

    Attributes:
        at: business time.
        action: check, batch, job, payrun, me, ...
    """

    at: datetime
    client_id: str
    user: str
    department: str | None
    action: str
    program: str | None
    purpose: str | None
    legal_basis: str | None
    case_ref: str | None
    request_id: str


_SEEN = """
WITH asked AS (
    SELECT subject, ord::int FROM unnest($1::uuid[]) WITH ORDINALITY AS u (subject, ord)
), seen AS (
    SELECT a.ord, a.subject, e.status, e.listed, e.decision_id, COALESCE(s.under_review, false) AS under_review,
           b.until, b.as_of, b.certificate_id, b.channel,
           answer(e.listed, e.status, COALESCE(s.under_review, false), b.until, b.as_of, $4::date, $5::int) AS answer
    FROM asked a
    LEFT JOIN enrolment e ON e.subject = a.subject AND e.program = $2
    LEFT JOIN standing s ON s.subject = a.subject
    LEFT JOIN LATERAL (
        SELECT h.certificate_id, h.as_of, h.channel,
               valid_until(h.as_of, $3::int, NULLIF(h.cap_months, 0)::int) AS until
        FROM holding h WHERE h.subject = a.subject AND h.claim = 'alive' ORDER BY until DESC, h.as_of DESC LIMIT 1
    ) b ON true
)
"""

_LOGGED = """
, logged AS (
    INSERT INTO usage (at, client_id, user_ref, department, action, program, subject, purpose, legal_basis, case_ref,
                       answer, request_id)
    SELECT $6, $7, $8, $9, $10, $2, subject, $11, $12, $13, answer, $14 FROM seen
)
"""

_ROWS = """
SELECT answer, status, until, as_of, certificate_id, channel, decision_id FROM seen ORDER BY ord
"""

LOOK_AND_LOG = _SEEN + _LOGGED + _ROWS
"""$1 subjects, $2 program, $3 cycle, $4 today, $5 max age in days, $6.. the asker."""

_DENIED = """
INSERT INTO usage (at, client_id, user_ref, department, action, program, subject, purpose, legal_basis, case_ref,
                   answer, request_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
"""


Fetch = Callable[..., Awaitable[list[asyncpg.Record]]]
"""Runs one statement: `tx.fetch`, or `database.at_once` where the statement is the whole transaction."""


async def look_and_log(
    fetch: Fetch, asker: Asker, subjects: Sequence[UUID], *, cycle_months: int, today: date, max_age_days: int | None
) -> list[asyncpg.Record]:
    """What one program hears of these people, in their order, with a usage row for each, in one statement."""
    return await fetch(
        LOOK_AND_LOG,
        subjects,
        asker.program,
        cycle_months,
        today,
        max_age_days,
        asker.at,
        asker.client_id,
        asker.user,
        asker.department,
        asker.action,
        asker.purpose,
        asker.legal_basis,
        asker.case_ref,
        asker.request_id,
    )


async def log_usage(tx: WriteTx, asker: Asker, *, subject: UUID | None, answer: str) -> None:
    """One row of the usage log: an answer without a lookup, or a denial."""
    await tx.run(
        _DENIED,
        asker.at,
        asker.client_id,
        asker.user,
        asker.department,
        asker.action,
        asker.program,
        subject,
        asker.purpose,
        asker.legal_basis,
        asker.case_ref,
        answer,
        asker.request_id,
    )


async def figures(tx: ReadTx, today: date) -> dict[str, int | dict[str, int]]:
    """The counts an operator asks first."""
    row = (
        await tx.fetch(
            "SELECT (SELECT count(DISTINCT subject) FROM enrolment WHERE listed) AS people, "
            "(SELECT count(*) FROM enrolment WHERE listed) AS enrolments, "
            "(SELECT count(*) FROM certificate) AS certificates, "
            "(SELECT count(*) FROM standing s WHERE under_review AND EXISTS "
            "(SELECT FROM enrolment e WHERE e.subject = s.subject AND e.listed)) AS under_review, "
            "(SELECT count(*) FROM due WHERE cleared_on IS NULL) AS due, "
            "(SELECT count(*) FROM usage WHERE answer NOT LIKE 'sandbox:%') AS checks, "
            "(SELECT count(*) FROM proposal WHERE state IN ('open', 'decided')) AS proposals_open"
        )
    )[0]
    channels = await tx.fetch(
        "SELECT channel, count(*) AS people FROM ("
        "SELECT DISTINCT ON (h.subject) h.channel FROM holding h JOIN standing s ON s.subject = h.subject "
        "WHERE h.claim = 'alive' AND NOT s.under_review AND s.announced_until >= $1 "
        "AND EXISTS (SELECT FROM enrolment e WHERE e.subject = h.subject AND e.listed) "
        "ORDER BY h.subject, h.as_of DESC) c GROUP BY channel",
        today,
    )
    return {**dict(row), "certified_people": {each["channel"]: each["people"] for each in channels}}
