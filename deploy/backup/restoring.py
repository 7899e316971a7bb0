"""`wugan restore`: a city as it was at a moment, in the folder of a stack that is not running.

JetStream's store is set aside whole: it may know more, or less, than the restored database. The streams are made anew
from the outboxes when the services run again; inboxes keep every effect single.
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from deploy.backup.place import STAMP, BackupError, Base, Place, fits
from deploy.backup.replaying import replay
from deploy.local import postgres
from deploy.local.clients import SERVICES
from deploy.local.database import DEFAULT_DATABASE, Server
from deploy.local.errors import DiedError
from deploy.local.folder import DataFolder
from deploy.local.journal import Journal
from deploy.local.ports import HOST
from deploy.local.probes import free_ports
from deploy.local.processes import Child, RunAs
from deploy.local.programs import postgres_user
from deploy.local.secrets import ADMIN, load
from shared.kit.clock import SystemClock

_RECOVERY_SECONDS = 24 * 3600.0
_MIN_FREE = 256 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What became of a restore.

    Attributes:
        base: backup it started from.
        until: when the newest message of the restored database was said; None where it never said one.
        replayed: messages that will be said again when the services start.
        aside: folders the old data were moved to.
    """

    base: str
    until: datetime | None
    replayed: int
    aside: tuple[Path, ...]


async def restore(data: Path, place: Place, *, base: str | None = None, at: datetime | None = None) -> Restored:
    """Bring the database, raw files and (through the outboxes) the streams back.

    Args:
        data: folder of the stack; what it holds is set aside, never removed. Its `secrets/` must be the city's.
        place: the backups.
        base: name of the base backup; by default the newest one that can reach `at`.
        at: the moment; by default the end of what was archived.

    Raises:
        BackupError: no such backup, other keys, or the archive does not reach `at`.
        StackError: the folder is in use.
    """
    chosen = place.choose(base, at)
    folder = DataFolder(data)
    if not (folder.secrets / "keys.json").exists():
        msg = f"The keys of the city are not in {folder.secrets}: put them there first; no backup holds them."
        raise BackupError(msg)
    secrets = load(folder.secrets)
    if not fits(chosen.facts, secrets):
        msg = f"The keys in {folder.secrets} are not those {chosen.name} was written with: names could not be read."
        raise BackupError(msg)
    folder.open(fresh=False, min_free_bytes=_MIN_FREE)
    server = Server(host=HOST, port=free_ports(HOST, 1)[0], user=ADMIN, password=secrets.roles[ADMIN])
    try:
        with _set_aside(folder) as aside:
            await _recover(folder, place, chosen, server, at)
            until, replayed = await _look_and_replay(folder, server)
            _bring_files(folder, place)
    finally:
        folder.close()
    return Restored(base=chosen.name, until=until, replayed=replayed, aside=tuple(aside))


@contextmanager
def _set_aside(folder: DataFolder) -> Iterator[list[Path]]:
    """Move cluster and message store out of the way; a restore that fails moves them back."""
    stamp = SystemClock().now().astimezone(UTC).strftime(STAMP)
    moved: dict[Path, Path] = {}
    for path in (folder.postgres / "cluster", folder.nats):
        if path.exists() and any(path.iterdir()):
            moved[path] = path.rename(path.with_name(f"{path.name}.before-{stamp}"))
    folder.nats.mkdir(exist_ok=True)
    try:
        yield list(moved.values())
    except BaseException:
        # Half a cluster must never be started, whether or not there was one before.
        shutil.rmtree(folder.postgres / "cluster", ignore_errors=True)
        folder.nats.rmdir()
        for path, aside in moved.items():
            aside.rename(path)
        folder.nats.mkdir(exist_ok=True)
        raise


async def _recover(folder: DataFolder, place: Place, base: Base, server: Server, at: datetime | None) -> None:
    """Play the archived WAL into a copy of the base backup and leave a clean, stopped cluster."""
    folder.postgres.mkdir(mode=0o711, exist_ok=True)
    user = postgres_user(folder.postgres)
    cluster, wal = folder.postgres / "cluster.draft", folder.postgres / "wal.draft"
    for path in (cluster, wal):
        shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(base.cluster, cluster)
    _copy_wal(place.archives(base.facts.system), wal, base.facts.first_wal)
    settings = {"restore_command": f'cp "{wal}/%f" "%p"', "recovery_target_action": "promote", "hot_standby": "off"}
    if at:
        settings["recovery_target_time"] = at.astimezone(UTC).isoformat()
    whole = folder.postgres / "cluster"
    with _recovery_settings(cluster, settings):
        _give((folder.postgres, cluster, wal), user)
        cluster.rename(whole)
        await _run_until_recovered(folder, server, user)
    shutil.rmtree(wal)


@contextmanager
def _recovery_settings(cluster: Path, settings: dict[str, str]) -> Iterator[None]:
    auto = cluster / "postgresql.auto.conf"
    before = auto.read_text(encoding="utf-8")
    lines = "".join(f"{key} = '{value}'\n" for key, value in settings.items())
    auto.write_text(before + lines, encoding="utf-8")
    (cluster / "recovery.signal").touch()
    yield
    # Only after success: a failed recovery may be looked at with what it was told.
    (cluster.with_name("cluster") / auto.name).write_text(before, encoding="utf-8")


def _copy_wal(archives: Sequence[Path], target: Path, first: str) -> None:
    target.mkdir()
    for path in (path for archive in archives for path in sorted(archive.iterdir())):
        name = path.name.removesuffix(".partial")
        # The segment that was being written when the archive ended is whole up to where it ends.
        if name.endswith(".history") or name[8:] >= first[8:]:
            shutil.copyfile(path, target / name)


def _give(paths: tuple[Path, ...], user: RunAs) -> None:
    for root in paths:
        for path in (root, *root.rglob("*")):
            if path.is_dir():
                path.chmod(0o711 if path == paths[0] else 0o700)
            if user.uid >= 0:
                os.chown(path, user.uid, user.gid)


async def _run_until_recovered(folder: DataFolder, server: Server, user: RunAs) -> None:
    journal = Journal(folder.logs)
    # Without hot standby nobody can connect before the recovery is over: an answer means it is.
    spec = replace(postgres.spec(folder.postgres, server, user, durable=True), ready_seconds=_RECOVERY_SECONDS)
    child = Child(spec, journal)
    try:
        await child.start()
    except DiedError as error:
        msg = f"PostgreSQL could not be brought to that moment: {error}"
        raise BackupError(msg) from error
    finally:
        await child.stop()
        journal.close()


async def _look_and_replay(folder: DataFolder, server: Server) -> tuple[datetime | None, int]:
    """The restored database, once more with its own settings: what it knows and what it has to say again."""
    journal = Journal(folder.logs)
    user = await postgres.prepare(folder.postgres, server, durable=True)
    child = Child(postgres.spec(folder.postgres, server, user, durable=True), journal)
    try:
        await child.start()
        url = server.url(DEFAULT_DATABASE)
        counts = await replay(dict.fromkeys(SERVICES, url))
        connection = await asyncpg.connect(url, timeout=5)
        newest = [await connection.fetchval(f"SELECT max(created_at) FROM {each}.outbox") for each in counts]  # noqa: S608
        await connection.close()
    finally:
        await child.stop()
        journal.close()
    return max(filter(None, newest), default=None), sum(counts.values())


def _bring_files(folder: DataFolder, place: Place) -> None:
    for service in SERVICES:
        source = place.files / service
        if source.exists():
            shutil.copytree(source, folder.of_service(service), dirs_exist_ok=True)
