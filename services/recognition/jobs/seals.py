"""The usage log is sealed a moment after it is written, apart from who waits for an answer."""

import asyncio

import structlog

from services.recognition.usecases import audit
from services.recognition.usecases.deps import Deps

log = structlog.get_logger(__name__)

_LOOK_SECONDS = 5.0


class SealLoop:
    """Seals what has been logged."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            while await self.step():
                pass
            await asyncio.sleep(_LOOK_SECONDS)

    async def step(self) -> bool:
        """Some seals; False when there was nothing to seal."""
        async with self._deps.database.write() as tx:
            made = await audit.seal_next(self._deps, tx)
        for each in made:
            # The head of the chain leaves the database with the log lines: who cuts the end off is found by it.
            log.info("usage_sealed", seal=each.number, rows=len(each.ids), chain=each.chain.hex())
        return bool(made)

    async def working(self) -> int:
        """Sealing goes on for ever and nobody waits for it."""
        return 0
