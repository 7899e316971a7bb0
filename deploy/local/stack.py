"""The whole platform as one object: start it, ask it where things are, break parts of it, stop it."""

import asyncio
import os
import time
from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from deploy.local import caddy, connections, database, nats, postgres, sandbox, services
from deploy.local.clients import CLIENTS, SERVICES, ClientCard
from deploy.local.errors import InstalledError, MigrationError, PortInUseError, StackError, UnknownProcessError
from deploy.local.folder import DataFolder
from deploy.local.journal import Journal, Listener
from deploy.local.ports import HOST, Ports, plan
from deploy.local.probes import is_free
from deploy.local.processes import Child, ChildSpec, run_once
from deploy.local.secrets import ADMIN, OPERATOR, ClientKey, Secrets, load_or_make
from shared.kit.clock import set_clock
from shared.kit.problems import UnavailableError

_LEFTOVERS_SECONDS = 20.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class StackOptions:
    """What a stack is made of.

    Attributes:
        data: folder that keeps everything; a second start goes on with it.
        port_base: gateway's port, the others follow; 0 takes any free ports.
        fresh: forget what the folder holds.
        workers: processes of a service where not one.
        services: which services to run; none for the servers alone.
        postgres: whether there is a database.
        nats: whether there is a NATS.
        gateway: whether to run Caddy.
        sandbox: whether to run an SMS gateway that keeps what it is sent, and tell notify of it.
        durable: False trades safety at power loss for speed, for tests.
        min_free_bytes: refuse to start with less room on the disk.
        database_url: an administrator of a PostgreSQL that runs already.
        nats_url: a NATS that runs already.
        modules: module of a service that is not `services.<name>`.
        environment: variables for every service process, before what they are told besides.
        known: callers it always knows: the demo's, or those of an installation.
        clients: callers beside those.
        clock_at: business time at the start; without it the time goes on as it was left, or as it is.
    """

    data: Path
    port_base: int = 8000
    fresh: bool = False
    workers: Mapping[str, int] = field(default_factory=dict)
    services: tuple[str, ...] = SERVICES
    postgres: bool = True
    nats: bool = True
    gateway: bool = True
    sandbox: bool = False
    durable: bool = True
    min_free_bytes: int = 2 * 2**30
    database_url: str | None = field(default_factory=lambda: os.environ.get("WUGAN_DATABASE_URL") or None)
    nats_url: str | None = field(default_factory=lambda: os.environ.get("WUGAN_NATS_URL") or None)
    modules: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    known: tuple[ClientCard, ...] = CLIENTS
    clients: tuple[ClientCard, ...] = ()
    clock_at: datetime | None = None

    @property
    def own_postgres(self) -> bool:
        """Whether PostgreSQL is ours to start."""
        return self.postgres and not self.database_url

    @property
    def own_nats(self) -> bool:
        """Whether NATS is ours to start."""
        return self.nats and not self.nats_url


class LocalStack:
    """PostgreSQL, NATS, five services and the gateway.

    `async with LocalStack(StackOptions(data=folder)) as stack:` has everything ready inside and stopped after.

    Args:
        options: what to run.
        listener: hears every line of every process, the stack's own under the name `wugan`.
    """

    def __init__(self, options: StackOptions, listener: Listener | None = None) -> None:
        self.options = options
        self.folder = DataFolder(options.data)
        self.journal = Journal(self.folder.logs, listener)
        self.children: dict[str, Child] = {}
        self._ports: Ports | None = None
        self._secrets: Secrets | None = None
        self._server: database.Server | None = None
        self._database = database.DEFAULT_DATABASE
        self._shares: Mapping[str, str] = {}
        self._failed = asyncio.Event()
        self._failure: BaseException | None = None

    async def __aenter__(self) -> Self:
        """Start everything; whatever was started is stopped again when something fails."""
        try:
            await self._start()
        except BaseException as error:
            await self.stop()
            if isinstance(error, BaseExceptionGroup):
                raise _first(error) from None
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop everything; the data stay."""
        await self.stop()

    # ---- where things are ----------------------------------------------------------------------------------------

    @property
    def ports(self) -> Ports:
        """Who listens where."""
        return _known(self._ports)

    @property
    def secrets(self) -> Secrets:
        """Keys and passwords."""
        return _known(self._secrets)

    @property
    def urls(self) -> dict[str, str]:
        """HTTP addresses: the gateway, each service behind no gateway, and NATS' monitoring."""
        found = {service: services.base_url(self.ports, service) for service in self.options.services}
        if self.options.gateway:
            found["gateway"] = f"http://{HOST}:{self.ports.gateway}"
        if self.options.sandbox:
            found["sandbox"] = f"http://{HOST}:{self.ports.sandbox}"
        if self.options.own_nats:
            found["nats-monitor"] = f"http://{HOST}:{self.ports.nats_monitor}"
        return found

    def database_url(self, service: str | None = None) -> str:
        """URL of a service's role, or of the administrator."""
        server = _known(self._server)
        if service is None:
            return server.url(self._database)
        role = database.role_of(self._database, service)
        return server.url(self._database, user=role, password=self.secrets.roles[service])

    def nats_url(self, user: str = OPERATOR) -> str:
        """URL of a NATS user: a service or the operator."""
        if self.options.nats_url:
            return self.options.nats_url
        return nats.url(HOST, self.ports.nats, user, self.secrets.users)

    def client_key(self, name: str) -> ClientKey:
        """Id and private key of a registered client, e.g. `demo-operator`."""
        return self.secrets.clients[name]

    # ---- what one can do to it -----------------------------------------------------------------------------------

    def set_clock(self, at: datetime) -> None:
        """Move the business time of every service; it goes on from there."""
        set_clock(self.folder.clock, at)

    def kill(self, name: str) -> None:
        """End a process with SIGKILL, e.g. `scoring`, `scoring-2`, `nats`, `postgres`; it starts again by itself."""
        self._child(name).kill()

    async def wait_ready(self, name: str) -> None:
        """Wait until a process serves (again)."""
        await self._child(name).wait_ready()

    async def stop_process(self, name: str) -> None:
        """Stop a process and leave it stopped."""
        await self._child(name).stop()

    async def start_process(self, name: str) -> None:
        """Start a stopped process and wait until it serves."""
        await self._child(name).start()

    async def restart(self, name: str) -> None:
        """Stop a process cleanly, start it again and wait until it serves."""
        await self.stop_process(name)
        await self.start_process(name)

    async def migrate(self, names: Iterable[str]) -> None:
        """Bring the schemas of these services up to date, whatever is known about them."""
        around = self._surroundings()
        await asyncio.gather(*(self._migrate(around, each) for each in names))

    async def watch(self) -> None:
        """Return never; raise the StackError of a process that cannot be kept running."""
        await self._failed.wait()
        if self._failure:
            raise self._failure

    def kill_everything(self) -> None:
        """For those who cannot wait for a clean stop."""
        for child in self.children.values():
            child.abandon()

    async def stop(self) -> None:
        """Stop everything in reverse order."""
        names = [name for name in self.children if name not in {caddy.NAME, nats.NAME, postgres.NAME, sandbox.NAME}]
        for group in ([caddy.NAME], names, [sandbox.NAME], [nats.NAME], [postgres.NAME]):
            here = [self.children[name] for name in group if name in self.children]
            await asyncio.gather(*(child.stop() for child in here))
        self.children.clear()
        if self._ports:
            self.folder.running.unlink(missing_ok=True)
        self.journal.close()
        self.folder.close()

    # ---- how it starts -------------------------------------------------------------------------------------------

    async def _start(self) -> None:
        options = self.options
        if options.nats_url:
            told = {**os.environ, **options.environment}
            nats.refuse_foreign(told, fresh=options.fresh, served=bool(options.services))
        if options.database_url:
            # Before the folder is opened, and perhaps emptied: the URL may be malformed.
            self._server, self._database = database.parse_url(options.database_url)
        self.folder.open(fresh=options.fresh, min_free_bytes=options.min_free_bytes)
        self._secrets = self._load_secrets()
        ports = plan(options.port_base, options.services, options.workers)
        await self._refuse_taken(ports)
        self._ports = ports
        self.folder.running.write_text(str(ports.nats) if options.own_nats else "", encoding="ascii")
        if options.clock_at:
            self.set_clock(options.clock_at)
        if not options.database_url:
            password = self.secrets.roles[ADMIN]
            self._server = database.Server(host=HOST, port=ports.postgres, user=ADMIN, password=password)
        started = time.monotonic()
        async with asyncio.TaskGroup() as group:
            based = group.create_task(self._start_database())
            bussed = group.create_task(self._start_nats())
            for service in options.services:
                group.create_task(self._start_service(service, based, bussed))
            if options.gateway:
                spec = caddy.spec(self.folder.gateway, host=HOST, port=ports.gateway, upstreams=ports.services)
                group.create_task(self._start_child(spec))
            if options.sandbox:
                group.create_task(self._start_sandbox())
        self.journal.say(f"everything is ready after {time.monotonic() - started:.1f} s")

    def _load_secrets(self) -> Secrets:
        known = self.options.known
        if known == CLIENTS and self.folder.is_installed:
            raise InstalledError(self.folder.root)
        return load_or_make(self.folder.secrets, (*known, *self.options.clients))

    async def _refuse_taken(self, ports: Ports) -> None:
        options = self.options
        ours = {postgres.NAME: options.own_postgres, nats.NAME: options.own_nats, caddy.NAME: options.gateway}
        # What a run that was killed has left behind is still on its way out.
        until = time.monotonic() + (_LEFTOVERS_SECONDS if self.folder.running.exists() else 0.0)
        for name, port in ports.named():
            while ours.get(name, True) and not is_free(HOST, port):
                if time.monotonic() >= until:
                    raise PortInUseError(port, name)
                await asyncio.sleep(0.1)

    async def _start_database(self) -> dict[str, str]:
        """Server, roles and schemas; returns what each schema was migrated to."""
        server, options = _known(self._server), self.options
        if not options.postgres:
            return {}
        if options.own_postgres:
            user = await postgres.prepare(self.folder.postgres, server, durable=options.durable)
            await self._start_child(postgres.spec(self.folder.postgres, server, user, durable=options.durable))
        # Before anything is made on it: a server too small for what is asked is left as it was.
        self._shares = await connections.shares(server, sum(map(len, self.ports.services.values())))
        passwords = {each: self.secrets.roles[each] for each in SERVICES}
        await database.bootstrap(server, self._database, passwords)
        if options.fresh and not options.own_postgres:
            await database.empty(server, self._database)
            await database.bootstrap(server, self._database, passwords)
        return await database.read_marks(server, self._database)

    async def _start_nats(self) -> None:
        if self.options.own_nats:
            await self._start_own_nats()
        if self.options.nats and self.options.services:
            from deploy import streams  # noqa: PLC0415  (half of all that is loaded, and servers alone have none)

            replicas = self.options.environment.get("WUGAN_STREAM_REPLICAS", "1")
            try:
                await streams.make(self.nats_url(), replicas=int(replicas))
            except UnavailableError as error:
                raise StackError(error.detail) from error

    async def _start_own_nats(self) -> None:
        ports = self.ports
        spec = nats.spec(
            self.folder.nats,
            host=HOST,
            port=ports.nats,
            monitor_port=ports.nats_monitor,
            passwords=self.secrets.users,
        )
        await self._start_child(spec)
        await nats.prove_safe(HOST, ports.nats_monitor)

    async def _start_service(self, service: str, based: Awaitable[dict[str, str]], bussed: Awaitable[None]) -> None:
        marks = await based
        around = self._surroundings()
        mark = services.migration_mark(service)
        behind = mark is None or marks.get(service) != mark
        await bussed
        specs = (
            services.serve_spec(around, service, number, migrate=behind)
            for number in range(len(self.ports.services[service]))
        )
        await asyncio.gather(*(self._start_child(spec) for spec in specs))
        if mark and behind:
            await database.write_mark(_known(self._server), self._database, service, mark)

    def _of_sandbox(self) -> Mapping[str, str]:
        if not self.options.sandbox:
            return {}
        port = self.ports.sandbox
        return {
            **sandbox.settings_of_notify(HOST, port, self.secrets),
            **sandbox.settings_of_recognition(HOST, port),
        }

    async def _start_sandbox(self) -> None:
        callback = (
            f"{services.base_url(self.ports, 'notify')}/v1/receipts/sms" if "notify" in self.ports.services else ""
        )
        folder = self.folder.root / "sandbox"
        await self._start_child(
            sandbox.spec(folder, host=HOST, port=self.ports.sandbox, secrets=self.secrets, callback=callback)
        )

    def _surroundings(self) -> services.Surroundings:
        return services.Surroundings(
            folder=self.folder,
            secrets=self.secrets,
            ports=self.ports,
            database_urls={each: self.database_url(each) for each in SERVICES},
            nats_urls={each: self.nats_url(each) for each in SERVICES},
            connections=self._shares,
            nats_monitor=self.urls.get("nats-monitor"),
            modules=self.options.modules,
            extra={**self.options.environment, **self._of_sandbox()},
        )

    async def _migrate(self, around: services.Surroundings, service: str) -> None:
        if await run_once(services.migrate_spec(around, service), self.journal):
            raise MigrationError(service, self.journal.last(service), self.journal.path(service))
        if mark := services.migration_mark(service):
            await database.write_mark(_known(self._server), self._database, service, mark)

    async def _start_child(self, spec: ChildSpec) -> None:
        started = time.monotonic()
        child = self.children[spec.name] = Child(spec, self.journal, self._on_failure)
        await child.start()
        self.journal.say(f"{spec.name} is ready after {time.monotonic() - started:.1f} s")

    def _on_failure(self, error: BaseException) -> None:
        self._failure = self._failure or error
        self._failed.set()

    def _child(self, name: str) -> Child:
        if name not in self.children:
            raise UnknownProcessError(name, sorted(self.children))
        return self.children[name]


def _known(value: T | None) -> T:
    if value is None:
        msg = "the stack has not been started"
        raise RuntimeError(msg)
    return value


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error worth telling of several: ours before others."""
    leaves = list(_leaves(group))
    return next((each for each in leaves if isinstance(each, StackError)), leaves[0])


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for each in error.exceptions for leaf in _leaves(each)]
    return [error]
