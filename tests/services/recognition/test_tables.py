"""The tables as the code declares them are the ones the migrations make."""

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from services.recognition.tables import METADATA

pytestmark = pytest.mark.db


async def test_migrations_make_what_the_code_declares(world):
    def differences(connection: sa.Connection) -> list[object]:
        # Else alembic takes the schema for the nameless one, and finds none of what the code declares by name.
        connection.dialect.default_schema_name = "public"
        options = {"include_schemas": True, "compare_server_default": False, "include_name": _ours}
        context = MigrationContext.configure(connection, opts=options)
        return [each for each in compare_metadata(context, METADATA) if not _known(each)]

    async with world.deps.database.write() as tx:
        connection = tx._connection
        assert await connection.run_sync(differences) == []


def _ours(name: str | None, kind: str, _parents: object) -> bool:
    return name == "recognition" if kind == "schema" else True


def _known(difference: object) -> bool:
    """Partitions, which the migrations and the kit make by month, alembic's own table, and mere comments."""
    if isinstance(difference, list):
        return all(each[0] == "modify_comment" for each in difference)
    if isinstance(difference, tuple) and difference[0] == "add_table_comment":
        return True
    if isinstance(difference, tuple) and difference[0] in {"remove_table", "remove_index"}:
        table = difference[1] if difference[0] == "remove_table" else difference[1].table
        return "_rest" in table.name or table.name[-6:].isdigit() or table.name == "alembic_version"
    return False
