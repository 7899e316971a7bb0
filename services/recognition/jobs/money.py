"""Money that a program confirms as paid although it was stopped, and the parts in which it comes back."""

import asyncio

from services.recognition.store import arrears
from services.recognition.usecases import gathering, owing, recovering
from services.recognition.usecases.deps import Deps

_MONEY_SECONDS = 30.0


class MoneyLoop:
    """Gathers what was paid after a stop, pays back what had to wait, and tells of instalments before they are due."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            while await self.step():
                pass
            await asyncio.sleep(_MONEY_SECONDS)

    async def step(self) -> bool:
        """One round; False when everything paid late is gathered and every instalment ahead is told of."""
        deps, moved = self._deps, 0
        async with deps.database.read() as tx:
            waiting = await arrears.benefits_waiting(tx)
            late = await gathering.list_late(deps, tx)
        # Each on its own: where a run holds one shard, nobody of another waits for it.
        for subject, program in waiting:
            async with deps.database.write() as tx:
                moved += await owing.pay_withheld(deps, tx, subject, program)
        for decided in late:
            async with deps.database.write() as tx:
                moved += await gathering.gather(deps, tx, decided)
        async with deps.database.write() as tx:
            return bool(moved + await recovering.tell_coming(deps, tx))

    async def working(self) -> int:
        """Decisions after which something paid is not gathered yet."""
        async with self._deps.database.read() as tx:
            return len(await gathering.list_late(self._deps, tx))
