"""Three nats-servers as one JetStream cluster on this machine, of which one may be killed."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from deploy.certificates import Pair
from deploy.local import nats
from deploy.local.journal import Journal
from deploy.local.ports import HOST
from deploy.local.probes import answers, free_ports, get_json
from deploy.local.processes import Child, ChildSpec
from deploy.local.programs import DEPLOY
from deploy.local.secrets import OPERATOR

SERVERS = 3


class Cluster:
    """The servers, by number.

    Args:
        folder: keeps their stores and logs.
        passwords: by user.
        certificates: folder of `wugan certificates`: the routes between the servers are then behind TLS.
    """

    def __init__(self, folder: Path, passwords: Mapping[str, str], certificates: Path | None = None) -> None:
        ports = free_ports(HOST, 3 * SERVERS)
        self._clients, self._monitors, routes = ports[0::3], ports[1::3], ports[2::3]
        self._passwords = passwords
        self._journal = Journal(folder / "logs")
        self._children = []
        for number in range(SERVERS):
            store = folder / f"server-{number}"
            store.mkdir(parents=True)
            spec = nats.spec(
                store, host=HOST, port=self._clients[number], monitor_port=self._monitors[number], passwords=passwords
            )
            others = [f"nats://{HOST}:{port}" for place, port in enumerate(routes) if place != number]
            config = _config(store, routes[number], others, certificates)
            spec = replace(
                spec,
                name=f"nats-{number}",
                argv=_configured(spec, config),
                env={**spec.env, "WUGAN_NATS_NAME": f"wugan-{number}"},
                ready=partial(answers, HOST, self._monitors[number], "/healthz?js-server-only=true"),
            )
            self._children.append(Child(spec, self._journal))

    @property
    def url(self) -> str:
        """All servers, for a client that changes over."""
        return ",".join(nats.url(HOST, port, OPERATOR, self._passwords) for port in self._clients)

    @property
    def monitors(self) -> str:
        """Where the monitoring of each listens, as services are told."""
        return ",".join(f"http://{HOST}:{port}" for port in self._monitors)

    async def start(self) -> None:
        """Start all and wait until they have a leader."""
        await asyncio.gather(*(child.start() for child in self._children))
        async with asyncio.timeout(60):
            while not await self._led():
                await asyncio.sleep(0.1)

    async def stop(self) -> None:
        """Stop all."""
        await asyncio.gather(*(child.stop() for child in self._children))
        self._journal.close()

    def kill(self, number: int) -> None:
        """SIGKILL; it starts again by itself."""
        self._children[number].kill()

    def leave_dead(self, number: int) -> None:
        """SIGKILL, and it stays away."""
        self._children[number].abandon()

    async def leader(self, stream: str) -> int:
        """The server that leads a stream; waits for one, as the first server may hear of it after the stream's maker."""
        async with asyncio.timeout(60):
            while not (led := await self._leader(stream)):
                await asyncio.sleep(0.1)
        return int(led.removeprefix("wugan-"))

    async def _leader(self, stream: str) -> str:
        facts = await get_json(HOST, self._monitors[0], f"/jsz?streams=1&acc=WUGAN&leader-only=0&name={stream}")
        told = (detail for account in facts["account_details"] for detail in account.get("stream_detail", []))
        return next((each["cluster"].get("leader", "") for each in told if each["name"] == stream), "")

    async def _led(self) -> bool:
        for port in self._monitors:
            facts = await get_json(HOST, port, "/jsz")
            if not facts.get("meta_cluster", {}).get("leader"):
                return False
        return True


def _config(store: Path, port: int, others: list[str], certificates: Path | None) -> Path:
    """The configuration of one server: that of every installation, and its routes as the chart writes them."""
    lines = [f"include {os.path.relpath(DEPLOY / 'nats' / 'nats-server.conf', store)}", "cluster {", "  name: wugan"]
    lines += [f"  listen: {HOST}:{port}", f"  routes: [{', '.join(others)}]"]
    if certificates:
        pair = Pair.named(certificates, "nats")
        files = {"cert_file": pair.certificate, "key_file": pair.key, "ca_file": certificates / "inside.crt"}
        lines += ["  tls {", *(f'    {name}: "{path}"' for name, path in files.items()), "    verify: true", "  }"]
    path = store / "clustered.conf"
    path.write_text("\n".join([*lines, "}", ""]), encoding="utf-8")
    return path


def _configured(spec: ChildSpec, config: Path) -> tuple[str, ...]:
    place = spec.argv.index("--config") + 1
    return (*spec.argv[:place], str(config), *spec.argv[place + 1 :])


@asynccontextmanager
async def clustered(
    folder: Path, passwords: Mapping[str, str], certificates: Path | None = None
) -> AsyncIterator[Cluster]:
    """A running cluster, gone at the end."""
    made = Cluster(folder, passwords, certificates)
    try:
        await made.start()
        yield made
    finally:
        await made.stop()
