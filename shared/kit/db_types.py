"""Connections that know the server's own array types, about which the driver asks each server process anew."""

from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import Any

import asyncpg

# PostgreSQL's own, the same on every server: of bool, bytea, bigint, smallint, integer, text, date, timestamptz, uuid.
_ARRAYS = frozenset({1000, 1001, 1016, 1005, 1007, 1009, 1182, 1185, 2951})
_NOTHING_WAS_ASKED = SimpleNamespace(name="known")  # so that the statement at hand still stands
_known: list[Sequence[asyncpg.Record]] = []


class Connection(asyncpg.Connection):  # type: ignore[misc]  # the driver tells no types
    """Asks about arrays once in a process: the question takes longer to plan than most statements take to run."""

    async def _introspect_types(self, typeoids: Iterable[int], timeout: float | None) -> Any:  # noqa: ANN401, ASYNC109  (the driver's own)
        if not _ARRAYS.issuperset(typeoids):
            return await super()._introspect_types(typeoids, timeout)
        if not _known:
            found, _ = await super()._introspect_types(_ARRAYS, timeout)
            _known[:] = [found]
            # The question took the place of a statement without a name.
            return found, SimpleNamespace(name="")
        return _known[0], _NOTHING_WAS_ASKED
