"""Single certificates, findings and the review of a person."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import asyncpg

from services.recognition.domain.certificates import Certificate
from services.recognition.domain.standing import Finding, Suspected, kinds_of
from shared.contracts.events import CaseConcluded
from shared.contracts.vocabulary import Claim
from shared.kit.clock import day_of
from shared.kit.db import ReadTx, WriteTx

_INSERT = """
WITH person AS (INSERT INTO standing (subject) VALUES ($1) ON CONFLICT DO NOTHING)
INSERT INTO certificate (subject, certificate_id, claim, as_of, channel, strength, rule_set, cap_months, evidence_ids,
                         evidence_class, issued_on, origin, made_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, GREATEST($11::date, $4), $12, $13)
ON CONFLICT DO NOTHING
"""

_HOLD = """
INSERT INTO holding (subject, claim, cap_months, as_of, certificate_id, channel, strength)
SELECT DISTINCT ON (COALESCE(c.cap_months, 0))
       c.subject, c.claim, COALESCE(c.cap_months, 0), c.as_of, c.certificate_id, c.channel, c.strength
FROM certificate c
WHERE c.subject = $1 AND c.claim = $2
    AND NOT EXISTS (SELECT FROM revocation r WHERE r.subject = c.subject AND r.certificate_id = c.certificate_id)
ORDER BY COALESCE(c.cap_months, 0), c.as_of DESC, c.certificate_id DESC
"""

SUCCESSOR = """
COALESCE(r.successor_id, (SELECT s.certificate_id FROM certificate s
                          WHERE s.subject = r.subject AND s.origin = r.decision_id ORDER BY s.issued_on LIMIT 1))
"""
"""What holds in place of a revoked certificate: named with its revocation, or made when its decision was lifted."""

_FIND = f"""
SELECT c.claim, c.as_of, c.channel, c.issued_on, r.revoked_at, r.reason, {SUCCESSOR} AS successor_id
FROM certificate c
LEFT JOIN revocation r ON r.subject = c.subject AND r.certificate_id = c.certificate_id
WHERE c.subject = $1 AND c.certificate_id = $2 AND EXISTS (
    SELECT FROM enrolment e WHERE e.subject = $1 AND (e.listed OR $4) AND ($3::text[] IS NULL OR e.program = ANY ($3))
)
"""  # noqa: S608  (our own text)


# Messages hold few rows and tables grow from nothing within minutes: statistics lag behind, and a plan that reads a
# whole table for fifty rows costs a thousand times what look-ups by key do.
_LOCK = """
SELECT pg_advisory_xact_lock(hashtext('recognition'), shard), set_config('enable_hashjoin', 'off', true),
       set_config('enable_mergejoin', 'off', true), set_config('enable_seqscan', 'off', true)
FROM unnest($1::int[]) AS shard
"""


async def lock_shard(tx: WriteTx, shard: str) -> None:
    """Hold a shard until the end of the transaction: what arrives of one person from two sides comes one by one."""
    await lock_shards(tx, [shard])


async def lock_shards(tx: WriteTx, shards: Sequence[str]) -> None:
    """The same for several, one after the other as they are given: ascending, or two would wait for each other."""
    await tx.fetch(_LOCK, [int(shard, 16) for shard in shards])


async def lock_whole_shard(tx: WriteTx, shard: str) -> None:
    """The same for who goes through everybody of a shard: there reading tables whole is right."""
    await tx.fetch(
        "SELECT pg_advisory_xact_lock(hashtext('recognition'), $1), set_config('enable_nestloop', 'off', true)",
        int(shard, 16),
    )


async def save_certificate(tx: WriteTx, certificate: Certificate, *, made_at: datetime, origin: UUID | None) -> None:
    """Keep a certificate and let it count; one that is known changes nothing."""
    await tx.run(
        _INSERT,
        certificate.subject,
        certificate.certificate_id,
        certificate.claim,
        certificate.as_of,
        certificate.channel,
        certificate.strength,
        certificate.rule_set,
        certificate.cap_months,
        list(certificate.evidence_ids),
        list(certificate.evidence_class),
        day_of(made_at),
        origin,
        made_at,
    )
    await hold_again(tx, certificate.subject, certificate.claim)


async def hold_again(tx: WriteTx, subject: UUID, claim: Claim) -> None:
    """Work out from all of a person's certificates in force which ones count."""
    await tx.run("DELETE FROM holding WHERE subject = $1 AND claim = $2", subject, claim)
    await tx.run(_HOLD, subject, claim)


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """Why a certificate no longer holds.

    Attributes:
        successor_id: certificate that holds in its place, if one does.
        decision_id: decision it fell with, if one was made.
        revoked_by: who took it back, where no decision did.
        grounds: why, in that person's words.
    """

    subject: UUID
    certificate_id: UUID
    reason: str
    successor_id: UUID | None = None
    decision_id: UUID | None = None
    revoked_by: str | None = None
    grounds: str | None = None


async def revoke(tx: WriteTx, one: Revocation, at: datetime) -> bool:
    """Note that a certificate no longer holds; False when that was known."""
    tag = await tx.run(
        "INSERT INTO revocation (subject, certificate_id, reason, successor_id, decision_id, revoked_by, grounds, "
        "revoked_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
        one.subject,
        one.certificate_id,
        one.reason,
        one.successor_id,
        one.decision_id,
        one.revoked_by,
        one.grounds,
        at,
    )
    return tag.endswith("1")


async def is_revoked(tx: ReadTx, subject: UUID, certificate_id: UUID) -> bool:
    """Whether a certificate has been taken back."""
    return await revoked_at(tx, subject, certificate_id) is not None


async def revoked_at(tx: ReadTx, subject: UUID, certificate_id: UUID) -> datetime | None:
    """When a certificate was taken back; None where it was not."""
    rows = await tx.fetch(
        "SELECT revoked_at FROM revocation WHERE subject = $1 AND certificate_id = $2", subject, certificate_id
    )
    return rows[0]["revoked_at"] if rows else None


async def revoked_for(tx: ReadTx, subject: UUID, certificate_id: UUID) -> str | None:
    """Why a certificate was taken back; None where it was not."""
    rows = await tx.fetch(
        "SELECT reason FROM revocation WHERE subject = $1 AND certificate_id = $2", subject, certificate_id
    )
    return rows[0]["reason"] if rows else None


async def find_origin(tx: ReadTx, subject: UUID, certificate_id: UUID) -> UUID | None:
    """What a certificate came from; None for one that is not known, too."""
    rows = await tx.fetch(
        "SELECT origin FROM certificate WHERE subject = $1 AND certificate_id = $2", subject, certificate_id
    )
    return rows[0]["origin"] if rows else None


async def find_making(tx: ReadTx, subject: UUID, certificate_id: UUID) -> tuple[str | None, UUID | None]:
    """Through which channel a certificate was made, and of what; None for one that is not known."""
    rows = await tx.fetch(
        "SELECT channel, origin FROM certificate WHERE subject = $1 AND certificate_id = $2", subject, certificate_id
    )
    return (rows[0]["channel"], rows[0]["origin"]) if rows else (None, None)


async def forget_announced(tx: WriteTx, subject: UUID) -> None:
    """Let the person be told anew until when he is certified: what he was told last has been revoked."""
    await tx.run("UPDATE standing SET announced_until = NULL WHERE subject = $1", subject)


async def newest_in_force(tx: ReadTx, subject: UUID, claim: Claim, but: UUID) -> UUID | None:
    """The newest certificate of a claim that holds, apart from one."""
    rows = await tx.fetch(
        "SELECT certificate_id FROM certificate c WHERE subject = $1 AND claim = $2 AND certificate_id <> $3 "
        "AND NOT EXISTS (SELECT FROM revocation r WHERE r.subject = c.subject AND r.certificate_id = c.certificate_id) "
        "ORDER BY as_of DESC, certificate_id DESC LIMIT 1",
        subject,
        claim,
        but,
    )
    return rows[0]["certificate_id"] if rows else None


async def list_in_force(tx: ReadTx, subject: UUID, *, since: date) -> list[UUID]:
    """Certificates of a person that have not been revoked and rest on a day from `since` on."""
    rows = await tx.fetch(
        "SELECT certificate_id FROM certificate c WHERE subject = $1 AND as_of >= $2 AND NOT EXISTS "
        "(SELECT FROM revocation r WHERE r.subject = c.subject AND r.certificate_id = c.certificate_id)",
        subject,
        since,
    )
    return [row["certificate_id"] for row in rows]


async def were_revoked(tx: ReadTx, subject: UUID, decision_id: UUID, others: Sequence[UUID]) -> bool:
    """Whether one of these decisions revoked a certificate of the person, which every program of his was told."""
    rows = await tx.fetch(
        "SELECT FROM revocation WHERE subject = $1 AND decision_id = ANY ($2) LIMIT 1", subject, [decision_id, *others]
    )
    return bool(rows)


async def programs_of(tx: ReadTx, subject: UUID) -> list[str]:
    """Every program that knows the person, ended ones too."""
    rows = await tx.fetch("SELECT program FROM enrolment WHERE subject = $1 ORDER BY program", subject)
    return [row["program"] for row in rows]


async def save_finding(tx: WriteTx, fact: CaseConcluded, until_on: date | None) -> None:
    """Keep what people concluded on a case; a later conclusion of the same case replaces it, and speaks of its event.

    Args:
        tx: the transaction.
        fact: the conclusion.
        until_on: last day of which it speaks, where it clears.
    """
    await tx.run(
        "INSERT INTO finding (case_id, subject, kind, conclusion, event_on, concluded_at, verified_by, concluded_by, "
        "evidence_ids, until_on) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (case_id) DO UPDATE SET "
        "kind = excluded.kind, conclusion = excluded.conclusion, event_on = excluded.event_on, "
        "concluded_at = excluded.concluded_at, verified_by = excluded.verified_by, "
        "concluded_by = excluded.concluded_by, evidence_ids = excluded.evidence_ids, "
        "until_on = CASE WHEN excluded.until_on IS NOT NULL THEN GREATEST(excluded.until_on, finding.event_on) END "
        "WHERE finding.concluded_at < excluded.concluded_at",
        fact.case_id,
        fact.subject,
        fact.kind,
        fact.conclusion,
        fact.event_on,
        fact.concluded_at,
        fact.verified_by,
        fact.concluded_by,
        list(fact.evidence_ids),
        until_on,
    )


async def note_finding(tx: WriteTx, subject: UUID, finding: Finding, at: datetime) -> None:
    """Let a conclusion count in the person's review: a maximum, so order does not matter."""
    if finding is Finding.NEITHER:
        return
    column = "cleared_at" if finding is Finding.CLEARS else "confirmed_at"
    await tx.run(
        f"INSERT INTO standing (subject, {column}) VALUES ($1, $2) "  # noqa: S608  (one of two fixed names)
        f"ON CONFLICT (subject) DO UPDATE SET {column} = GREATEST(standing.{column}, excluded.{column})",
        subject,
        at,
    )


async def find_suspected(tx: ReadTx, subject: UUID) -> Suspected | None:
    """The opinion a person is under review for; None where he is not."""
    rows = await tx.fetch("SELECT said_at, as_of, reasons FROM standing WHERE subject = $1 AND under_review", subject)
    if not rows:
        return None
    said_at, as_of, reasons = rows[0]
    return Suspected(said_at=said_at, kinds=kinds_of(reasons or ()), since=as_of)


async def find_certificate(
    tx: ReadTx, subject: UUID, certificate_id: UUID, programs: Sequence[str] | None, *, once_listed: bool = False
) -> asyncpg.Record | None:
    """A certificate and its revocation, of a person one of these programs lists, or has listed once."""
    rows = await tx.fetch(_FIND, subject, certificate_id, None if programs is None else list(programs), once_listed)
    return rows[0] if rows else None
