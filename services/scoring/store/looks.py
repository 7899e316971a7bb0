"""The log of looks: who looked at whose assessment, written before the answer leaves."""

from uuid import UUID

from shared.kit.db import WriteTx


async def note(tx: WriteTx, subject: UUID, *, client_id: str, user: str, what: str) -> None:
    """Note a look."""
    await tx.run(
        "INSERT INTO look (client_id, looked_by, subject, what) VALUES ($1, $2, $3, $4)", client_id, user, subject, what
    )
