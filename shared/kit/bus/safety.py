"""A proof that JetStream keeps what it acknowledges: asked of the server itself, not read from a file."""

import asyncio
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import httpx
import structlog
from nats.js import api

from shared.kit.problems import UnavailableError

log = structlog.get_logger(__name__)
_TRIES, _PAUSE = 5, 0.5


class UnsafeBusError(UnavailableError):
    """The broker may lose what it has acknowledged; nothing may be said to it."""

    code = "bus_unsafe"
    title = "The message store may lose what it has acknowledged"


async def prove_synced(client: httpx.AsyncClient, monitors: Sequence[str], servers: Sequence[str]) -> None:
    """Ask the monitoring of every server whether it writes each message to the disk before it acknowledges it.

    Where nobody says where the monitoring listens, that stands in the log, but for servers of this machine alone.

    Args:
        client: asks.
        monitors: addresses of the monitoring; of all servers.
        servers: NATS' own addresses.

    Raises:
        UnsafeBusError: one does not, or does not answer.
    """
    if not monitors and not all(_is_here(each) for each in servers):
        log.warning("bus_unproved", detail="Set WUGAN_NATS_MONITOR_URLS: nothing proves that NATS has sync_always on.")
    for each in monitors:
        said = await _said(client, f"{each.rstrip('/')}/varz")
        if said.get("jetstream", {}).get("config", {}).get("sync_always") is not True:
            detail = "NATS acknowledges before it has written: set `sync_interval: always` in its jetstream block."
            raise UnsafeBusError(detail)


async def _said(client: httpx.AsyncClient, url: str) -> Any:  # noqa: ANN401  (JSON)
    """What a server tells of itself; one that has just started, as we have, gets some tries."""
    for attempt in range(_TRIES):
        try:
            answer = await client.get(url, timeout=5.0)
            return answer.raise_for_status().json()
        except (httpx.HTTPError, ValueError) as error:
            if attempt == _TRIES - 1:
                detail = "The monitoring of NATS does not answer; check WUGAN_NATS_MONITOR_URLS."
                raise UnsafeBusError(detail) from error
        await asyncio.sleep(_PAUSE)
    return None


def _is_here(server: str) -> bool:
    host = urlsplit(server).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def require_kept(config: api.StreamConfig) -> None:
    """See that a stream waits for the disk.

    Raises:
        UnsafeBusError: it acknowledges from memory, whatever its server is told; the setting cannot be changed.
    """
    if config.persist_mode not in {None, api.PersistMode.DEFAULT, api.PersistMode.DEFAULT.value}:
        detail = f"Stream {config.name} acknowledges from memory (persist_mode async): delete it, then replay."
        raise UnsafeBusError(detail)
