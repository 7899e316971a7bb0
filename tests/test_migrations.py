"""A migration runs while the version before it serves a city: what squawk finds in its SQL would make that one wait, or break it."""

import subprocess
import sys
from pathlib import Path

import pytest

from shared.kit import migrations, schema
from shared.kit.db import Database

FIRST = {
    "ingest": "ingest_0004",
    "scoring": "scoring_0004",
    "grid": "grid_0011",
    "recognition": "recognition_0014",
    "notify": "notify_0009",
}
"""Newest migrations of the first release: they, and all before them, only ever run on empty tables."""
ELSEWHERE = (
    "transaction-nesting",  # BEGIN is alembic's own
    "require-lock-timeout", "require-statement-timeout",  # set by the kit for every migration
    "prefer-robust-stmts",  # a migration that fails leaves nothing: it is one transaction
    "prefer-text-field", "prefer-bigint-over-int", "prefer-bigint-over-smallint",  # sizes are chosen where a column is declared
)  # fmt: skip


def found(service: str, folder: Path, *, after: str) -> str:
    """What squawk says to each migration of a service after one of them."""
    known = migrations.revisions(service)
    new = known[known.index(after) + 1 :]
    for before, revision in zip([after, *new], new, strict=False):
        (folder / f"{revision}.sql").write_text(migrations.sql_of(service, before, revision), encoding="utf-8")
    if not new:
        return ""
    words = [
        "--assume-in-transaction",
        "--pg-version",
        "18.0",
        "--reporter",
        "gcc",
        *(f"--exclude={rule}" for rule in ELSEWHERE),
    ]
    squawk = Path(sys.executable).with_name("squawk")
    done = subprocess.run([squawk, *words, *folder.glob("*.sql")], capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


@pytest.mark.parametrize("service", FIRST)
def test_no_new_migration_stops_who_is_at_work(service, tmp_path):
    assert found(service, tmp_path, after=FIRST[service]) == ""


def test_what_would_stop_them_is_found(tmp_path):
    said = found("grid", tmp_path, after="grid_0007")
    assert "grid_0008.sql" in said
    assert "require-concurrent-index-creation" in said


async def test_a_release_works_on_the_schema_of_the_one_after_it(service_databases):
    url = service_databases.url("notify")
    await migrations.upgrade("notify", url)
    database = Database(url, schema="notify", pool_size=1)
    try:
        for said, serves in (("notify_next_release", True), (migrations.revisions("notify")[-2], False)):
            async with database.write() as tx:
                await tx.run("UPDATE notify.alembic_version SET version_num = $1", said)
            assert schema.serves("notify", await schema.current(database)) is serves
            if serves:
                await migrations.upgrade("notify", url)
                assert await schema.current(database) == said
    finally:
        async with database.write() as tx:
            await tx.run("UPDATE notify.alembic_version SET version_num = $1", schema.head("notify"))
        await database.close()
    assert not schema.serves("notify", None)
