"""Many people at once: look-ups as columns out of the database, usage rows as columns into it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import numpy as np
import pyarrow as pa

from services.recognition.store.lookups import SEEN_AND_LOGGED, Asker, Fetch, question
from services.recognition.store.runs import shard_bounds
from shared.contracts.vocabulary import Channel
from shared.kit import arrow
from shared.kit.db import WriteTx

ANSWERS = ("unknown", "not_yet", "under_review", "recognised")
"""By code: what the look-up says in a byte."""

CHANNELS = tuple(Channel)
NO_DAY = np.datetime64("2000-01-01")
"""Stands where there is no day: the epoch of the server."""

_MANY = 20_000
_ASKED = "CREATE TEMP TABLE IF NOT EXISTS asked (ord integer, subject uuid) ON COMMIT DELETE ROWS"

_EVERYBODY = """
INSERT INTO asked (ord, subject)
SELECT row_number() OVER (ORDER BY subject) - 1, subject FROM enrolment
WHERE program = $1 AND listed AND subject BETWEEN $2 AND $3
"""

_BEST = """
WITH best AS MATERIALIZED (
    SELECT DISTINCT ON (h.subject) h.subject, h.certificate_id, h.as_of, h.channel,
           valid_until(h.as_of, $2::int, NULLIF(h.cap_months, 0)::int) AS until
    FROM asked a JOIN holding h ON h.subject = a.subject AND h.claim = 'alive'{within}
    ORDER BY h.subject, until DESC, h.as_of DESC
)
"""

_NIL = "'00000000-0000-0000-0000-000000000000'::uuid"


def _code(words: Sequence[str], value: str) -> str:
    """A word as its place among others."""
    return f"(array_position('{{{','.join(words)}}}'::text[], {value}) - 1)::smallint"


_ANSWER = (
    "answer(e.listed, e.status, COALESCE(s.under_review OR e.decision_owed, false), b.until, b.as_of, $3::date, "
    "$4::int)"
)


def _within(table: str, first: int) -> str:
    """Said once more of each table, so that only the piece of it is read in which these people are."""
    return f" AND {table}.subject BETWEEN ${first}::uuid AND ${first + 1}::uuid"


_SAID = f"""{_BEST.format(within=_within("h", 5))}
SELECT a.subject, {_code(ANSWERS, _ANSWER)},
       COALESCE(b.as_of, '2000-01-01')::date, COALESCE(b.until, '2000-01-01')::date,
       COALESCE(b.certificate_id, {_NIL}), COALESCE({_code(CHANNELS, "b.channel")}, 0::smallint)
FROM asked a
LEFT JOIN enrolment e ON e.subject = a.subject AND e.program = $1{_within("e", 5)}
LEFT JOIN standing s ON s.subject = a.subject{_within("s", 5)}
LEFT JOIN best b ON b.subject = a.subject
ORDER BY a.ord
"""  # noqa: S608  (words of our own)
_SAID_TYPES = (
    ("subject", "(16,)u1"), ("answer", ">i2"), ("as_of", ">i4"), ("until", ">i4"), ("certificate", "(16,)u1"),
    ("channel", ">i2"),
)  # fmt: skip
SAID = np.dtype(list(_SAID_TYPES))
"""What a look-up answers, a row a person."""

_LOOK_AND_LOG = f"""{SEEN_AND_LOGGED}
SELECT string_agg(
    uuid_send(subject) || int2send({_code(ANSWERS, "answer")})
    || date_send(COALESCE(as_of, '2000-01-01')) || date_send(COALESCE(until, '2000-01-01'))
    || uuid_send(COALESCE(certificate_id, {_NIL})) || int2send(COALESCE({_code(CHANNELS, "channel")}, 0::smallint)),
    ''::bytea ORDER BY ord
) AS packed FROM seen
"""  # noqa: S608  (words of our own)

# The end of a benefit takes nothing from a suspension beneath it: of both, the one that began first stops a month. What
# a lift has settled, up to the month in which the ordinary runs begin again, no run pays: what was due is paid back.
# Nor does one pay the months of what was given up since it is over, where the program pays none of these.
_STOPPED = """, stopped AS MATERIALIZED (
    SELECT DISTINCT ON (subject) subject, decision_id, stops_from FROM decision d
    WHERE program = $1 AND state = 'effective' AND effect IN ('suspend', 'terminate'){within}
    ORDER BY subject, stops_from, decision_id
), reduced AS MATERIALIZED (
    SELECT DISTINCT ON (subject) subject, decision_id, amount_fen FROM decision d
    WHERE program = $1 AND state = 'effective' AND effect = 'reduce' AND stops_from <= $4::date{within}
    ORDER BY subject, decision_id DESC
), repaid AS MATERIALIZED (
    SELECT d.subject, count(DISTINCT n.month)::smallint AS months
    FROM (
        SELECT subject, suspended_from AS first, paid_again_from AS until FROM arrears d WHERE program = $1{within}
        UNION ALL
        SELECT subject, stops_from, (date_trunc('month', passed_on) + interval '1 month')::date FROM proposal d
        WHERE program = $1 AND reason = ANY ($9::text[]) AND effect IN ('suspend', 'terminate')
            AND passed_on >= stops_from{within}
    ) d LEFT JOIN stopped f ON f.subject = d.subject
    CROSS JOIN LATERAL generate_series(
        GREATEST(d.first, $4::date)::timestamp,
        LEAST(d.until, f.stops_from, ($4::date + make_interval(months => $8))::date)
            - interval '1 day', '1 month') AS n (month)
    GROUP BY d.subject
)
"""

_PAY = f"""{_BEST.format(within=_within("h", 6))}{_STOPPED.format(within=_within("d", 6))}
SELECT a.subject, COALESCE(e.listed, false),
       COALESCE(e.status IN ('suspended', 'terminated') AND f.stops_from <= $4::date, false),
       COALESCE(t.months >= $8, false)
       OR EXISTS (SELECT FROM payment p WHERE p.subject = a.subject AND p.program = $1 AND p.month = $4::date),
       COALESCE(e.decision_owed, false), COALESCE(r.amount_fen = e.amount_fen, false),
       COALESCE(b.until < $3::date, true), COALESCE(s.under_review, false),
       COALESCE(e.status = 'notice_of_intended_stop', false),
       COALESCE(e.status IN ('suspended', 'terminated'), false),
       EXISTS (SELECT FROM enrolment o WHERE o.subject = a.subject AND o.program = ANY ($5::text[]) AND o.listed
               AND o.status = 'active'),
       COALESCE(e.amount_fen, 0),
       COALESCE(CASE WHEN d.stops_from > $4::date THEN f.decision_id END,
                CASE WHEN e.status IN ('suspended', 'terminated') THEN e.decision_id END, r.decision_id, {_NIL}),
       COALESCE(CASE WHEN e.status IN ('suspended', 'terminated') THEN f.stops_from END, '2000-01-01')::date,
       COALESCE(t.months, 0::smallint)
FROM asked a
LEFT JOIN enrolment e ON e.subject = a.subject AND e.program = $1{_within("e", 6)}
LEFT JOIN decision d ON d.decision_id = e.decision_id
LEFT JOIN stopped f ON f.subject = a.subject
LEFT JOIN reduced r ON r.subject = a.subject
LEFT JOIN repaid t ON t.subject = a.subject
LEFT JOIN standing s ON s.subject = a.subject{_within("s", 6)}
LEFT JOIN best b ON b.subject = a.subject
ORDER BY a.ord
"""  # noqa: S608  (words of our own)
_PAY_TYPES = (
    ("subject", "(16,)u1"), ("listed", "?"), ("stopped", "?"), ("paid", "?"), ("confirmed", "?"),
    ("reduced", "?"),
    ("not_certified", "?"), ("under_review", "?"), ("notice_given", "?"), ("last_payment", "?"),
    ("excluding_program", "?"), ("amount_fen", ">i8"), ("decision", "(16,)u1"), ("stops_from", ">i4"),
    ("repaid", ">i2"),
)  # fmt: skip
PAY = np.dtype(list(_PAY_TYPES))
"""What a look before paying answers, a row a person."""


Within = tuple[UUID, UUID]
"""The first and the last subject there can be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a look-up goes by: the program, its cycle, and the day of asking."""

    program: str
    cycle_months: int
    today: date


async def ask_for(tx: WriteTx, subjects: np.ndarray) -> Within:
    """Put people, shape (n, 16), beside the tables, in their order; returns where they are."""
    await _prepare(tx, many=len(subjects) >= _MANY)
    places = pa.array(np.arange(len(subjects), dtype=np.int32))
    await tx.copy("asked", pa.table({"ord": places, "subject": arrow.subject_array(subjects)}))
    await tx.run("ANALYZE asked")
    halves = np.ascontiguousarray(subjects).view(">u8")[:, 0]
    first, last = (int(halves.min()), int(halves.max())) if len(halves) else (0, 0)
    return UUID(int=first << 64), UUID(int=(last << 64) + (1 << 64) - 1)


async def ask_for_everybody(tx: WriteTx, program: str, shard: int) -> Within:
    """Put everybody the owner lists in one shard of a program beside the tables; returns where they are."""
    await _prepare(tx, many=True)
    first, last = shard_bounds(shard)
    await tx.run(_EVERYBODY, program, first, last)
    await tx.run("ANALYZE asked")
    return first, last


async def _prepare(tx: WriteTx, *, many: bool) -> None:
    await tx.run(_ASKED)
    if many:
        # So many people are found by reading whole tables; a look-up each costs more. A few are not.
        await tx.run("SET LOCAL enable_nestloop = off")


async def look(tx: WriteTx, rule: Rule, max_age_days: int | None, within: Within) -> np.ndarray:
    """What the program hears of the people asked for: subject, answer, as_of, until, certificate, channel."""
    return await tx.columns(_SAID, _SAID_TYPES, rule.program, rule.cycle_months, rule.today, max_age_days, *within)


async def look_and_log(
    fetch: Fetch, asker: Asker, rule: Rule, subjects: np.ndarray, max_age_days: int | None
) -> np.ndarray:
    """The same as `look` of these people, shape (n, 16), in their order, with a usage row for each, in one statement.

    One value comes back: a thousand rows to be taken apart cost more than they say.
    """
    plain = np.ascontiguousarray(subjects).tobytes().hex()
    people = [plain[at : at + 32] for at in range(0, len(plain), 32)]
    asked = question(asker, rule.cycle_months, rule.today, max_age_days)
    packed = (await fetch(_LOOK_AND_LOG, people, *asked))[0]["packed"]
    return np.frombuffer(packed or b"", dtype=SAID)


@dataclass(frozen=True, slots=True, kw_only=True)
class Paying:
    """What a program pays for: a period of so many months.

    Attributes:
        excludes: programs whose benefit nobody may hold besides.
        unpaid: what takes months of it for good, though it is over.
    """

    month: date
    months: int
    excludes: tuple[str, ...]
    unpaid: Sequence[str]


async def look_before_paying(tx: WriteTx, rule: Rule, paying: Paying, within: Within) -> np.ndarray:
    """What is known of the people asked for before they are paid."""
    by = (rule.program, rule.cycle_months, rule.today, paying.month, list(paying.excludes))
    return await tx.columns(_PAY, _PAY_TYPES, *by, *within, paying.months, list(paying.unpaid))


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
