"""Which errors are trouble of the surroundings, that passes, and not of what was asked."""

import asyncpg
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from shared.kit.problems import UnavailableError

# Trouble of the connection or the server, not of what was asked: count it, wait, try again.
_OPERATIONAL = (
    OperationalError,
    InterfaceError,
    PoolTimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.exceptions.CannotConnectNowError,
    asyncpg.exceptions.AdminShutdownError,
    asyncpg.exceptions.CrashShutdownError,
    ConnectionError,
    OSError,
    UnavailableError,
    asyncpg.InvalidCachedStatementError,
)

# A table was changed under a statement a connection had prepared: the driver forgets the statement and asks anew next
# time, but within a transaction it cannot ask again by itself.
_STALE = (asyncpg.InvalidCachedStatementError, asyncpg.OutdatedSchemaCacheError)


def is_operational(error: BaseException) -> bool:
    """Whether `error` is trouble of the surroundings that passes, rather than of the message or the code."""
    if isinstance(error, DBAPIError) and error.orig is not None and isinstance(error.orig.__cause__, _STALE):
        return True
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    return isinstance(error, _OPERATIONAL)
