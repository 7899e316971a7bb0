"""Certifications peer departments made themselves."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.recognition.domain.peers import IdCheck, PeerMethod
from services.recognition.domain.programs import ENDS_LIFE
from services.recognition.store.records import insert
from shared.kit.db import ReadTx, WriteTx


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerCertificate:
    """What a department says it has certified; `certificate_id` is the certificate that came of it."""

    peer_id: UUID
    client_id: str
    reference: str
    subject: UUID
    certificate_id: UUID
    program: str
    department: str
    method: PeerMethod
    certified_by: str
    received_at: datetime
    id_check: IdCheck | None = None


_COLUMNS = ", ".join(PeerCertificate.__dataclass_fields__)


async def add_peer(tx: WriteTx, one: PeerCertificate) -> None:
    """Keep what a department certified."""
    await insert(tx, "peer_certificate", one)


async def find_peer(tx: ReadTx, client_id: str, reference: str) -> PeerCertificate | None:
    """What a client certified under one of its own references."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM peer_certificate WHERE client_id = $1 AND reference = $2",  # noqa: S608
        client_id,
        reference,
    )
    return PeerCertificate(**{**rows[0], "method": PeerMethod(rows[0]["method"])}) if rows else None


async def list_behind(tx: ReadTx, subject: UUID, certificate_id: UUID) -> list[PeerCertificate]:
    """Who stands behind a certificate and has not taken it back: two offices may see a person on one day."""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM peer_certificate "  # noqa: S608  (column names)
        "WHERE subject = $1 AND certificate_id = $2 AND withdrawn_at IS NULL ORDER BY peer_id",
        subject,
        certificate_id,
    )
    return [PeerCertificate(**{**row, "method": PeerMethod(row["method"])}) for row in rows]


async def withdraw(tx: WriteTx, those: Iterable[PeerCertificate], at: datetime) -> None:
    """Note that these are taken back."""
    await tx.run(
        "UPDATE peer_certificate SET withdrawn_at = $2 WHERE peer_id = ANY ($1) AND withdrawn_at IS NULL",
        [each.peer_id for each in those],
        at,
    )


async def is_of_another(tx: ReadTx, subject: UUID, certificate_id: UUID) -> bool:
    """Whether a certificate came from no certification of these: an officer established that the person lives."""
    rows = await tx.fetch(
        "SELECT FROM certificate c WHERE subject = $1 AND certificate_id = $2 AND origin IS NOT NULL AND NOT EXISTS "
        "(SELECT FROM peer_certificate p WHERE p.peer_id = c.origin)",
        subject,
        certificate_id,
    )
    return bool(rows)


async def is_listed(tx: ReadTx, subject: UUID, program: str) -> bool:
    """Whether the owner's roster lists the person."""
    return bool(
        await tx.fetch("SELECT FROM enrolment WHERE subject = $1 AND program = $2 AND listed", subject, program)
    )


_LOOKED_INTO = """
SELECT WHERE EXISTS (SELECT FROM standing WHERE subject = $1 AND under_review)
    OR EXISTS (SELECT FROM enrolment WHERE subject = $1 AND decision_owed)
    OR EXISTS (SELECT FROM proposal WHERE subject = $1 AND reason = ANY ($2) AND state IN ('open', 'decided'))
    OR EXISTS (SELECT FROM decision WHERE subject = $1 AND reason = ANY ($2) AND state IN ('notice', 'effective'))
"""


async def is_looked_into(tx: ReadTx, subject: UUID) -> bool:
    """Whether people look into something about a person, or have decided that he is dead."""
    return bool(await tx.fetch(_LOOKED_INTO, subject, sorted(ENDS_LIFE)))
