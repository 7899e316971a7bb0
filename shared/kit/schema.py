"""What a running service asks of its schema: its revision and its partitions. Without alembic, which only migrates."""

import re
from datetime import UTC, date, datetime
from functools import cache
from importlib import resources

import asyncpg
import sqlalchemy as sa
import structlog

from shared.kit.db import Database

log = structlog.get_logger(__name__)

_REVISION = re.compile(r"""^(down_)?revision(?:: [^=]+)? = ["'](\w+)["']""", re.MULTILINE)


@cache
def _written(service: str) -> tuple[frozenset[str], frozenset[str]]:
    """Revisions of a service, and those among them that another follows."""
    versions = resources.files(f"services.{service}") / "migrations" / "versions"
    said = [each.read_text(encoding="utf-8") for each in versions.iterdir() if each.name.endswith(".py")]
    found = [(bool(down), name) for text in said for down, name in _REVISION.findall(text)]
    return frozenset(name for down, name in found if not down), frozenset(name for down, name in found if down)


def head(service: str) -> str:
    """The revision this code expects: the one no other follows."""
    revisions, followed = _written(service)
    heads = revisions - followed
    if len(heads) != 1:
        msg = f"{service} has {len(heads)} newest migrations"
        raise RuntimeError(msg)
    return next(iter(heads))


def serves(service: str, revision: str | None) -> bool:
    """Whether this code can work on a schema of that revision: its own newest, or one only a later release knows.

    Migrations fit the version that runs beside them (DESIGN 8): while a release is rolled out, and after the way back
    from it, older processes work on the newer schema.
    """
    return revision is not None and (revision == head(service) or revision not in _written(service)[0])


async def current(database: Database) -> str | None:
    """The revision the database has, or None."""
    async with database.read() as tx:
        if await tx.scalar(sa.select(sa.func.to_regclass(f"{database.schema}.alembic_version"))) is None:
            return None
        revision: str | None = await tx.scalar(sa.text(f"SELECT version_num FROM {database.schema}.alembic_version"))
        return revision


async def ensure_partitions(database: Database, table: str, *, months: int = 3) -> None:
    """Make the monthly partitions of `table` exist for this month and the next ones; others go to the default.

    A month whose rows have already gone to the default partition stays there: that is slower, not wrong.
    """
    start = datetime.now(UTC).date().replace(day=1)
    for _ in range(months):
        end = _next_month(start)
        try:
            async with database.write() as tx:
                await tx.run(
                    f"CREATE TABLE IF NOT EXISTS {table}_{start:%Y%m} PARTITION OF {table} "
                    f"FOR VALUES FROM ('{start.isoformat()}') TO ('{end.isoformat()}')"
                )
        except asyncpg.CheckViolationError:
            log.warning("partition_stays_in_default", table=table, month=f"{start:%Y-%m}")
        start = end


def _next_month(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)
