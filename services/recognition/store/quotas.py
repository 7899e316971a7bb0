"""How many people each client has asked for on a day."""

from shared.kit.db import Database


async def reserve(database: Database, client_id: str, day: int, people: int) -> int:
    """Count people for a client and day (days since 1970); the count so far, these included."""
    rows = await database.at_once(
        "INSERT INTO quota (client_id, day, people) VALUES ($1, $2, $3) "
        "ON CONFLICT (client_id, day) DO UPDATE SET people = quota.people + excluded.people RETURNING people",
        client_id,
        day,
        people,
    )
    return int(rows[0]["people"])
