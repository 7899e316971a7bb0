"""Which errors are trouble of the surroundings, that passes, and not of what was asked."""

from collections.abc import Iterator

import asyncpg
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from shared.kit.problems import UnavailableError

# The server starts, stops or has died, and ends the connection with it.
_LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
)

# The server has no room for it now, and nothing but an operator makes some; a statement over a limit that was set for
# statements (ConfigurationLimitExceededError of the same class, e.g. `temp_file_limit`) will be over it again.
_FULL = (asyncpg.TooManyConnectionsError, asyncpg.DiskFullError, asyncpg.OutOfMemoryError)

# A table was changed under a statement a connection had prepared: the driver forgets the statement and asks anew next
# time, but within a transaction it cannot ask again by itself.
_STALE = (asyncpg.InvalidCachedStatementError, asyncpg.OutdatedSchemaCacheError)

# Trouble of the connection or the server, not of what was asked: count it, wait, try again.
# A cancelled statement (QueryCanceledError: a limit of time, a wait for a lock among it) is not here, though mostly the
# server is only busy: a consumer hands over for ever what is here and never parks it, and a message whose statement
# always takes too long would hold up its shard for good. It is a try, as it stands: eight of them, each as long as a
# statement may take, outlast what a busy server does; an HTTP caller is told to come again in any case.
_OPERATIONAL = (
    OperationalError,
    InterfaceError,
    PoolTimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    ConnectionError,
    OSError,
    UnavailableError,
    *_LOST,
    *_FULL,
    *_STALE,
)


def is_operational(error: BaseException) -> bool:
    """Whether `error` is trouble of the surroundings that passes, rather than of the message or the code."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    return any(isinstance(each, _OPERATIONAL) for each in _causes(error))


def is_of_server(error: BaseException) -> bool:
    """Whether the server itself said that it cannot do this now."""
    return any(isinstance(each, (*_LOST, *_FULL, *_STALE)) for each in _causes(error))


def tells_outcome(error: BaseException) -> bool:
    """Whether an error in answer to a COMMIT says what became of it: nothing is kept of what the server refused."""
    return isinstance(error, asyncpg.PostgresError) and not isinstance(error, _LOST)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, and what SQLAlchemy has wrapped in it: whatever the driver raises is a plain DBAPIError outside.

    What else was raised from something (`raise ... from`) is judged as what it was raised as.
    """
    yield error
    below: BaseException | None = error.orig if isinstance(error, DBAPIError) else None
    while below is not None:
        yield below
        below = below.__cause__
