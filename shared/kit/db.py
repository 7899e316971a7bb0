"""PostgreSQL: read and write transactions of different types, COPY inside them, and the only commit in the house."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import numpy as np
import pgpq
import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from shared.kit.db_ends import or_given_up, quietly, to_the_end
from shared.kit.db_errors import is_of_server, is_operational, tells_outcome
from shared.kit.db_types import Connection
from shared.kit.db_url import sqlalchemy_url, tls_of
from shared.kit.problems import UnavailableError

Params = Mapping[str, Any] | Sequence[Mapping[str, Any]] | None

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

_COPY_HEAD, _COPY_TAIL, _COPY_ROWS = 19, 2, 16_384
_CHANGED = "A table was changed a moment ago; nothing of this request was kept, try again shortly."
_UNKNOWN = (
    "The database went away while it committed, so whether this request was kept is unknown: send the same request "
    "again (with the same Idempotency-Key where it has one), or look up what became of it."
)


def metadata_for(service: str) -> sa.MetaData:
    """Metadata of one service: its own schema, constraints with predictable names."""
    return sa.MetaData(schema=service, naming_convention=NAMING)


class ReadTx:
    """A transaction that cannot write."""

    def __init__(self, connection: AsyncConnection, driver: asyncpg.Connection) -> None:
        self._connection = connection
        self._driver = driver
        self._has_read = False

    async def execute(self, statement: sa.Executable, params: Params = None) -> sa.CursorResult[Any]:
        """Run a SQLAlchemy Core statement."""
        self._has_read = True
        return await self._connection.execute(statement, params)

    async def all(self, statement: sa.Executable, params: Params = None) -> Sequence[sa.Row[Any]]:
        """All rows."""
        return (await self.execute(statement, params)).all()

    async def first(self, statement: sa.Executable, params: Params = None) -> sa.Row[Any] | None:
        """The first row, or None."""
        return (await self.execute(statement, params)).first()

    async def scalar(self, statement: sa.Executable, params: Params = None) -> Any:  # noqa: ANN401  (any SQL type)
        """The first column of the first row, or None."""
        return (await self.execute(statement, params)).scalar()

    async def driver(self) -> asyncpg.Connection:
        """The asyncpg connection inside this transaction, for the bulk path."""
        self._has_read = True
        return self._driver

    async def fetch(self, sql: str, *args: object) -> list[asyncpg.Record]:
        """Rows of plain SQL with `$1` parameters, without SQLAlchemy in between: for hot paths."""
        try:
            rows: list[asyncpg.Record] = await self._driver.fetch(sql, *args)
        except asyncpg.InvalidCachedStatementError:
            await self._begin_again()
            rows = await self._driver.fetch(sql, *args)
        self._has_read = True
        return rows

    async def _begin_again(self) -> None:
        """Before anything was read a new transaction is as good; afterwards it would see another moment.

        Raises:
            UnavailableError: something was read already.
        """
        if self._has_read:
            raise UnavailableError(_CHANGED)
        await self._driver.execute("ROLLBACK; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

    async def columns(self, sql: str, types: Sequence[tuple[str, str]], *args: object) -> np.ndarray:
        """All rows of a query as a numpy record array, by binary COPY: millions of rows a second.

        Args:
            sql: a query whose columns are of fixed width and never null.
            types: name and numpy type of each column as PostgreSQL sends it: `>i8` bigint, `>i4` integer or date (days
                since 2000), `>i2` smallint, `(16,)u1` uuid, `u1` boolean.
            args: of the query.
        """
        fields: list[tuple[str, str]] = [("_fields", ">i2")]
        for name, kind in types:
            fields += [(f"_{name}", ">i4"), (name, kind)]
        parts: list[bytes] = []

        async def take(piece: bytes) -> None:
            parts.append(piece)

        await (await self.driver()).copy_from_query(sql, *args, output=take, format="binary")
        raw = b"".join(parts)
        return np.frombuffer(raw[_COPY_HEAD : len(raw) - _COPY_TAIL], dtype=np.dtype(fields))


class WriteTx(ReadTx):
    """A transaction that may write; it commits where it was opened, nowhere else."""

    def __init__(self, connection: AsyncConnection, driver: asyncpg.Connection) -> None:
        super().__init__(connection, driver)
        self.after_commit: list[Callable[[], object]] = []

    async def _begin_again(self) -> None:  # type: ignore[explicit-override]  # typing knows @override from 3.12 on
        # What was written before is gone: whoever began the transaction has to begin it again.
        raise UnavailableError(_CHANGED)

    async def copy(self, table: sa.Table | str, data: pa.Table, *, schema: str | None = None) -> int:
        """COPY an Arrow table into a table; column names must match. Returns the number of rows.

        Fixed-size binary goes into uuid and bytea alike, date32 into date, timestamps into timestamptz.
        """
        if data.num_rows == 0:
            return 0
        name, where = (table, schema) if isinstance(table, str) else (table.name, table.schema)
        driver = await self.driver()
        await driver.copy_to_table(
            name, source=_encoded(data), columns=data.column_names, schema_name=where, format="binary"
        )
        rows: int = data.num_rows
        return rows

    async def run(self, sql: str, *args: object) -> str:
        """Plain SQL with `$1` parameters; returns the command tag."""
        tag: str = await (await self.driver()).execute(sql, *args)
        return tag

    async def wait_for_lock(self, name: str) -> None:
        """Hold the lock of this name until the transaction ends, however long whoever has it now works.

        The limit on statements is for work: whoever queues behind a whole city's roster is not to blame for it.
        """
        await self.run("SET LOCAL statement_timeout = 0")
        await self.run("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", name)
        await self.run("SET LOCAL statement_timeout TO DEFAULT")


async def _encoded(data: pa.Table) -> AsyncIterator[bytes]:
    """As COPY takes it, piece by piece: encoding all of it first would hold up everybody else."""
    encoder = pgpq.ArrowToPostgresBinaryEncoder(data.schema)
    yield encoder.write_header()
    for batch in data.to_batches(max_chunksize=_COPY_ROWS):
        yield encoder.write_batch(batch)
    yield encoder.finish()


async def _committed(driver: asyncpg.Connection, transaction: asyncpg.transaction.Transaction) -> None:
    """Commit; a server that goes away meanwhile may have done it or not, and nobody may be told that it has not."""
    asked = not driver.is_closed()
    try:
        await transaction.commit()
    except Exception as error:
        if not asked or tells_outcome(error):
            raise
        driver.terminate()
        raise UnavailableError(_UNKNOWN) from error


async def driver_of(connection: AsyncConnection) -> asyncpg.Connection:
    """The asyncpg connection below a SQLAlchemy one."""
    driver = (await connection.get_raw_connection()).driver_connection
    if not isinstance(driver, asyncpg.Connection):
        msg = "the driver must be asyncpg"
        raise TypeError(msg)
    return driver


class Database:
    """A pool on one database under one role.

    Args:
        url: postgresql://role:password@host:port/database
        schema: first on the search path.
        pool_size: connections of transactions at most.
        quick_size: connections of `at_once` at most, beside those.
        acquire_seconds: longest wait for a free connection, then `UnavailableError`.
        statement_seconds: longest statement.
    """

    def __init__(
        self,
        url: str,
        *,
        schema: str,
        pool_size: int = 20,
        quick_size: int = 8,
        acquire_seconds: float = 5.0,
        statement_seconds: float = 60.0,
    ) -> None:
        self.schema = schema
        self._url = sqlalchemy_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._acquire_seconds = acquire_seconds
        self._quick: asyncpg.Pool | None = None
        self._quick_size = quick_size
        self._opening = asyncio.Lock()
        self._connect_args: dict[str, Any] = {
            "ssl": tls_of(url),
            "server_settings": {
                "search_path": schema,
                "application_name": f"wugan-{schema}",
                "statement_timeout": str(int(statement_seconds * 1000)),
                "idle_in_transaction_session_timeout": "120000",
                "jit": "off",
            },
            "timeout": 10,
            "connection_class": Connection,
        }
        self.engine: AsyncEngine = create_async_engine(
            sqlalchemy_url(url),
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=acquire_seconds,
            # The connection used last knows the types and the statements: taken in turn, each had to learn them all.
            pool_use_lifo=True,
            # Transactions are the driver's own: COPY and Core statements share them, and BEGIN costs no extra question.
            isolation_level="AUTOCOMMIT",
            connect_args=self._connect_args,
        )

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ReadTx]:
        """A read-only transaction in which every statement sees the same moment: no answer is put together from two.

        Raises:
            UnavailableError: no free connection in time.
        """
        async with self._connect() as (connection, driver):
            transaction = driver.transaction(isolation="repeatable_read", readonly=True)
            await or_given_up(driver, transaction.start())
            try:
                yield ReadTx(connection, driver)
            finally:
                await to_the_end(transaction.rollback())

    @asynccontextmanager
    async def write(self) -> AsyncIterator[WriteTx]:
        """A transaction that is committed when the block ends well and rolled back when it does not.

        Raises:
            UnavailableError: no free connection in time, or the server went away; what it says of an outcome is true.
        """
        async with self._connect() as (connection, driver):
            transaction = driver.transaction()
            await or_given_up(driver, transaction.start())
            tx = WriteTx(connection, driver)
            try:
                yield tx
            except BaseException:
                await to_the_end(transaction.rollback())
                raise
            await to_the_end(_committed(driver, transaction))
        for told in tx.after_commit:
            told()

    @asynccontextmanager
    async def holding(self, name: str) -> AsyncIterator[bool]:
        """Hold a name against other processes while the block runs; False where another one holds it.

        PostgreSQL lets go by itself for a process that is killed. It costs a connection meanwhile.

        Raises:
            UnavailableError: no free connection in time.
        """
        async with self._connect() as (_, driver):
            locked = driver.fetchval("SELECT pg_try_advisory_lock(hashtextextended($1, 0))", f"holding:{name}")
            held = await or_given_up(driver, locked)
            try:
                yield bool(held)
            finally:
                if held and not driver.is_closed():
                    let_go = driver.execute("SELECT pg_advisory_unlock(hashtextextended($1, 0))", f"holding:{name}")
                    await to_the_end(quietly(let_go))

    async def at_once(self, sql: str, *args: object) -> list[asyncpg.Record]:
        """Rows of one statement that is a transaction by itself, writes included: one question to the server.

        For the hottest paths; everything else opens a transaction.

        Raises:
            UnavailableError: no free connection in time.
        """
        try:
            pool = self._quick or await self._open_quick()
            async with pool.acquire(timeout=self._acquire_seconds) as connection:
                rows: list[asyncpg.Record] = await connection.fetch(sql, *args)
                return rows
        except Exception as error:
            if not is_operational(error):
                raise
            detail = "The database is busy or does not answer; try again shortly."
            raise UnavailableError(detail) from error

    async def _open_quick(self) -> asyncpg.Pool:
        async def leave_as_is(_connection: object) -> None:
            """Single statements leave nothing behind, so the usual question on return is spared."""

        async with self._opening:
            if self._quick is None:
                self._quick = await asyncpg.create_pool(
                    self._url, min_size=0, max_size=self._quick_size, reset=leave_as_is, **self._connect_args
                )
        return self._quick

    @asynccontextmanager
    async def _connect(self) -> AsyncIterator[tuple[AsyncConnection, asyncpg.Connection]]:
        try:
            connection, driver = await self._open()
        except PoolTimeoutError as error:
            detail = "The database is busy; try again shortly."
            raise UnavailableError(detail) from error
        except Exception as error:
            if not is_operational(error):
                raise
            detail = "The database does not answer; try again shortly."
            raise UnavailableError(detail) from error
        try:
            yield connection, driver
        except UnavailableError:
            raise
        except Exception as error:
            if isinstance(error, asyncpg.InternalClientError):
                # A server that dies in the middle of a question leaves the driver between two states, of no use.
                driver.terminate()
            if (driver.is_closed() and is_operational(error)) or is_of_server(error):
                detail = "The database could not go on; nothing of this request was kept, try again shortly."
                raise UnavailableError(detail) from error
            raise
        finally:
            await to_the_end(connection.close())

    async def _open(self) -> tuple[AsyncConnection, asyncpg.Connection]:
        """A connection that is not known to be dead: a restart of the server leaves a pool full of those."""
        while True:
            connection = await self.engine.connect()
            driver = await driver_of(connection)
            if not driver.is_closed():
                return connection, driver
            await connection.invalidate()
            await connection.close()

    async def ping(self) -> None:
        """Ask the server for a sign of life.

        Raises:
            UnavailableError: it gave none.
        """
        async with self._connect() as (_, driver):
            await driver.execute("SELECT 1")

    async def close(self) -> None:
        """Close every connection."""
        if self._quick is not None:
            await self._quick.close()
        await self.engine.dispose()


async def wait_for_database(database: Database, *, attempts: int = 60, seconds: float = 0.5) -> None:
    """Wait until the server answers, a bounded number of times.

    Raises:
        UnavailableError: it never did.
    """
    for _ in range(attempts):
        try:
            await database.ping()
        except Exception as error:
            if not is_operational(error):
                raise
            await asyncio.sleep(seconds)
        else:
            return
    detail = "PostgreSQL does not answer; check WUGAN_DATABASE_URL."
    raise UnavailableError(detail)
