"""Money that a program confirms as paid although it was stopped, and the parts in which it comes back."""

import asyncio

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
        async with self._deps.database.write() as tx:
            paid = await owing.pay_withheld(self._deps, tx)
        # On its own: each of the two holds shards in ascending order.
        async with self._deps.database.write() as tx:
            gathered = await gathering.gather_late(self._deps, tx)
            return bool(paid + gathered + await recovering.tell_coming(self._deps, tx))

    async def working(self) -> int:
        """Decisions after which something paid is not gathered yet."""
        async with self._deps.database.read() as tx:
            return len(await gathering.list_late(self._deps, tx))
