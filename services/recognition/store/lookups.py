"""The question every partner asks: lookup and usage log in one statement, so that no answer leaves unlogged."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import asyncpg

from shared.contracts.vocabulary import Channel
from shared.kit.db import Database, ReadTx, WriteTx


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


_ASKER = (
    ("at", "timestamptz"), ("client_id", "text"), ("user_ref", "text"), ("department", "text"), ("action", "text"),
    ("purpose", "text"), ("legal_basis", "text"), ("case_ref", "text"), ("request_id", "text"),
)  # fmt: skip
_PARTS = (
    ("subject", "uuid"), ("program", "text"), ("cycle", "integer"), ("today", "date"), ("max_age", "integer"), *_ASKER,
)  # fmt: skip
"""What a question is made of, in the order of the parameters."""

_ASKED_BY_ONE = f"""
WITH asked AS (
    SELECT {", ".join(f"${at}::{kind} AS {name}" for at, (name, kind) in enumerate(_PARTS[1:], start=2))}, subject, ord
    FROM unnest($1::uuid[]) WITH ORDINALITY AS u (subject, ord)
)"""  # noqa: S608  (words of our own)

_ASKED_BY_MANY = f"""
WITH asked AS (
    SELECT * FROM unnest({", ".join(f"${at}::{kind}[]" for at, (_, kind) in enumerate(_PARTS, start=1))})
    WITH ORDINALITY AS u ({", ".join(name for name, _ in _PARTS)}, ord)
)"""  # noqa: S608  (words of our own)

# Each person is found by his key: a plain join of a thousand would read the whole table.
_SEEN = """, seen AS (
    SELECT a.*, e.status, e.decision_id, b.until, b.as_of, b.certificate_id, b.channel,
           answer(e.listed, e.status, COALESCE(s.under_review OR e.decision_owed, false), b.until, b.as_of, a.today,
                  a.max_age) AS answer
    FROM asked a
    LEFT JOIN LATERAL (
        SELECT listed, status, decision_id, decision_owed FROM enrolment
        WHERE subject = a.subject AND program = a.program LIMIT 1
    ) e ON true
    LEFT JOIN LATERAL (SELECT under_review FROM standing WHERE subject = a.subject LIMIT 1) s ON true
    LEFT JOIN LATERAL (
        SELECT h.certificate_id, h.as_of, h.channel,
               valid_until(h.as_of, a.cycle, NULLIF(h.cap_months, 0)::int) AS until
        FROM holding h WHERE h.subject = a.subject AND h.claim = 'alive' ORDER BY until DESC, h.as_of DESC LIMIT 1
    ) b ON true
)
"""

_USAGE = f"program, subject, answer, {', '.join(name for name, _ in _ASKER)}"

_LOGGED = f"""
, logged AS (INSERT INTO usage ({_USAGE}) SELECT {_USAGE} FROM seen)
"""  # noqa: S608  (words of our own)

_ROWS = """
SELECT answer, status, until, as_of, certificate_id, channel, decision_id FROM seen ORDER BY ord
"""

SEEN_AND_LOGGED = _ASKED_BY_ONE + _SEEN + _LOGGED
"""Many people, one asker: $1 subjects, $2 program, $3 cycle, $4 today, $5 max age in days, $6.. the asker. What is
asked of `seen` follows."""

LOOK_AND_LOG = SEEN_AND_LOGGED + _ROWS
"""One row a person."""

LOOK_AND_LOG_EACH = _ASKED_BY_MANY + _SEEN + _LOGGED + _ROWS
"""Many questions of anybody: an array of each of these."""

_DENIED = """
INSERT INTO usage (at, client_id, user_ref, department, action, program, subject, purpose, legal_basis, case_ref,
                   answer, request_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
"""


Fetch = Callable[..., Awaitable[list[asyncpg.Record]]]
"""Runs one statement: `tx.fetch`, or `database.at_once` where the statement is the whole transaction."""

Ask = Callable[..., Awaitable[asyncpg.Record]]
"""Asks `LOOK_AND_LOG_EACH` one question."""


async def look_and_log_one(
    ask: Ask, asker: Asker, subject: UUID, *, cycle_months: int, today: date, max_age_days: int | None
) -> asyncpg.Record:
    """What one program hears of one person, with its usage row."""
    return await ask(subject, *question(asker, cycle_months, today, max_age_days))


def question(asker: Asker, cycle_months: int, today: date, max_age_days: int | None) -> tuple[object, ...]:
    """Parameters of a question but for who is asked about."""
    return (
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
    await log_usage_by(tx.fetch, asker, subject=subject, answer=answer)


async def log_usage_by(fetch: Fetch, asker: Asker, *, subject: UUID | None, answer: str) -> None:
    """The same by one statement of its own."""
    await fetch(
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


async def log_refusal(database: Database, asker: Asker, answer: str) -> None:
    """A denial in a transaction of its own."""
    await log_usage_by(database.at_once, asker, subject=None, answer=answer)


_LOOKS = f"""
INSERT INTO usage ({_USAGE})
SELECT u.program, u.subject, $3, {", ".join(f"${at}::{kind}" for at, (_, kind) in enumerate(_ASKER, start=4))}
FROM unnest($1::text[], $2::uuid[]) AS u (program, subject)
"""  # noqa: S608  (words of our own)


async def log_looks(tx: WriteTx, asker: Asker, seen: Sequence[tuple[str | None, UUID]]) -> None:
    """A row of the usage log for each program and person a list shows."""
    words = (asker.at, asker.client_id, asker.user, asker.department, asker.action, asker.purpose, asker.legal_basis,
             asker.case_ref, asker.request_id)  # fmt: skip
    await tx.run(_LOOKS, [program for program, _ in seen], [subject for _, subject in seen], "seen", *words)


async def figures(tx: ReadTx, today: date) -> dict[str, int | dict[str, int]]:
    """The counts an operator asks first."""
    row = (
        await tx.fetch(
            "SELECT (SELECT count(DISTINCT subject) FROM enrolment WHERE listed) AS people, "
            "(SELECT count(*) FROM enrolment WHERE listed) AS enrolments, "
            "(SELECT count(*) FROM certificate) AS certificates, "
            "(SELECT count(*) FROM (SELECT s.subject FROM standing s WHERE under_review AND EXISTS "
            "(SELECT FROM enrolment e WHERE e.subject = s.subject AND e.listed) "
            "UNION SELECT subject FROM enrolment WHERE decision_owed AND listed) r) AS under_review, "
            "(SELECT count(*) FROM due WHERE cleared_on IS NULL) AS due, "
            "(SELECT count(*) FROM usage WHERE answer NOT LIKE 'sandbox:%') AS checks, "
            "(SELECT count(*) FROM proposal WHERE state IN ('open', 'decided')) AS proposals_open, "
            "(SELECT count(*) FROM enrolment WHERE status IN ('suspended', 'terminated')) AS payments_stopped, "
            "(SELECT COALESCE(sum(paid_fen + offset_fen), 0)::bigint FROM overpayment WHERE state <> 'cancelled') "
            "AS recovered_fen"
        )
    )[0]
    channels = await tx.fetch(
        "SELECT channel, count(*) AS people FROM ("
        "SELECT DISTINCT ON (h.subject) h.channel FROM holding h JOIN standing s ON s.subject = h.subject "
        "WHERE h.claim = 'alive' AND NOT s.under_review AND s.announced_until >= $1 "
        "AND EXISTS (SELECT FROM enrolment e WHERE e.subject = h.subject AND e.listed AND NOT e.decision_owed) "
        "ORDER BY h.subject, h.as_of DESC) c GROUP BY channel",
        today,
    )
    certified = {str(channel): 0 for channel in Channel} | {each["channel"]: each["people"] for each in channels}
    return {**dict(row), "certified_people": certified}
