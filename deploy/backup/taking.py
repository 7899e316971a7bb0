"""`wugan backup`: a verified copy of a running PostgreSQL, its WAL followed without a gap, and the raw files."""

import asyncio
import contextlib
import os
import shutil
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, timedelta
from pathlib import Path

import asyncpg

from deploy.backup.place import BackupError, Base, Facts, Place, fingerprint
from deploy.local.clients import SERVICES
from deploy.local.database import DEFAULT_DATABASE, Server, parse_url
from deploy.local.folder import DataFolder
from deploy.local.processes import RunAs, launcher
from deploy.local.secrets import ADMIN, Secrets, load
from deploy.monitoring.notes import note as leave_note
from shared.kit.clock import SystemClock, wall

SLOT = "wugan_backup"
_FILES_SECONDS = 10.0
_BASE_EVERY = timedelta(days=1)
_LOOK_SECONDS = 0.05
_ATTACH_SECONDS = 30.0
_PORT_LINE, _HOST_LINE = 3, 5  # of postmaster.pid

Told = Callable[[str], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What is backed up: a server with an administrator of it, the folder of a stack, and its database."""

    server: Server
    folder: DataFolder
    database: str = DEFAULT_DATABASE


def origin(data: Path) -> Origin:
    """The running stack in a folder; with WUGAN_DATABASE_URL, that server's database and this folder's files.

    Raises:
        BackupError: no stack runs there.
    """
    folder = DataFolder(data)
    if not (folder.secrets / "keys.json").exists():
        msg = f"{folder.root} is no folder of a stack: name it with --data."
        raise BackupError(msg)
    secrets = load(folder.secrets)
    if url := os.environ.get("WUGAN_DATABASE_URL"):
        server, database = parse_url(url)
        return Origin(server=server, folder=folder, database=database)
    return Origin(server=running_server(folder, secrets), folder=folder)


def running_server(folder: DataFolder, secrets: Secrets) -> Server:
    """Where the PostgreSQL of a stack listens, as it says itself.

    Raises:
        BackupError: it does not run.
    """
    try:
        lines = (folder.postgres / "cluster" / "postmaster.pid").read_text(encoding="ascii").splitlines()
        port, host = int(lines[_PORT_LINE]), lines[_HOST_LINE].strip()
    except (OSError, ValueError, IndexError) as error:
        msg = f"No PostgreSQL runs in {folder.root}: start the stack first (`wugan up`)."
        raise BackupError(msg) from error
    return Server(host=host or "127.0.0.1", port=port, user=ADMIN, password=secrets.roles[ADMIN])


async def take(source: Origin, place: Place, told: Told = print, *, keep: int = 7) -> Base:
    """A base backup, verified against its manifest, with the raw files; older ones beyond `keep` are removed.

    Raises:
        BackupError: with what PostgreSQL said.
    """
    place.open()
    draft = place.draft()
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    cluster = draft / "cluster"
    await _run(
        source.server,
        *("pg_basebackup", "--pgdata", str(cluster), "--wal-method=stream", "--checkpoint=fast"),
        *("--manifest-checksums=SHA256", "--no-password", "--label=wugan"),
    )
    await _run(source.server, "pg_verifybackup", "--quiet", str(cluster))
    system, _ = await _whose_wal(source.server)
    facts = Facts(
        taken_at=SystemClock().now().astimezone(UTC).isoformat(),
        # As they are now: an archiver runs for months, and a key may have been taken away since it began.
        keys=fingerprint(load(source.folder.secrets)),
        system=system,
        first_wal=_first_wal(cluster / "backup_label"),
    )
    copied = copy_files(source.folder, place)
    base = place.keep(draft, facts)
    told(f"{base.name} is taken and verified; {copied} new raw files are copied")
    await _prune(source.server, place, keep)
    return base


async def follow(source: Origin, place: Place, told: Told = print, *, keep: int = 7, note: Path | None = None) -> None:
    """A base backup a day, everything PostgreSQL writes and every new raw file, until cancelled.

    Raises:
        BackupError: the WAL could not be followed.
    """
    place.open()
    wal = place.wal(*await _whose_wal(source.server))
    wal.mkdir(mode=0o700, exist_ok=True)
    words = [source.server.program("pg_receivewal"), "--directory", str(wal), "--slot", SLOT, "--no-password"]
    await _run(source.server, *("pg_receivewal", "--create-slot", "--if-not-exists", "--slot", SLOT, "--no-password"))
    process = await asyncio.create_subprocess_exec(
        # Flushed at once, so that what is archived is what a power cut leaves.
        *(*launcher(signal.SIGTERM, RunAs()), *words, "--synchronous"),
        env=_environment(source.server),
        stdin=asyncio.subprocess.DEVNULL,
        stderr=sys.stderr,
    )
    try:
        await _until_attached(source.server, process)
        base = await take(source, place, told, keep=keep)
        told(f"every moment from {base.taken_at:%Y-%m-%d %H:%M:%S %Z} on can be restored while this runs")
        while process.returncode is None:
            if SystemClock().now() - base.taken_at >= _BASE_EVERY:
                base = await take(source, place, told, keep=keep)
            copy_files(source.folder, place)
            leave_note(note, _figures(base))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_FILES_SECONDS):
                    await process.wait()
        msg = "The WAL is not followed any more: PostgreSQL was stopped or refused; start `wugan backup --follow` anew."
        raise BackupError(msg)
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
        copy_files(source.folder, place)


def _figures(base: Base) -> dict[str, float]:
    return {
        "wugan_backup_taken_timestamp_seconds": base.taken_at.timestamp(),
        "wugan_backup_followed_timestamp_seconds": wall(),
    }


def copy_files(folder: DataFolder, place: Place) -> int:
    """Copy raw files that are new; their names are their contents, so what is there is right. Returns how many."""
    copied = 0
    for service in SERVICES:
        home = folder.of_service(service)
        for path in sorted(home.rglob("*")) if home.exists() else ():
            target = place.files / service / path.relative_to(home)
            if not path.is_file() or _passing(path.relative_to(home)) or _same(path, target):
                continue
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft = target.with_name(f"{target.name}.draft")
            try:
                shutil.copy2(path, draft)
            except FileNotFoundError:
                continue  # retention took it meanwhile
            draft.replace(target)
            copied += 1
    return copied


def _passing(path: Path) -> bool:
    return any(part.startswith(("scratch", ".", "tmp")) for part in path.parts) or path.suffix == ".draft"


def _same(path: Path, target: Path) -> bool:
    try:
        ours, theirs = path.stat(), target.stat()
    except FileNotFoundError:
        return False
    return ours.st_size == theirs.st_size and int(ours.st_mtime) == int(theirs.st_mtime)


def _first_wal(label: Path) -> str:
    # START WAL LOCATION: 0/2000028 (file 000000010000000000000002)
    return label.read_text(encoding="ascii").split("(file ", 1)[1].split(")", 1)[0]


async def _whose_wal(server: Server) -> tuple[str, str]:
    """Identifier and timeline of a running cluster."""
    connection = await asyncpg.connect(server.url("postgres"), timeout=5)
    try:
        row = await connection.fetchrow(
            "SELECT (SELECT system_identifier::text FROM pg_control_system()) AS system,"
            " left(pg_walfile_name(pg_current_wal_lsn()), 8) AS timeline"
        )
        return row["system"], row["timeline"]
    finally:
        await connection.close()


async def _until_attached(server: Server, process: asyncio.subprocess.Process) -> None:
    connection = await asyncpg.connect(server.url("postgres"), timeout=5)
    try:
        async with asyncio.timeout(_ATTACH_SECONDS):
            while process.returncode is None:
                if await connection.fetchval("SELECT active FROM pg_replication_slots WHERE slot_name = $1", SLOT):
                    return
                await asyncio.sleep(_LOOK_SECONDS)
        msg = "PostgreSQL let nobody follow its WAL: another `wugan backup --follow` may be running."
        raise BackupError(msg)
    finally:
        await connection.close()


async def _prune(server: Server, place: Place, keep: int) -> None:
    bases = place.bases()
    for base in bases[: max(len(bases) - keep, 0)]:
        shutil.rmtree(base.folder)
    if len(bases) <= keep:
        return
    oldest: dict[str, str] = {}
    for base in place.bases():
        oldest.setdefault(base.facts.system, base.facts.first_wal)
    for archive in place.archives():
        system = archive.name.partition(".")[0]
        if system in oldest:
            await _run(server, "pg_archivecleanup", str(archive), oldest[system])
        else:
            shutil.rmtree(archive)


def _environment(server: Server) -> Mapping[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "WUGAN_"))}
    return {**kept, **server.environment, "PGAPPNAME": "wugan-backup"}


async def _run(server: Server, program: str, *arguments: str) -> None:
    process = await asyncio.create_subprocess_exec(
        server.program(program),
        *arguments,
        env=_environment(server),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    if process.returncode:
        last = (said.decode(errors="replace").strip().splitlines() or ["nothing"])[-1]
        msg = f"{program} failed, saying “{last}”."
        raise BackupError(msg)
