"""What arrives in bulk: rosters and assessments, copied beside the tables and merged into them as sets."""

from datetime import date, datetime
from uuid import UUID

import asyncpg
import pyarrow as pa

from shared.kit.db import WriteTx

# Made once a connection and emptied at each commit: a new table a message would bloat the catalogue.
_HEARD_ASSESSMENTS = """
CREATE TEMP TABLE IF NOT EXISTS heard_assessment (
    subject uuid, level text, decision text, as_of date, strength text, cap_months smallint, reasons text[],
    evidence_ids bigint[], evidence_class text[], certificate_id uuid
) ON COMMIT DELETE ROWS
"""

# What names evidence that had been taken back before certifies nobody, as if the certificate had been revoked since.
_WITHHOLD = """
UPDATE heard_assessment h SET certificate_id = NULL
WHERE h.certificate_id IS NOT NULL AND EXISTS (
    SELECT FROM withdrawn_evidence w WHERE w.subject = h.subject AND w.evidence_id = ANY (h.evidence_ids)
)
"""

_MERGE_ASSESSMENTS = """
WITH latest AS (
    INSERT INTO standing (subject, level, decision, as_of, rule_set, reasons, assessed_on, said_at, said_id)
    SELECT subject, level, decision, as_of, $1, reasons, $2, $3, $4 FROM heard_assessment
    ON CONFLICT (subject) DO UPDATE SET
        level = excluded.level, decision = excluded.decision, as_of = excluded.as_of, rule_set = excluded.rule_set,
        reasons = excluded.reasons, assessed_on = excluded.assessed_on, said_at = excluded.said_at,
        said_id = excluded.said_id
    WHERE standing.said_at IS NULL OR (standing.said_at, standing.said_id) < (excluded.said_at, excluded.said_id)
), certified AS (
    INSERT INTO certificate (subject, certificate_id, claim, as_of, channel, strength, rule_set, cap_months,
                             evidence_ids, evidence_class, issued_on)
    SELECT subject, certificate_id, 'alive', as_of, 'data', strength, $1, cap_months, evidence_ids, evidence_class,
           GREATEST($5::date, as_of)
    FROM heard_assessment WHERE certificate_id IS NOT NULL
    ON CONFLICT DO NOTHING
)
INSERT INTO holding (subject, claim, cap_months, as_of, certificate_id, channel, strength)
SELECT h.subject, 'alive', COALESCE(h.cap_months, 0), h.as_of, h.certificate_id, 'data', h.strength
FROM heard_assessment h
WHERE h.certificate_id IS NOT NULL AND NOT EXISTS (
    SELECT FROM revocation r WHERE r.subject = h.subject AND r.certificate_id = h.certificate_id
)
ON CONFLICT (subject, claim, cap_months) DO UPDATE SET
    as_of = excluded.as_of, certificate_id = excluded.certificate_id, channel = excluded.channel,
    strength = excluded.strength
WHERE (holding.as_of, holding.certificate_id) < (excluded.as_of, excluded.certificate_id)
"""

_HEARD_ENROLMENTS = """
CREATE TEMP TABLE IF NOT EXISTS heard_enrolment (
    subject uuid, listed boolean, amount_fen bigint, division text, group_no smallint, household uuid, sex text,
    born_on date, started_on date, ended_on date, due_on date
) ON COMMIT DELETE ROWS
"""

_MERGE_ENROLMENTS = """
WITH merged AS (
INSERT INTO enrolment (subject, program, listed, amount_fen, division, group_no, household, sex, born_on, started_on,
                       ended_on, due_on, received_at)
SELECT subject, $1, listed, amount_fen, division, group_no, household, sex, born_on, started_on, ended_on, due_on, $2
FROM heard_enrolment
ON CONFLICT (subject, program) DO UPDATE SET
    listed = excluded.listed, amount_fen = excluded.amount_fen, division = excluded.division,
    group_no = excluded.group_no, household = excluded.household, sex = excluded.sex, born_on = excluded.born_on,
    started_on = excluded.started_on, ended_on = excluded.ended_on, due_on = excluded.due_on,
    received_at = excluded.received_at
WHERE enrolment.received_at < excluded.received_at
RETURNING enrolment.subject, enrolment.status, enrolment.listed, enrolment.amount_fen, old.amount_fen AS before
), amounts AS (
    INSERT INTO enrolment_amount (subject, program, from_on, fen)
    SELECT m.subject, $1, a.from_on, a.fen FROM merged m CROSS JOIN LATERAL (
        VALUES ('0001-01-01'::date, m.before),
               (date_trunc('month', $2::timestamptz AT TIME ZONE 'Asia/Shanghai')::date, m.amount_fen)
    ) a (from_on, fen)
    WHERE m.before <> m.amount_fen
    ON CONFLICT (subject, program, from_on) DO UPDATE SET fen = excluded.fen WHERE excluded.from_on > '0001-01-01'
)
SELECT subject FROM merged WHERE status = 'terminated' AND listed
"""


async def merge_assessments(  # noqa: PLR0913  (a message has this many parts)
    tx: WriteTx, heard: pa.Table, *, rule_set: str, assessed_on: date, said_at: datetime, said_id: UUID, today: date
) -> None:
    """Take in assessments, one row a subject; those with a certificate_id become certificates.

    Unless they rest on evidence that is known to have been taken back.
    """
    await tx.run(_HEARD_ASSESSMENTS)
    await tx.copy("heard_assessment", heard)
    # Twenty thousand people are heard of at once, and a city may never have had to take anything back.
    if await tx.fetch("SELECT FROM withdrawn_evidence LIMIT 1"):
        await tx.run(_WITHHOLD)
    await tx.run(_MERGE_ASSESSMENTS, rule_set, assessed_on, said_at, said_id, today)


async def merge_enrolments(tx: WriteTx, heard: pa.Table, *, program: str, received_at: datetime) -> list[UUID]:
    """Take in what a roster said of one program, one row a subject; what is older than known changes nothing.

    Returns:
        Whom it lists although officers have ended the benefit.
    """
    await tx.run(_HEARD_ENROLMENTS)
    await tx.copy("heard_enrolment", heard)
    return [row["subject"] for row in await tx.fetch(_MERGE_ENROLMENTS, program, received_at)]


_HEARD_CORRECTIONS = """
CREATE TEMP TABLE IF NOT EXISTS heard_correction (subject uuid, evidence_id bigint) ON COMMIT DELETE ROWS
"""

_KEEP_CORRECTIONS = """
INSERT INTO withdrawn_evidence (subject, evidence_id) SELECT subject, evidence_id FROM heard_correction
ON CONFLICT DO NOTHING
"""

_RESTING_ON = """
SELECT DISTINCT c.subject, c.certificate_id
FROM heard_correction h JOIN certificate c ON c.subject = h.subject AND h.evidence_id = ANY (c.evidence_ids)
WHERE NOT EXISTS (SELECT FROM revocation r WHERE r.subject = c.subject AND r.certificate_id = c.certificate_id)
ORDER BY c.subject, c.certificate_id
"""

_LEFT = """
SELECT h.subject, h.as_of, h.cap_months, h.strength, h.evidence_ids, h.evidence_class, s.rule_set
FROM heard_assessment h
JOIN revocation r ON r.subject = h.subject AND r.certificate_id = h.certificate_id AND r.reason = $1
JOIN certificate c ON c.subject = h.subject AND c.certificate_id = h.certificate_id
JOIN standing s ON s.subject = h.subject
WHERE NOT c.evidence_ids <@ h.evidence_ids ORDER BY h.subject
"""


async def keep_corrections(tx: WriteTx, heard: pa.Table) -> list[asyncpg.Record]:
    """Keep that this evidence was taken back; the certificates in force that rest on it: subject, certificate_id."""
    await tx.run(_HEARD_CORRECTIONS)
    await tx.copy("heard_correction", heard)
    await tx.run(_KEEP_CORRECTIONS)
    return await tx.fetch(_RESTING_ON)


async def list_left_of_withdrawn(tx: WriteTx, reason: str) -> list[asyncpg.Record]:
    """Opinions just heard that certify under the name of a certificate revoked for this reason, by other evidence."""
    # Nearly always none: evidence is seldom taken back, and twenty thousand people are heard of at once.
    if not await tx.fetch("SELECT FROM revocation WHERE reason = $1 LIMIT 1", reason):
        return []
    return await tx.fetch(_LEFT, reason)


_ANNOUNCE = """
WITH per_program AS (
    SELECT e.subject, b.*, ($3::int[])[p.at] AS warning, e.due_on, ($5::bool[])[p.at] AS asks_more
    FROM {subjects} s
    JOIN enrolment e ON e.subject = s.subject AND e.listed AND e.status <> 'terminated' AND NOT e.decision_owed
    CROSS JOIN LATERAL (SELECT array_position($1::text[], e.program) AS at OFFSET 0) p
    CROSS JOIN LATERAL (
        SELECT h.certificate_id, h.as_of, h.channel, h.strength,
               valid_until(h.as_of, ($2::int[])[p.at], NULLIF(h.cap_months, 0)::int) AS until
        FROM holding h WHERE h.subject = e.subject AND h.claim = 'alive' ORDER BY until DESC, as_of DESC LIMIT 1
    ) b
    WHERE p.at IS NOT NULL
), chosen AS (
    SELECT DISTINCT ON (subject) *, count(*) FILTER (WHERE until >= $4 AND NOT asks_more) OVER everybody AS programs,
           bool_and(GREATEST(until, due_on) > $4::date + warning) OVER everybody AS clear,
           bool_and(until >= $4) OVER everybody AS everywhere
    FROM per_program WINDOW everybody AS (PARTITION BY subject)
    ORDER BY subject, until < $4, until, as_of DESC
), told AS (
    UPDATE standing t SET announced_until = c.until
    FROM chosen c
    WHERE t.subject = c.subject AND c.until >= $4 AND NOT t.under_review
        AND (t.announced_until IS NULL OR t.announced_until < c.until)
    RETURNING c.subject, c.certificate_id, c.as_of, c.channel, c.strength, c.until, c.programs,
              old.announced_until AS previous_until
), cleared AS (
    -- What outlasts the end he was looked for by closes the knock: a run asks anew by the next one, however near.
    UPDATE due d SET cleared_on = $4 FROM chosen c
    WHERE d.subject = c.subject AND d.cleared_on IS NULL AND (c.clear OR c.everywhere AND c.until > d.due_on)
)
SELECT uuid_send(subject) AS subject, uuid_send(certificate_id) AS certificate_id, as_of, channel, strength,
       until AS valid_until, programs::smallint AS programs, previous_until
FROM told
"""

_OF_ASSESSMENTS = _ANNOUNCE.format(
    subjects="(SELECT DISTINCT subject FROM heard_assessment WHERE certificate_id IS NOT NULL)"
)
_OF_ENROLMENTS = _ANNOUNCE.format(subjects="(SELECT DISTINCT subject FROM heard_enrolment WHERE listed)")
_OF_SUBJECTS = _ANNOUNCE.format(subjects="(SELECT DISTINCT unnest($6::uuid[]) AS subject)")


class Cycles:
    """Cycle and warning of every program on one day, and whether it asks the person for more; as arrays for SQL."""

    def __init__(self, codes: list[str], months: list[int], warnings: list[int], asks_more: list[bool]) -> None:
        self.codes = codes
        self.months = months
        self.warnings = warnings
        self.asks_more = asks_more


def _numbers(cycles: Cycles, today: date) -> tuple[object, ...]:
    return cycles.codes, cycles.months, cycles.warnings, today, cycles.asks_more


async def announce_assessed(tx: WriteTx, cycles: Cycles, today: date) -> list[asyncpg.Record]:
    """Who of the assessments just taken in is newly or longer certified; noted as told."""
    return await tx.fetch(_OF_ASSESSMENTS, *_numbers(cycles, today))


async def announce_enrolled(tx: WriteTx, cycles: Cycles, today: date) -> list[asyncpg.Record]:
    """Who of the roster just taken in had been certified before it came; noted as told."""
    return await tx.fetch(_OF_ENROLMENTS, *_numbers(cycles, today))


async def announce_subjects(tx: WriteTx, cycles: Cycles, today: date, subjects: list[UUID]) -> list[asyncpg.Record]:
    """Who of these people is newly or longer certified; noted as told."""
    return await tx.fetch(_OF_SUBJECTS, *_numbers(cycles, today), subjects)
