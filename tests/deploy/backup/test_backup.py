"""Backups: followed, verified, restored to a moment; refused where they could not be read."""

import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path

import asyncpg
import pytest

from deploy.backup import taking
from deploy.backup.place import BackupError, Facts, Place, fingerprint, fits
from deploy.backup.replaying import replay
from deploy.backup.restoring import restore
from deploy.backup.taking import origin, take
from deploy.local.errors import FolderBusyError
from deploy.local.secrets import load, load_or_make
from deploy.local.stack import LocalStack
from shared.kit.migrations import PLATFORM_TABLES
from tests.flows.drill import following
from tests.support.servers import servers_alone, unused_name

pytestmark = [pytest.mark.db, pytest.mark.timeout(150)]


@asynccontextmanager
async def connected(stack: LocalStack) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(stack.database_url())
    try:
        yield connection
    finally:
        await connection.close()


async def say(connection: asyncpg.Connection, number: int) -> datetime:
    """One message said by scoring; the moment after its commit."""
    await connection.execute(
        "INSERT INTO scoring.outbox (id, subject, headers, body, published_at)"
        " VALUES (gen_random_uuid(), $1, '{}', '', now())",
        f"scoring.{number}",
    )
    now: datetime = await connection.fetchval("SELECT clock_timestamp()")
    return now


async def said(stack: LocalStack, where: str = "true") -> list[str]:
    async with connected(stack) as connection:
        rows = await connection.fetch(f"SELECT subject FROM scoring.outbox WHERE {where} ORDER BY seq")
    return [row["subject"].removeprefix("scoring.") for row in rows]


def database(folder: Path) -> LocalStack:
    return LocalStack(servers_alone(folder, nats=False))


async def lived(data: Path, place: Place) -> datetime:
    """Four messages and two raw files, all but the first after the base backup; the moment after the second."""
    async with database(data) as stack, connected(stack) as connection:
        raw = stack.folder.of_service("ingest") / "raw"
        raw.mkdir(parents=True)
        (raw / "early.zst").write_bytes(b"rows")
        for statement in PLATFORM_TABLES:
            await connection.execute(statement.format(schema="scoring"))
        await say(connection, 1)
        async with following(data, place):
            moment = await say(connection, 2)
            (raw / "late.zst").write_bytes(b"more rows")
            await say(connection, 3)
            await connection.execute("SELECT pg_switch_wal()")
            await say(connection, 4)
        with pytest.raises(FolderBusyError):
            await restore(data, place)
    return moment


@pytest.fixture(scope="module")
async def life(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, datetime]:
    """A folder of keys and backups, all that is left of a city, and the moment after its second message."""
    left = tmp_path_factory.mktemp("life")
    moment = await lived(left / "stack", Place(left / "backups"))
    shutil.rmtree(left / "stack" / "postgres")
    shutil.rmtree(left / "stack" / "services")
    return left, moment


async def test_a_city_is_restored_to_a_moment_and_to_the_last_thing_archived(tmp_path, life):
    left, moment = life
    shutil.copytree(left, tmp_path, dirs_exist_ok=True)
    data, place = tmp_path / "stack", Place(tmp_path / "backups")
    (data / "nats" / "jetstream").mkdir(parents=True)
    done = await restore(data, place, at=moment)
    assert (done.replayed, done.until is not None, len(done.aside)) == (2, True, 1)
    assert not any((data / "nats").iterdir())
    async with database(data) as stack:
        assert await said(stack) == ["1", "2"]
        assert await said(stack, "published_at IS NULL") == ["1", "2"]
        raw = stack.folder.of_service("ingest") / "raw"
        assert [(raw / name).read_bytes() for name in ("early.zst", "late.zst")] == [b"rows", b"more rows"]
        async with connected(stack) as connection:
            await say(connection, 5)  # a restored cluster is an ordinary one

    # What cannot be reached leaves what is there.
    with pytest.raises(BackupError, match="could not be brought to that moment"):
        await restore(data, place, at=moment + timedelta(hours=1))
    async with database(data) as stack:
        assert await said(stack) == ["1", "2", "5"]

    done = await restore(data, place)
    assert done.replayed == 4
    assert [path.name.split(".")[0] for path in done.aside] == ["cluster"]
    async with database(data) as stack:
        assert await said(stack) == ["1", "2", "3", "4"]


async def test_a_restored_city_is_archived_as_a_branch_of_its_own(tmp_path, life):
    left, moment = life
    shutil.copytree(left, tmp_path, dirs_exist_ok=True)
    data, place = tmp_path / "stack", Place(tmp_path / "backups")
    await restore(data, place, at=moment)
    async with database(data) as stack, connected(stack) as connection, following(data, place):
        await say(connection, 5)
    assert [path.name.rsplit(".", 1)[1] for path in place.archives()] == ["00000001", "00000002"]
    # From before the branch, along it: what was given up at the first restore does not come back.
    await restore(data, place, base=place.bases()[0].name)
    async with database(data) as stack:
        assert await said(stack) == ["1", "2", "5"]


async def test_a_restore_that_fails_on_a_new_machine_leaves_nothing_to_start(tmp_path):
    data, place, elsewhere = tmp_path / "stack", Place(tmp_path / "backups"), tmp_path / "elsewhere"
    async with database(data):
        base = await take(origin(data), place, lambda _line: None)
    (base.cluster / "global" / "pg_control").write_bytes(b"torn")
    elsewhere.mkdir()
    shutil.copytree(data / "secrets", elsewhere / "secrets")
    with pytest.raises(BackupError, match="could not be brought"):
        await restore(elsewhere, place)
    assert not (elsewhere / "postgres" / "cluster").exists()
    assert list((elsewhere / "nats").iterdir()) == []


async def test_a_backup_is_restored_with_its_keys_only(tmp_path):
    data, place = tmp_path / "stack", Place(tmp_path / "backups")
    keys = load_or_make(make_folder(data))
    place.open()
    place.draft().mkdir()
    place.keep(
        place.draft(), Facts(taken_at="2026-11-26T10:00:00+00:00", keys=fingerprint(keys), system="1", first_wal="w")
    )
    with pytest.raises(BackupError, match=r"No base backup .* fits"):
        await restore(data, place, at=datetime(2026, 11, 25, tzinfo=UTC))
    kept = json.loads((data / "secrets" / "keys.json").read_text())
    for name in ("subject_key", "grid_key"):
        (data / "secrets" / "keys.json").write_text(json.dumps(kept | {name: "00" * 32}))
        with pytest.raises(BackupError, match="are not those"):
            await restore(data, place)
    # Those from before grid had a key of its own are taken with any.
    before = f"{keys.subject_key}\n{keys.name_key}\n{keys.vault_keys}".encode()
    old = Facts(
        taken_at="", keys=blake2b(before, digest_size=8, person=b"wugan-backup").hexdigest(), system="", first_wal=""
    )
    assert fits(old, keys)
    # A key added to seal with opens what the older ones sealed.
    grown = {"vault_keys": f"k2:{'11' * 32},{keys.vault_keys}"}
    (data / "secrets" / "keys.json").write_text(json.dumps(kept | grown))
    assert fingerprint(load_or_make(data / "secrets")) == fingerprint(keys)
    shutil.rmtree(data / "secrets")
    with pytest.raises(BackupError, match="no backup holds them"):
        await restore(data, place)


def make_folder(data: Path) -> Path:
    (data / "secrets").mkdir(parents=True)
    return data / "secrets"


async def test_old_backups_go_and_the_rest_stays_restorable(tmp_path):
    data, place = tmp_path / "stack", Place(tmp_path / "backups")
    async with database(data) as stack:
        source = origin(data)
        kept = [await take(source, place, lambda _line: None, keep=1)]
        # A key goes while the archiver runs: the next base backup needs those that are left.
        file = data / "secrets" / "keys.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"vault_keys": f"k2:{'11' * 32}"}))
        kept.append(await take(source, place, lambda _line: None, keep=1))
        assert [fits(base.facts, load(data / "secrets")) for base in kept] == [False, True]
        assert [base.name for base in place.bases()] == [base.name for base in kept[1:]]
        (kept[-1].cluster / "PG_VERSION").write_text("19\n")
        with pytest.raises(BackupError, match="pg_verifybackup"):
            await taking._run(origin(data).server, "pg_verifybackup", "--quiet", str(kept[-1].cluster))
        assert stack.ports.postgres == origin(data).server.port


async def test_a_replay_marks_what_its_stream_would_still_hold(servers):
    made = servers.create_database(unused_name())
    connection = await asyncpg.connect(made.url())
    try:
        for statement in PLATFORM_TABLES:
            await connection.execute(statement.format(schema="scoring"))
        for days in (0, 29, 31):
            await connection.execute(
                "INSERT INTO scoring.outbox (id, subject, headers, body, created_at, published_at)"
                " VALUES (gen_random_uuid(), 's', '{}', '', now() - make_interval(days => $1), now())",
                days,
            )
        assert await replay({"scoring": made.url(), "grid": made.url()}) == {"scoring": 2}
        assert await replay({"scoring": made.url()}) == {"scoring": 0}
        assert await replay({"scoring": made.url()}, days=40) == {"scoring": 1}
    finally:
        await connection.close()
        made.drop()


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "letters.txt").write_text("dear")
    with pytest.raises(BackupError, match="no backups"):
        Place(tmp_path).open()
    with pytest.raises(BackupError, match="no folder of backups"):
        Place(tmp_path).bases()
    with pytest.raises(BackupError, match="no folder of a stack"):
        origin(tmp_path)


def test_what_is_not_whole_is_no_backup(tmp_path):
    place = Place(tmp_path / "backups")
    place.open()
    place.draft().mkdir()
    assert place.bases() == []
    facts = Facts(taken_at="2026-11-26T10:00:00+00:00", keys="k", system="1", first_wal="w")
    assert place.keep(place.draft(), facts).name == "20261126T100000.000000Z"
    assert place.choose(None, None).facts == facts
    with pytest.raises(BackupError, match=r"those there are 20261126T100000\.000000Z"):
        place.choose("20251126T100000.000000Z", None)
