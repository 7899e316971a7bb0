"""PostgreSQL and nats-server for a test session, gone when the last one who uses them is.

All workers share one PostgreSQL, where each makes databases of its own; each has its own nats-server, because the names
of streams are fixed.

With WUGAN_DATABASE_URL or WUGAN_NATS_URL set, those servers are used instead. The fixtures come with
`pytest_plugins = ["tests.support.servers"]` in the root conftest.
"""

import asyncio
import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import pytest

from deploy.local import database
from deploy.local.clients import SERVICES
from deploy.local.secrets import OPERATOR, write_private
from deploy.local.stack import LocalStack, StackOptions

_START_SECONDS = 120.0
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """Where the servers of this session are.

    Attributes:
        postgres: server with an administrator of it.
        nats_url: of a user who may do everything.
        nats_urls: by service, of its own user; the same URL for all on a server that is not ours.
        nats_monitor: port of its monitoring on 127.0.0.1; 0 on a server that is not ours.
    """

    postgres: database.Server
    nats_url: str
    nats_urls: dict[str, str]
    nats_monitor: int

    def create_database(self, name: str) -> "ServiceDatabases":
        """A database with the five schemas and roles, and nothing in them; an existing one is kept."""
        made = ServiceDatabases(server=self.postgres, name=name)
        _now(database.bootstrap(self.postgres, name, {each: made.password(each) for each in SERVICES}))
        return made


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceDatabases:
    """A database with a schema and a role for each service."""

    server: database.Server
    name: str

    def url(self, service: str | None = None) -> str:
        """URL of a service's role, or of the administrator."""
        if service is None:
            return self.server.url(self.name)
        return self.server.url(self.name, user=database.role_of(self.name, service), password=self.password(service))

    def password(self, service: str) -> str:
        """Password of a service's role: the same each time, so that making it twice locks nobody out."""
        key = self.server.password.encode()[:64]
        return "p" + blake2b(f"{self.name} {service}".encode(), key=key, digest_size=16).hexdigest()

    def drop(self) -> None:
        """Remove it and its roles."""
        _now(database.drop(self.server, self.name))


def unused_name() -> str:
    """A database name nobody else has, other workers and other people's runs included."""
    return f"wugan_test_{uuid4().hex[:12]}"


def _now(work: Coroutine[object, object, Result]) -> Result:
    """The result of a coroutine, whether or not a loop runs in this thread."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


# ---- fixtures ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """The servers of this session."""
    own = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" not in os.environ:
        with shared_servers(own) as found:
            yield found
        return
    with shared_servers(own.parent, nats=False) as databases, shared_servers(own, postgres=False) as messages:
        yield replace(messages, postgres=databases.postgres)


@pytest.fixture(scope="session")
def service_databases(servers: Servers) -> Iterator[ServiceDatabases]:
    """One database of this worker alone, with empty schemas; migrate it once, roll back what a test did."""
    made = servers.create_database(unused_name())
    yield made
    made.drop()


@pytest.fixture
async def own_nats(tmp_path: Path) -> AsyncIterator[LocalStack]:
    """A nats-server of this test alone (`own_nats.nats_url()`), which it may kill, stop and start."""
    async with LocalStack(servers_alone(tmp_path / "nats", postgres=False)) as stack:
        yield stack


def servers_alone(folder: Path, *, postgres: bool = True, nats: bool = True) -> StackOptions:
    """Options for quick servers without services on any free ports."""
    return StackOptions(
        data=folder,
        port_base=0,
        services=(),
        gateway=False,
        postgres=postgres,
        nats=nats,
        durable=False,
        min_free_bytes=256 * 2**20,
        database_url=None,
        nats_url=None,
    )


# ---- sharing -----------------------------------------------------------------------------------------------------


@contextmanager
def shared_servers(root: Path, *, postgres: bool = True, nats: bool = True) -> Iterator[Servers]:
    """The servers under `root`: started by the first who asks, stopped after the last has left or died.

    Every user holds a shared lock on `servers.users`; the process that runs the servers ends when it gets that lock
    for itself. The kernel lets go for those who were killed.
    """
    database_url, nats_url = (os.environ.get(name) for name in ("WUGAN_DATABASE_URL", "WUGAN_NATS_URL"))
    postgres, nats = postgres and not database_url, nats and not nats_url
    if not postgres and not nats:
        yield _found({}, database_url, nats_url)
        return
    with (root / "servers.users").open("a", encoding="ascii") as users:
        with (root / "servers.start").open("a", encoding="ascii") as start:
            fcntl.flock(start, fcntl.LOCK_EX)
            # Waits here for servers that are just on their way out.
            fcntl.flock(users, fcntl.LOCK_SH)
            state = _state(root) or _spawn(root, postgres=postgres, nats=nats)
        yield _found(state, database_url, nats_url)


def _found(state: dict[str, Any], database_url: str | None, nats_url: str | None) -> Servers:
    urls = dict.fromkeys((*SERVICES, OPERATOR), nats_url or "") | state.get("nats_urls", {})
    server = database.parse_url(database_url)[0] if database_url else database.Server(**state["postgres"])
    return Servers(postgres=server, nats_url=urls[OPERATOR], nats_urls=urls, nats_monitor=state.get("nats_monitor", 0))


def _state(root: Path) -> dict[str, Any] | None:
    path = root / "servers.json"
    if not path.exists():
        return None
    state: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    try:
        os.kill(state["pid"], 0)
    except ProcessLookupError:
        return None
    return state


def _spawn(root: Path, *, postgres: bool, nats: bool) -> dict[str, Any]:
    (root / "servers.json").unlink(missing_ok=True)
    words = [sys.executable, "-m", "tests.support.servers", str(root), str(int(postgres)), str(int(nats))]
    home = str(Path(__file__).parents[2])
    with (root / "servers.log").open("ab") as log:
        # Not tied to us: other workers may need it longer.
        process = subprocess.Popen(
            words, cwd=home, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    until = time.monotonic() + _START_SECONDS
    while (state := _state(root)) is None:
        if process.poll() is not None or time.monotonic() > until:
            pytest.exit(f"the test servers did not start: {(root / 'servers.log').read_text(errors='replace')[-500:]}")
        time.sleep(0.02)
    # It is waited for by nobody; this keeps Popen from complaining about that.
    process.returncode = 0
    return state


async def _run(root: Path, *, postgres: bool, nats: bool) -> None:
    data = root / f"servers-{os.getpid()}"
    with (root / "servers.users").open("a", encoding="ascii") as users:
        async with LocalStack(servers_alone(data, postgres=postgres, nats=nats)) as stack:
            state = {
                "pid": os.getpid(),
                "postgres": asdict(database.parse_url(stack.database_url())[0]),
                "nats_urls": {user: stack.nats_url(user) for user in (*SERVICES, OPERATOR)} if nats else {},
                "nats_monitor": stack.ports.nats_monitor if nats else 0,
            }
            write_private(root / "servers.json", json.dumps(state).encode())
            await asyncio.to_thread(fcntl.flock, users, fcntl.LOCK_EX)
            (root / "servers.json").unlink()
        shutil.rmtree(data, ignore_errors=True)


if __name__ == "__main__":
    asyncio.run(_run(Path(sys.argv[1]), postgres=sys.argv[2] == "1", nats=sys.argv[3] == "1"))
