"""The service processes: what their environment tells them, how they are started and migrated."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from deploy.local.clients import service_client
from deploy.local.folder import DataFolder
from deploy.local.ports import HOST, Ports
from deploy.local.probes import answers
from deploy.local.processes import ChildSpec
from deploy.local.programs import ROOT
from deploy.local.secrets import SERVICE_KEYS, Secrets

MEMORY = {"MALLOC_ARENA_MAX": "2", "ARROW_DEFAULT_MEMORY_POOL": "system"}
"""What each thread and Arrow's own pool would keep of memory long freed: a hundred MiB after a roster of a million."""
_SHUTDOWN_SECONDS = 10
_ISSUER = "recognition"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Everything the environment of a service process is made of.

    Attributes:
        database_urls: by service, of its own role.
        nats_urls: by service, of its own user.
        connections: what each process is told of its share of the database's connections.
        nats_monitor: address of the monitoring of our own NATS; of another's the environment says it.
        modules: module of a service that is not `services.<name>`.
        extra: variables for every service process, e.g. `WUGAN_LOG_LEVEL`; they count before all others.
    """

    folder: DataFolder
    secrets: Secrets
    ports: Ports
    database_urls: Mapping[str, str]
    nats_urls: Mapping[str, str]
    connections: Mapping[str, str] = field(default_factory=dict)
    nats_monitor: str | None = None
    modules: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, str] = field(default_factory=dict)


def process_name(service: str, number: int) -> str:
    """`scoring`, `scoring-2`, ...; `number` counts from 0."""
    return service if number == 0 else f"{service}-{number + 1}"


def base_url(ports: Ports, service: str) -> str:
    """Where the first process of a service listens."""
    return f"http://{HOST}:{ports.services[service][0]}"


def environment(around: Surroundings, service: str, port: int) -> dict[str, str]:
    """The environment of one process of `service`."""
    secrets, client = around.secrets, around.secrets.clients[service_client(service)]
    told = {
        "WUGAN_DATABASE_URL": around.database_urls[service],
        "WUGAN_NATS_URL": around.nats_urls[service],
        "WUGAN_HOST": HOST,
        "WUGAN_PORT": str(port),
        "WUGAN_DATA_DIR": str(around.folder.of_service(service)),
        "WUGAN_CLOCK_FILE": str(around.folder.clock),
        **{f"WUGAN_{each.upper()}": getattr(secrets, each) for each in SERVICE_KEYS[service]},
        "WUGAN_ISSUER_URL": f"http://{HOST}:{around.ports.gateway}/api/{_ISSUER}",
        "WUGAN_CLIENT_ID": client.client_id,
        "WUGAN_CLIENT_KEY_FILE": str(client.key_file),
        **{f"WUGAN_{each.upper()}_URL": base_url(around.ports, each) for each in around.ports.services},
    }
    if around.nats_monitor:
        told["WUGAN_NATS_MONITOR_URLS"] = around.nats_monitor
    if _ISSUER in around.ports.services:
        # Straight to the issuer: the keys are needed before and without the gateway.
        told["WUGAN_JWKS_URL"] = f"{base_url(around.ports, _ISSUER)}/.well-known/jwks.json"
        told["WUGAN_TOKEN_URL"] = f"{base_url(around.ports, _ISSUER)}/oauth/token"
    if service == _ISSUER:
        told["WUGAN_ISSUER_KEY_FILE"] = str(secrets.issuer_key_file)
        told["WUGAN_CLIENTS_FILE"] = str(secrets.clients_file)
    kept = {**MEMORY, **around.connections, "WUGAN_SHUTDOWN_SECONDS": str(_SHUTDOWN_SECONDS), **os.environ}
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    return {**kept, **told, **around.extra, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}


def serve_spec(around: Surroundings, service: str, number: int, *, migrate: bool = False) -> ChildSpec:
    """One process that serves; with `migrate` it brings its schema up to date first, sparing a process of its own."""
    port = around.ports.services[service][number]
    return ChildSpec(
        name=process_name(service, number),
        argv=_command(around, service, "serve") + (("--migrate",) if migrate else ()),
        env=environment(around, service, port),
        cwd=_own_folder(around, service),
        ready=lambda: answers(HOST, port, "/readyz"),
        # What the service allows its last requests, and then some for its consumers and connections.
        stop_seconds=_SHUTDOWN_SECONDS + 15.0,
    )


def migrate_spec(around: Surroundings, service: str) -> ChildSpec:
    """The process that brings the schema of a service up to date and ends."""
    return ChildSpec(
        name=service,
        argv=_command(around, service, "migrate"),
        env=environment(around, service, 0),
        cwd=_own_folder(around, service),
        ready=lambda: answers(HOST, 0, "/"),
    )


def migration_mark(service: str, root: Path = ROOT) -> str | None:
    """A word that changes with the migrations of a service; None where it has none to read."""
    folder = root / "services" / service / "migrations"
    files = sorted(each for suffix in ("py", "sql") for each in folder.rglob(f"*.{suffix}"))
    if not files:
        return None
    digest = sha256()
    for path in (*files, root / "shared" / "kit" / "migrations.py"):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return f"migrated {digest.hexdigest()[:32]}"


def _command(around: Surroundings, service: str, verb: str) -> tuple[str, ...]:
    return (sys.executable, "-m", around.modules.get(service, f"services.{service}"), verb)


def _own_folder(around: Surroundings, service: str) -> Path:
    folder = around.folder.of_service(service)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
