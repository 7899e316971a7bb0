"""How many connections each service process may hold, so that all of them together fit the server."""

from collections.abc import Mapping

from deploy.local.database import Server, ask
from deploy.local.errors import TooFewConnectionsError

# What a process takes where there is room: `db_pool_size` and `db_quick_size` of its settings.
FULL = {"WUGAN_DB_POOL_SIZE": 20, "WUGAN_DB_QUICK_SIZE": 8}
LEAST = {"WUGAN_DB_POOL_SIZE": 6, "WUGAN_DB_QUICK_SIZE": 2}
OTHERS = 10
"""Kept for who is no service process: migrations, backup, reconciliation, a person with psql."""

_ROOM = (
    "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int"
    " - coalesce(current_setting('reserved_connections', true)::int, 0)"
)


async def shares(server: Server, processes: int) -> Mapping[str, str]:
    """What the environment of each of so many processes says of connections; nothing where each may take its fill.

    Raises:
        TooFewConnectionsError: the server has too few for what a process cannot do without.
    """
    return share(int(await ask(server, "postgres", _ROOM)), processes) if processes else {}


def share(room: int, processes: int) -> Mapping[str, str]:
    """The same, of a server on which roles without special rights may hold `room` connections."""
    each, full, least = (room - OTHERS) // processes, sum(FULL.values()), sum(LEAST.values())
    if each >= full:
        return {}
    if each < least:
        raise TooFewConnectionsError(room, processes, processes * least + OTHERS)
    quick = max(LEAST["WUGAN_DB_QUICK_SIZE"], each * FULL["WUGAN_DB_QUICK_SIZE"] // full)
    return {"WUGAN_DB_POOL_SIZE": str(each - quick), "WUGAN_DB_QUICK_SIZE": str(quick)}
