"""Many people at once: look-ups as columns out of the database, usage rows as columns into it."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

import numpy as np
import pyarrow as pa

from services.recognition.store.lookups import Asker
from services.recognition.store.runs import shard_bounds
from shared.contracts.vocabulary import Channel
from shared.kit import arrow
from shared.kit.db import WriteTx

ANSWERS = ("unknown", "not_yet", "under_review", "recognised")
"""By code: what the look-up says in a byte."""

CHANNELS = tuple(Channel)
NO_DAY = np.datetime64("2000-01-01")
"""Stands where there is no day: the epoch of the server."""

_ASKED = "CREATE TEMP TABLE IF NOT EXISTS asked (ord integer, subject uuid) ON COMMIT DELETE ROWS"

_EVERYBODY = """
INSERT INTO asked (ord, subject)
SELECT row_number() OVER (ORDER BY subject) - 1, subject FROM enrolment
WHERE program = $1 AND listed AND subject BETWEEN $2 AND $3
"""

_BEST = """
best AS MATERIALIZED (
    SELECT DISTINCT ON (h.subject) h.subject, h.certificate_id, h.as_of, h.channel,
           valid_until(h.as_of, $2::int, NULLIF(h.cap_months, 0)::int) AS until
    FROM asked a JOIN holding h ON h.subject = a.subject AND h.claim = 'alive'
    ORDER BY h.subject, until DESC, h.as_of DESC
)
"""

_NIL = "'00000000-0000-0000-0000-000000000000'::uuid"

_SAID = f"""
WITH {_BEST}
SELECT a.subject,
       (array_position('{{unknown,not_yet,under_review,recognised}}'::text[],
                       answer(e.listed, e.status, COALESCE(s.under_review, false), b.until, b.as_of, $3::date, $4::int)
       ) - 1)::smallint,
       COALESCE(b.as_of, '2000-01-01')::date, COALESCE(b.until, '2000-01-01')::date,
       COALESCE(b.certificate_id, {_NIL}),
       COALESCE(array_position('{{{",".join(CHANNELS)}}}'::text[], b.channel) - 1, 0)::smallint
FROM asked a
LEFT JOIN enrolment e ON e.subject = a.subject AND e.program = $1
LEFT JOIN standing s ON s.subject = a.subject
LEFT JOIN best b ON b.subject = a.subject
ORDER BY a.ord
"""  # noqa: S608  (words of our own)
_SAID_TYPES = (
    ("subject", "(16,)u1"), ("answer", ">i2"), ("as_of", ">i4"), ("until", ">i4"), ("certificate", "(16,)u1"),
    ("channel", ">i2"),
)  # fmt: skip

_PAY = f"""
WITH {_BEST}
SELECT a.subject, COALESCE(e.listed, false),
       COALESCE(e.status IN ('suspended', 'terminated') AND d.stops_from <= $4::date, false),
       EXISTS (SELECT FROM payment p WHERE p.subject = a.subject AND p.program = $1 AND p.month = $4::date),
       COALESCE(s.confirmed_at > COALESCE(s.cleared_at, '-infinity'), false),
       COALESCE(b.until < $3::date, true), COALESCE(s.under_review, false),
       COALESCE(e.status = 'notice_of_intended_stop', false),
       COALESCE(e.status IN ('suspended', 'terminated'), false),
       EXISTS (SELECT FROM enrolment o WHERE o.subject = a.subject AND o.program = ANY ($5::text[]) AND o.listed
               AND o.status = 'active'),
       COALESCE(e.amount_fen, 0), COALESCE(e.decision_id, {_NIL})
FROM asked a
LEFT JOIN enrolment e ON e.subject = a.subject AND e.program = $1
LEFT JOIN decision d ON d.decision_id = e.decision_id
LEFT JOIN standing s ON s.subject = a.subject
LEFT JOIN best b ON b.subject = a.subject
ORDER BY a.ord
"""  # noqa: S608  (words of our own)
_PAY_TYPES = (
    ("subject", "(16,)u1"), ("listed", "?"), ("stopped", "?"), ("paid", "?"), ("confirmed", "?"),
    ("not_certified", "?"), ("under_review", "?"), ("notice_given", "?"), ("last_payment", "?"),
    ("excluding_program", "?"), ("amount_fen", ">i8"), ("decision", "(16,)u1"),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a look-up goes by: the program, its cycle, and the day of asking."""

    program: str
    cycle_months: int
    today: date


async def ask_for(tx: WriteTx, subjects: np.ndarray) -> None:
    """Put people, shape (n, 16), beside the tables, in their order."""
    await _prepare(tx)
    places = pa.array(np.arange(len(subjects), dtype=np.int32))
    await tx.copy("asked", pa.table({"ord": places, "subject": arrow.subject_array(subjects)}))
    await tx.run("ANALYZE asked")


async def ask_for_everybody(tx: WriteTx, program: str, shard: int) -> None:
    """Put everybody the owner lists in one shard of a program beside the tables."""
    await _prepare(tx)
    first, last = shard_bounds(shard)
    await tx.run(_EVERYBODY, program, first, last)
    await tx.run("ANALYZE asked")


async def _prepare(tx: WriteTx) -> None:
    await tx.run(_ASKED)
    # Thousands of people are found by reading whole tables; a look-up each costs ten times as much.
    await tx.run("SET LOCAL enable_nestloop = off")


async def look(tx: WriteTx, rule: Rule, max_age_days: int | None) -> np.ndarray:
    """What the program hears of the people asked for: subject, answer, as_of, until, certificate, channel."""
    return await tx.columns(_SAID, _SAID_TYPES, rule.program, rule.cycle_months, rule.today, max_age_days)


async def look_before_paying(tx: WriteTx, rule: Rule, month: date, excludes: tuple[str, ...]) -> np.ndarray:
    """What is known of the people asked for before they are paid."""
    return await tx.columns(_PAY, _PAY_TYPES, rule.program, rule.cycle_months, rule.today, month, list(excludes))


async def log_many(tx: WriteTx, asker: Asker, subjects: pa.Array, answers: pa.Array) -> None:
    """A usage row for each person, in the transaction that makes the answer.

    Args:
        tx: the transaction.
        asker: who asks.
        subjects: binary(16), null for a line that names nobody.
        answers: what left for each.
    """
    same = {
        "at": pa.scalar(asker.at, pa.timestamp("us", "UTC")),
        "client_id": asker.client_id,
        "user_ref": asker.user,
        "department": asker.department,
        "action": asker.action,
        "program": asker.program,
        "purpose": asker.purpose,
        "legal_basis": asker.legal_basis,
        "case_ref": asker.case_ref,
        "request_id": asker.request_id,
    }
    columns = {
        name: pa.repeat(value if isinstance(value, pa.Scalar) else pa.scalar(value, pa.string()), len(answers))
        for name, value in same.items()
    }
    await tx.copy("usage", pa.table({**columns, "subject": subjects, "answer": answers}))


def days(column: np.ndarray) -> np.ndarray:
    """Days as the server sends them, as datetime64[D]."""
    return NO_DAY + column.astype(np.int32).astype("timedelta64[D]")


def uuid_of(raw: np.ndarray) -> UUID:
    """One uuid of 16 bytes."""
    return UUID(bytes=raw.tobytes())
