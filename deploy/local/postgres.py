"""The embedded PostgreSQL: a cluster made once, kept running by us with the settings of deploy/postgres."""

import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
from pathlib import Path

import asyncpg

from deploy.local.database import SQL, Server
from deploy.local.errors import ClusterError, OldClusterError
from deploy.local.processes import ChildSpec, RunAs, launcher
from deploy.local.programs import postgres_program, postgres_user

NAME = "postgres"
MAJOR = "18"
# Survives kill -9 but not the loss of power.
_QUICK_NOT_SAFE = ("fsync=off", "full_page_writes=off")


async def prepare(folder: Path, server: Server, *, durable: bool) -> RunAs:
    """Make the cluster in `folder` unless it is there; returns the user it belongs to.

    Raises:
        ClusterError: initdb failed.
        OldClusterError: the cluster is of another major version.
    """
    user = _hand_over(folder)
    found = _version(folder)
    if not found:
        await _init(folder, server, user, durable=durable)
    elif found != MAJOR:
        raise OldClusterError(folder, found, MAJOR)
    return user


def _hand_over(folder: Path) -> RunAs:
    user = postgres_user(folder)
    folder.mkdir(mode=0o711, exist_ok=True)
    if user.uid >= 0:
        os.chown(folder, user.uid, user.gid)
    return user


def _version(folder: Path) -> str:
    path = folder / "cluster" / "PG_VERSION"
    return path.read_text(encoding="ascii").strip() if path.exists() else ""


async def _init(folder: Path, server: Server, user: RunAs, *, durable: bool) -> None:
    draft = folder / "cluster.draft"
    shutil.rmtree(draft, ignore_errors=True)
    with tempfile.NamedTemporaryFile(dir=folder, mode="w", encoding="ascii") as password:
        password.write(server.password)
        password.flush()
        if user.uid >= 0:
            os.chown(password.name, user.uid, user.gid)
        process = await asyncio.create_subprocess_exec(
            *launcher(signal.SIGKILL, user),
            postgres_program("initdb"),
            f"--pgdata={draft}",
            f"--username={server.user}",
            f"--pwfile={password.name}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
            *([] if durable else ["--no-sync"]),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=folder,
        )
        said, _ = await process.communicate()
    if process.returncode:
        raise ClusterError((said.decode(errors="replace").strip().splitlines() or ["nothing"])[-1])
    # Renamed only when whole: a start that was cut off begins again.
    draft.rename(folder / "cluster")


def spec(folder: Path, server: Server, user: RunAs, *, durable: bool) -> ChildSpec:
    """The server as a child process."""
    settings = [f"config_file={SQL / 'postgresql.conf'}", f"listen_addresses={server.host}"]
    settings.extend(() if durable else _QUICK_NOT_SAFE)
    return ChildSpec(
        name=NAME,
        argv=(
            postgres_program("postgres"),
            *("-D", str(folder / "cluster")),
            *("-p", str(server.port)),
            *(word for each in settings for word in ("-c", each)),
        ),
        env={key: value for key, value in os.environ.items() if not key.startswith(("PG", "WUGAN_"))},
        cwd=folder,
        ready=lambda: answers(server),
        # Smart shutdown would wait for clients; fast ends them, finishes what is committed and leaves a clean cluster.
        stop_signal=signal.SIGINT,
        stop_seconds=30.0,
        orphan_signal=signal.SIGINT,
        run_as=user,
    )


async def answers(server: Server) -> bool:
    """Whether the administrator can connect."""
    with contextlib.suppress(OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        connection = await asyncpg.connect(server.url("postgres"), timeout=2, ssl=False)
        await connection.close()
        return True
    return False
