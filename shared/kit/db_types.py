"""Connections that notice a vanished host, and know array types about which the driver asks each server process."""

import socket
from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import Any

import asyncpg

# PostgreSQL's own, the same on every server: of bool, bytea, bigint, smallint, integer, text, date, timestamptz, uuid.
_ARRAYS = frozenset({1000, 1001, 1016, 1005, 1007, 1009, 1182, 1185, 2951})
_NOTHING_WAS_ASKED = SimpleNamespace(name="known")  # so that the statement at hand still stands
# Asked after 30 s of silence, given up after a minute without an answer; the last one is Linux's only.
_KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 60_000}
_known: list[Sequence[asyncpg.Record]] = []


class Connection(asyncpg.Connection):  # type: ignore[misc]  # the driver tells no types
    """Asks about arrays once in a process: the question takes longer to plan than most statements take to run."""

    def __init__(self, protocol: Any, transport: Any, *rest: Any) -> None:  # noqa: ANN401  (the driver's own)
        super().__init__(protocol, transport, *rest)
        # A host that loses its power says no goodbye: the system would go on sending for a quarter of an hour.
        peer = transport.get_extra_info("socket")
        if peer.family in {socket.AF_INET, socket.AF_INET6}:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for name, value in _KEEPALIVE.items():
                if hasattr(socket, name):
                    peer.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)

    async def _introspect_types(self, typeoids: Iterable[int], timeout: float | None) -> Any:  # noqa: ANN401, ASYNC109  (the driver's own)
        if not _ARRAYS.issuperset(typeoids):
            return await super()._introspect_types(typeoids, timeout)
        if not _known:
            found, _ = await super()._introspect_types(_ARRAYS, timeout)
            _known[:] = [found]
            # The question took the place of a statement without a name.
            return found, SimpleNamespace(name="")
        return _known[0], _NOTHING_WAS_ASKED
