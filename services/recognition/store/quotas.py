"""How many people each client has asked for on a day."""

from services.recognition.store.lookups import Fetch
from shared.kit.db import Database, WriteTx

_RESERVE = """
INSERT INTO quota (client_id, day, people) SELECT $1, $2, $3 WHERE $3::bigint <= $4::bigint
ON CONFLICT (client_id, day) DO UPDATE SET people = quota.people + excluded.people
WHERE quota.people + excluded.people <= $4
RETURNING people
"""


async def reserve(database: Database, client_id: str, day: int, people: int, most: int) -> int | None:
    """Count people for a client and day (days since 1970); the count so far, these included.

    None where they would be more than `most`: then nothing is counted.
    """
    return await _reserve(database.at_once, client_id, day, people, most)


async def reserve_in(tx: WriteTx, client_id: str, day: int, people: int, most: int) -> int | None:
    """The same within what is done for them."""
    return await _reserve(tx.fetch, client_id, day, people, most)


async def _reserve(fetch: Fetch, client_id: str, day: int, people: int, most: int) -> int | None:
    rows = await fetch(_RESERVE, client_id, day, people, most)
    return int(rows[0]["people"]) if rows else None
