"""`wugan replay`: JetStream's streams made anew from the outboxes, which keep what was said.

Rows are marked unsaid; the relay of each service says them again in their order under the ids they had. Whoever heard
one before finds it in his inbox and does nothing, so a replay is safe at any time, twice as well.
"""

from collections.abc import Mapping

import asyncpg

DAYS = {"ingest": 14, "scoring": 30, "recognition": 90, "grid": 30, "notify": 14}
"""How far back, by service: what its stream would still hold (limits of shared/kit/bus)."""


async def replay(databases: Mapping[str, str], *, days: int | None = None) -> dict[str, int]:
    """Mark what was said as unsaid; the number of messages by service.

    Args:
        databases: URL by service whose outbox it is, of its own role or of an administrator; where there is none it is
            left out.
        days: how far back; by default as far as each stream keeps.
    """
    counts = {}
    for service, url in databases.items():
        connection = await asyncpg.connect(url, timeout=10)
        try:
            if await connection.fetchval("SELECT to_regclass($1)", f"{service}.outbox") is None:
                continue
            tag = await connection.execute(
                f"UPDATE {service}.outbox SET published_at = NULL "  # noqa: S608  (our own five names)
                "WHERE published_at IS NOT NULL AND created_at >= now() - make_interval(days => $1)",
                DAYS[service] if days is None else days,
            )
            counts[service] = int(tag.split()[-1])
        finally:
            await connection.close()
    return counts
