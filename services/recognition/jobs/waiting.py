"""The morning's count of what waits for officers."""

import asyncio
from datetime import date
from typing import Final

from services.recognition.usecases import waiting
from services.recognition.usecases.deps import Deps
from shared.kit.clock import SHANGHAI
from shared.kit.workdays import is_working_day

_LOOK_SECONDS = 60.0
_OPENS: Final = 8
"""Hour in Asia/Shanghai."""


class WaitingLoop:
    """Says once a working morning what waits; a second process says the same, which tells nobody twice."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._said_on: date | None = None

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await self.step()
            await asyncio.sleep(_LOOK_SECONDS)

    async def step(self) -> int:
        """Say it where it is time; how many programs have something waiting."""
        today = self._deps.clock.today()
        open_now = self._deps.clock.now().astimezone(SHANGHAI).hour >= _OPENS and is_working_day(today)
        if self._said_on == today or not open_now:
            return 0
        async with self._deps.database.write() as tx:
            said = await waiting.say_waiting(self._deps, tx)
        self._said_on = today
        return said

    async def working(self) -> int:
        """Counting is no work under way."""
        return 0
