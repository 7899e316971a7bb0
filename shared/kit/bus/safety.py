"""A proof that JetStream keeps what it acknowledges: asked of the server itself, not read from a file."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

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


async def prove_synced(client: httpx.AsyncClient, monitors: Sequence[str], *, unproved: bool) -> None:
    """Ask the monitoring of every server whether it writes each message to the disk before it acknowledges it.

    Of several servers fewer than half may be away: what they acknowledged then stands on the others as well, and one of
    them must not keep every service from starting. That stands in the log.

    Args:
        client: asks.
        monitors: addresses of the monitoring; of all servers.
        unproved: whether to start, with a warning, where none is named.

    Raises:
        UnsafeBusError: nobody can be asked, one does not, or too many do not answer.
    """
    if not monitors:
        if not unproved:
            detail = (
                "Nothing proves that NATS writes before it acknowledges: name its monitor in WUGAN_NATS_MONITOR_URLS "
                "(http://host:8222), or set WUGAN_NATS_UNPROVED=true if you have seen `sync_always` yourself."
            )
            raise UnsafeBusError(detail)
        log.warning("bus_unproved", detail="WUGAN_NATS_UNPROVED: nothing proves that NATS has sync_always on.")
        return
    answers = await asyncio.gather(*(_said(client, f"{each.rstrip('/')}/varz") for each in monitors))
    for said in answers:
        if said is not None and said.get("jetstream", {}).get("config", {}).get("sync_always") is not True:
            detail = "NATS acknowledges before it has written: set `sync_interval: always` in its jetstream block."
            raise UnsafeBusError(detail)
    if silent := answers.count(None):
        if 2 * silent >= len(answers):
            detail = "The monitoring of NATS does not answer; check WUGAN_NATS_MONITOR_URLS."
            raise UnsafeBusError(detail)
        log.warning("bus_unproved", detail=f"The monitoring of {silent} of {len(answers)} servers does not answer.")


async def _said(client: httpx.AsyncClient, url: str) -> Any:  # noqa: ANN401  (JSON)
    """What a server tells of itself, None if nothing; one that has just started, as we have, gets some tries."""
    for attempt in range(_TRIES):
        if attempt:
            await asyncio.sleep(_PAUSE)
        with contextlib.suppress(httpx.HTTPError, ValueError):
            answer = await client.get(url, timeout=5.0)
            return answer.raise_for_status().json()
    return None


def require_kept(config: api.StreamConfig) -> None:
    """See that a stream waits for the disk.

    Raises:
        UnsafeBusError: it acknowledges from memory, whatever its server is told; the setting cannot be changed.
    """
    if config.persist_mode not in {None, api.PersistMode.DEFAULT, api.PersistMode.DEFAULT.value}:
        detail = f"Stream {config.name} acknowledges from memory (persist_mode async): delete it, then replay."
        raise UnsafeBusError(detail)
