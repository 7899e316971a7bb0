"""What recognition's programs are called."""

from collections.abc import Mapping
from typing import Final

from shared.kit.db import ReadTx, WriteTx

_KEEP: Final = """
INSERT INTO program_label (code, label) SELECT * FROM unnest($1::text[], $2::text[]) ORDER BY 1
ON CONFLICT (code) DO UPDATE SET label = excluded.label
"""


async def keep(tx: WriteTx, labels: Mapping[str, str]) -> None:
    """Keep labels by code."""
    await tx.run(_KEEP, list(labels), list(labels.values()))


async def list_all(tx: ReadTx) -> dict[str, str]:
    """Labels by code."""
    return {row["code"]: row["label"] for row in await tx.fetch("SELECT code, label FROM program_label")}
