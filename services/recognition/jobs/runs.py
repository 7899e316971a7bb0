"""Certification runs, one shard a transaction."""

import asyncio

from services.recognition.store import runs as run_store
from services.recognition.usecases import runs
from services.recognition.usecases.deps import Deps
from shared.kit.waking import woken

_LOOK_SECONDS = 2.0


class RunLoop:
    """Works off queued certification runs; a process that dies leaves the rest to the next one."""

    def __init__(self, deps: Deps, wake: asyncio.Event) -> None:
        self._deps = deps
        self._wake = wake

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            self._wake.clear()
            while await self.step():
                pass
            await woken(self._wake, _LOOK_SECONDS)

    async def step(self) -> bool:
        """One shard of one run; False when there was none."""
        async with self._deps.database.write() as tx:
            return await runs.run_next_shard(self._deps, tx)

    async def working(self) -> int:
        """Runs still under way."""
        async with self._deps.database.read() as tx:
            return await run_store.count_pending(tx)
