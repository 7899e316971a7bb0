"""The embedded nats-server, and the proof that a JetStream keeps what it acknowledges."""

import os
from collections.abc import Mapping
from pathlib import Path

from deploy.local.errors import FreshNatsError, UnprovedNatsError, UnsafeNatsError
from deploy.local.probes import answers, get_json
from deploy.local.processes import ChildSpec
from deploy.local.programs import DEPLOY, beside_python

NAME = "nats"


def url(host: str, port: int, user: str, passwords: Mapping[str, str]) -> str:
    """`nats://user:password@host:port`."""
    return f"nats://{user}:{passwords[user]}@{host}:{port}"


def spec(folder: Path, *, host: str, port: int, monitor_port: int, passwords: Mapping[str, str]) -> ChildSpec:
    """The server as a child process; `passwords` by user."""
    told = {f"WUGAN_NATS_PASSWORD_{user.upper()}": password for user, password in passwords.items()}
    return ChildSpec(
        name=NAME,
        argv=(
            beside_python("nats-server"),
            *("--config", str(DEPLOY / "nats" / "nats-server.conf")),
            *("--store_dir", str(folder)),
        ),
        env={
            **{key: value for key, value in os.environ.items() if not key.startswith("WUGAN_")},
            **told,
            "WUGAN_NATS_NAME": "wugan-local",
            "WUGAN_NATS_HOST": host,
            "WUGAN_NATS_PORT": str(port),
            "WUGAN_NATS_MONITOR_PORT": str(monitor_port),
        },
        cwd=folder,
        ready=lambda: answers(host, monitor_port, "/healthz?js-enabled-only=true"),
    )


async def prove_safe(host: str, monitor_port: int) -> None:
    """Ask the running server whether it syncs every message.

    Raises:
        UnsafeNatsError: it does not; `sync_interval` alone says two minutes in either case.
    """
    facts = await get_json(host, monitor_port, "/varz")
    if facts.get("jetstream", {}).get("config", {}).get("sync_always") is not True:
        raise UnsafeNatsError(f"{host}:{monitor_port}")


def refuse_foreign(environment: Mapping[str, str], *, fresh: bool, served: bool) -> None:
    """See that a NATS that is not ours is not to be emptied, and that services will start on it.

    Raises:
        FreshNatsError: it is to be emptied.
        UnprovedNatsError: nobody could ask it whether it keeps what it acknowledges.
    """
    if fresh:
        raise FreshNatsError
    if served and not is_proved_by(environment):
        raise UnprovedNatsError


def is_proved_by(environment: Mapping[str, str]) -> bool:
    """Whether services with this environment start on a server that is not ours."""
    unproved = environment.get("WUGAN_NATS_UNPROVED", "").lower() in {"1", "true", "t", "yes", "y", "on"}
    return unproved or bool(environment.get("WUGAN_NATS_MONITOR_URLS"))
