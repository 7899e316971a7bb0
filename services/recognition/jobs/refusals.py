"""Refusals that came in floods are written down as numbers."""

import asyncio

from services.recognition.usecases.refusals import Refusals

_SECONDS = 30.0


class RefusalLoop:
    """Writes the numbers of a flood down while it lasts and when it is over."""

    def __init__(self, refusals: Refusals) -> None:
        self._refusals = refusals

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await asyncio.sleep(_SECONDS)
            await self._refusals.flush()

    async def working(self) -> int:
        """Nobody waits for it."""
        return 0
