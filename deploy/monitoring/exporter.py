"""`wugan exporter`: the figures of all services for Prometheus, asked as an operator would ask, once a minute.

Figures cost the database something and mean the whole platform, not one process; so they are asked for once, here, and
not by every scrape of every process.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path

import httpx
import structlog
from prometheus_client import CollectorRegistry, Gauge, start_http_server

from deploy.monitoring.endings import Endings
from deploy.monitoring.looking import Look, Operator
from deploy.monitoring.notes import Notes
from deploy.monitoring.status import flat

log = structlog.get_logger(__name__)


class Figures:
    """The gauges."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.figure = Gauge("wugan_figure", "Counts of a service", ["service", "figure", "key"], registry=registry)
        self.ready = Gauge("wugan_ready", "1: the service is ready", ["service"], registry=registry)
        self.flow = Gauge("wugan_flow", "What is under way in a service", ["service", "what"], registry=registry)
        self.answered = Gauge(
            "wugan_figures_answered", "1: the service told its figures", ["service"], registry=registry
        )
        self._told: dict[str, set[tuple[str, str]]] = {}

    def take(self, look: Look) -> None:
        """Bring the gauges of one service up to date; what did not answer keeps its last value and is told apart."""
        self.ready.labels(look.service).set(look.ready is True)
        self.answered.labels(look.service).set(look.trouble is None)
        told = {(group, key): value for (group, _, key), value in _parts(look)}
        if look.trouble is None:
            # A group tells only what there is some of: the number of what is gone would stand for ever.
            for group, key in self._told.get(look.service, set()) - told.keys():
                self.figure.remove(look.service, group, key)
            self._told[look.service] = set(told)
        for (group, key), value in told.items():
            self.figure.labels(look.service, group, key).set(value)
        for what, count in look.flow.items():
            self.flow.labels(look.service, what).set(count)


def _parts(look: Look) -> list[tuple[tuple[str, str, str], float]]:
    return [(name.partition("."), value) for name, value in flat(look.figures)]


async def export(
    ask: Callable[[httpx.AsyncClient], Operator],
    *,
    host: str,
    port: int,
    seconds: float,
    notes: Path | None = None,
    certificates: Path | None = None,
) -> None:
    """Serve the figures until cancelled.

    Args:
        ask: makes the operator who is to ask.
        host: where to listen.
        port: where to listen.
        seconds: between two looks.
        notes: folder of what backup and reconciliation noted.
        certificates: folder of those whose end is told.

    Raises:
        NoSuchClientError: the operator's key is not where it was said to be.
    """
    registry = CollectorRegistry()
    figures = Figures(registry)
    if notes:
        registry.register(Notes(notes))
    if certificates:
        registry.register(Endings(certificates))
    async with httpx.AsyncClient() as http:
        asking = ask(http)
        server, thread = start_http_server(port, addr=host, registry=registry)
        log.info("exporting", host=host, port=server.server_port)
        try:
            while True:
                for look in await asking.look():
                    figures.take(look)
                await asyncio.sleep(seconds)
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
