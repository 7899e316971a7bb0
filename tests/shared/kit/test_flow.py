"""How much is under way is never shown as nothing while work goes from one place to the next."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest

from shared.kit.operations import flow

WAY = ("consumer", "sweep", "outbox")


class Work:
    """One piece of work that goes one step on after every look at anything, as fast as it can be missed."""

    def __init__(self, place: str) -> None:
        self._at = WAY.index(place)

    def look(self, place: str) -> int:
        seen = int(WAY[self._at] == place)
        self._at = min(self._at + 1, len(WAY) - 1)
        return seen

    async def pending(self) -> tuple[int, int]:
        return 0, self.look("consumer")

    async def working(self) -> int:
        return self.look("sweep")

    @asynccontextmanager
    async def read(self) -> AsyncIterator["Work"]:
        yield self

    async def fetch(self, _sql: str) -> list[dict[str, int]]:
        return [{"outbox": self.look("outbox"), "dead": 0}]


@pytest.mark.parametrize("place", WAY)
async def test_work_that_goes_on_between_two_looks_is_seen_at_one_of_them(place):
    work = Work(place)
    state = SimpleNamespace(platform=SimpleNamespace(database=work, consumers=work), working=work.working)
    said = await flow(SimpleNamespace(app=SimpleNamespace(state=state)), None)  # type: ignore[arg-type]
    assert said.outbox_pending + said.undelivered + said.unacknowledged + said.working >= 1
