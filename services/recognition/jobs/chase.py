"""Partners who have not answered are told again, until a person takes over."""

import asyncio

from prometheus_client import Gauge

from services.recognition.usecases import feed
from services.recognition.usecases.deps import Deps

_LOOK_SECONDS = 30.0
UNACKNOWLEDGED = Gauge(
    "recognition_revocations_unacknowledged", "Revocations partners have left unanswered beyond the time, or rejected"
)


class ChaseLoop:
    """Looks for events nobody has answered in time."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            while await self.step():
                pass
            await self.measure()
            await asyncio.sleep(_LOOK_SECONDS)

    async def step(self) -> int:
        """One handful of late events; their number."""
        async with self._deps.database.write() as tx:
            return await feed.chase(self._deps, tx)

    async def measure(self) -> None:
        """How many revocations some partner may still pay on."""
        async with self._deps.database.read() as tx:
            UNACKNOWLEDGED.set(await feed.count_unacknowledged(self._deps, tx))

    async def working(self) -> int:
        """Waiting for partners is no work under way."""
        return 0
