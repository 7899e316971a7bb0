"""Which port is whose."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from deploy.local.clients import SERVICES
from deploy.local.probes import free_ports

HOST = "127.0.0.1"
_POSTGRES, _NATS, _NATS_MONITOR, _SANDBOX = 6, 7, 8, 9
_STEP = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Ports of one stack; a service has one for each of its processes."""

    gateway: int
    services: Mapping[str, tuple[int, ...]]
    postgres: int
    nats: int
    nats_monitor: int
    sandbox: int

    def named(self) -> Iterator[tuple[str, int]]:
        """Every port with the name of its owner."""
        yield "gateway", self.gateway
        yield "postgres", self.postgres
        yield "nats", self.nats
        yield "nats", self.nats_monitor
        yield "sandbox", self.sandbox
        for service, ports in self.services.items():
            for port in ports:
                yield service, port


def plan(base: int, services: Iterable[str], workers: Mapping[str, int]) -> Ports:
    """Gateway at `base`, services after it, servers after them; further processes of a service ten higher each.

    Base 0 takes any free ports.
    """
    counts = {service: workers.get(service, 1) for service in services}
    if base == 0:
        free = iter(free_ports(HOST, 5 + sum(counts.values())))
        return Ports(
            gateway=next(free),
            postgres=next(free),
            nats=next(free),
            nats_monitor=next(free),
            sandbox=next(free),
            services={service: tuple(next(free) for _ in range(count)) for service, count in counts.items()},
        )
    places = {service: base + 1 + SERVICES.index(service) for service in counts}
    return Ports(
        gateway=base,
        postgres=base + _POSTGRES,
        nats=base + _NATS,
        nats_monitor=base + _NATS_MONITOR,
        sandbox=base + _SANDBOX,
        services={
            service: tuple(places[service] + _STEP * number for number in range(count))
            for service, count in counts.items()
        },
    )
