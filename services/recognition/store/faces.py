"""Sessions of self-certification by face, and the assertions that were used."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from services.recognition.domain.faces import FaceRefusal, FaceState
from shared.kit.db import ReadTx, WriteTx


@dataclass(frozen=True, slots=True, kw_only=True)
class FaceSession:
    """One try.

    Attributes:
        expires_at: wall time.
    """

    session_id: UUID
    subject: UUID
    client_id: str
    nonce: str
    assisted: bool
    opened_at: datetime
    expires_at: datetime
    state: FaceState
    refused_for: FaceRefusal | None
    certificate_id: UUID | None


_COLUMNS = ", ".join(FaceSession.__dataclass_fields__)


def _session(row: asyncpg.Record) -> FaceSession:
    words = {
        "state": FaceState(row["state"]),
        "refused_for": FaceRefusal(row["refused_for"]) if row["refused_for"] else None,
    }
    return FaceSession(**{**row, **words})


async def add_session(tx: WriteTx, session: FaceSession) -> None:
    """Open a session."""
    await tx.run(
        "INSERT INTO face_session (session_id, subject, client_id, nonce, assisted, opened_at, expires_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7)",
        session.session_id,
        session.subject,
        session.client_id,
        session.nonce,
        session.assisted,
        session.opened_at,
        session.expires_at,
    )


async def find_session(tx: ReadTx, session_id: UUID, subject: UUID) -> FaceSession | None:
    """A session of this person; inside a write it is held until the end."""
    hold = " FOR UPDATE" if isinstance(tx, WriteTx) else ""
    rows = await tx.fetch(
        f"SELECT {_COLUMNS} FROM face_session WHERE session_id = $1 AND subject = $2{hold}",  # noqa: S608
        session_id,
        subject,
    )
    return _session(rows[0]) if rows else None


async def count_since(tx: ReadTx, subject: UUID, since: datetime) -> int:
    """Sessions a person opened since an instant."""
    rows = await tx.fetch(
        "SELECT count(*) AS sessions FROM face_session WHERE subject = $1 AND opened_at > $2", subject, since
    )
    return int(rows[0]["sessions"])


async def use_assertion(tx: WriteTx, issuer: str, jti: str) -> bool:
    """Take an assertion; False when it was used before."""
    tag = await tx.run("INSERT INTO face_assertion (issuer, jti) VALUES ($1, $2) ON CONFLICT DO NOTHING", issuer, jti)
    return tag.endswith("1")


async def finish_session(  # noqa: PLR0913  (a result has this many parts)
    tx: WriteTx,
    session_id: UUID,
    *,
    state: FaceState,
    refused_for: FaceRefusal | None,
    score: float,
    certificate_id: UUID | None,
    at: datetime,
) -> None:
    """Note how a session ended; it takes no second assertion."""
    await tx.run(
        "UPDATE face_session SET state = $2, refused_for = $3, score = $4, certificate_id = $5, finished_at = $6 "
        "WHERE session_id = $1",
        session_id,
        state,
        refused_for,
        score,
        certificate_id,
        at,
    )
