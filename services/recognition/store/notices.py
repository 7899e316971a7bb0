"""Proof that someone was told before something was stopped."""

import pyarrow as pa

from shared.kit.db import WriteTx

_STAGE = """
CREATE TEMP TABLE IF NOT EXISTS heard_proof (
    subject uuid, message_id uuid, template text, channel text, delivered_at timestamptz
) ON COMMIT DELETE ROWS
"""


async def save_proofs(tx: WriteTx, proofs: pa.Table) -> None:
    """Keep deliveries of notices; the same one twice is kept once."""
    await tx.run(_STAGE)
    await tx.copy("heard_proof", proofs)
    await tx.run(
        "INSERT INTO proof_of_notice (subject, message_id, template, channel, delivered_at) "
        "SELECT subject, message_id, template, channel, delivered_at FROM heard_proof ON CONFLICT DO NOTHING"
    )
