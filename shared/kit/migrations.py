"""Migrations of one service by alembic: its own schema, its own version table, and the tables of the plumbing."""

from importlib import resources
from io import StringIO

import sqlalchemy as sa
import structlog
from alembic import command, context, op
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.ext.asyncio import create_async_engine

from shared.kit.db_url import sqlalchemy_url, tls_of

log = structlog.get_logger(__name__)


def _config(service: str, url: str = "") -> Config:
    config = Config()
    config.set_main_option("script_location", str(resources.files(f"services.{service}") / "migrations"))
    config.attributes["service"] = service
    config.attributes["url"] = url
    return config


async def upgrade(service: str, url: str, *, revision: str = "head") -> None:
    """Bring the schema of `service` to `revision`. Two processes at once do it one after the other.

    A schema that only a later release knows is left as it is: this one can work on it (`schema.serves`).
    """
    engine = create_async_engine(sqlalchemy_url(url), connect_args={"ssl": tls_of(url)})
    try:
        async with engine.connect() as connection:
            await connection.execute(
                sa.text("SELECT pg_advisory_lock(hashtext(:name))"), {"name": f"migrate:{service}"}
            )
            await connection.commit()
            config = _config(service)

            def run(sync: sa.Connection) -> None:
                config.attributes["connection"] = sync
                if found := _of_a_later_release(service, sync):
                    log.warning("schema_of_a_later_release", revision=found)
                    return
                command.upgrade(config, revision)

            await connection.run_sync(run)
            await connection.commit()
    finally:
        await engine.dispose()


def _of_a_later_release(service: str, connection: sa.Connection) -> str | None:
    """The revision a schema has, where this code has none of that name."""
    found = MigrationContext.configure(connection, opts={"version_table_schema": service}).get_current_revision()
    return found if found and found not in revisions(service) else None


def sql_of(service: str, before: str, revision: str) -> str:
    """The statements that bring the schema of `service` from one revision to another, run by nobody."""
    config = _config(service)
    config.output_buffer = StringIO()
    command.upgrade(config, f"{before}:{revision}", sql=True)
    return config.output_buffer.getvalue()


def revisions(service: str) -> list[str]:
    """Every revision, oldest first."""
    walked = ScriptDirectory.from_config(_config(service)).walk_revisions()
    return [script.revision for script in walked][::-1]


def run_env(metadata: sa.MetaData) -> None:
    """Body of a service's `migrations/env.py`."""
    schema = context.config.attributes["service"]
    if context.is_offline_mode():
        context.configure(dialect_name="postgresql", version_table_schema=schema)
    else:
        connection: sa.Connection = context.config.attributes["connection"]
        # A migration that waits for a lock would stop everybody behind it.
        connection.execute(sa.text("SET lock_timeout = '5s'"))
        connection.execute(sa.text("SET statement_timeout = '0'"))
        context.configure(
            connection=connection,
            target_metadata=metadata,
            version_table_schema=schema,
            include_schemas=True,
            transactional_ddl=True,
        )
    with context.begin_transaction():
        context.run_migrations()


PLATFORM_TABLES = (
    """CREATE TABLE {schema}.outbox (
        seq bigint GENERATED ALWAYS AS IDENTITY,
        created_at timestamptz NOT NULL DEFAULT now(),
        id uuid NOT NULL,
        subject text NOT NULL,
        headers jsonb NOT NULL,
        body bytea NOT NULL,
        published_at timestamptz,
        CONSTRAINT pk_outbox PRIMARY KEY (seq, created_at)
    ) PARTITION BY RANGE (created_at)""",
    # Bodies are zstd already: compressing them again costs time and gains nothing.
    "ALTER TABLE {schema}.outbox ALTER COLUMN body SET STORAGE EXTERNAL",
    "CREATE INDEX ix_outbox_pending ON {schema}.outbox (seq) WHERE published_at IS NULL",
    "CREATE TABLE {schema}.outbox_rest PARTITION OF {schema}.outbox DEFAULT",
    """CREATE TABLE {schema}.inbox (
        consumer text NOT NULL,
        event_id uuid NOT NULL,
        received_at timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT pk_inbox PRIMARY KEY (consumer, event_id)
    )""",
    """CREATE TABLE {schema}.dead_letter (
        id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT pk_dead_letter PRIMARY KEY,
        consumer text NOT NULL,
        event_id uuid NOT NULL,
        subject text NOT NULL,
        headers jsonb NOT NULL,
        body bytea NOT NULL,
        reason text NOT NULL,
        parked_at timestamptz NOT NULL DEFAULT now(),
        redriven_at timestamptz,
        CONSTRAINT uq_dead_letter_consumer_event_id UNIQUE (consumer, event_id)
    )""",
)


def create_platform_tables(schema: str) -> None:
    """Outbox, inbox and dead letters, for the first migration of every service."""
    for statement in PLATFORM_TABLES:
        op.execute(statement.format(schema=schema))
