"""Where a text stands in a database for everybody to read: what is sealed must be found nowhere."""

import json
from urllib.parse import quote

import sqlalchemy as sa

from shared.kit.db import Database


async def plain(database: Database, metadata: sa.MetaData, text: str) -> list[str]:
    """Tables that hold the text in any cell: as it is, as JSON escapes it, or as a header's percent code."""
    forms = [text, json.dumps(text).strip('"'), quote(text)]
    async with database.read() as tx:
        return [
            table.name
            for table in metadata.sorted_tables
            for row in await tx.fetch(f"SELECT * FROM {table.schema}.{table.name}")
            if any(form in _read(cell) for cell in row.values() for form in forms)
        ]


def _read(cell: object) -> str:
    return cell.decode(errors="ignore") if isinstance(cell, bytes) else str(cell)
