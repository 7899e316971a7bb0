"""Questions that come at the same moment, asked as one statement: one transaction and one write to the disk for all."""

import asyncio
from collections import deque
from collections.abc import Sequence

import asyncpg

from shared.kit.db import Database
from shared.kit.problems import UnavailableError

_LANES, _MOST = 2, 64

Question = tuple[Sequence[object], "asyncio.Future[asyncpg.Record]", asyncio.Timeout]
"""What is asked, where the answer goes, and how long it waits for its turn."""


class Together:
    """Asks one statement for whoever waits.

    Nobody waits for company: a question that finds a free lane leaves at once; those that find none leave together as
    soon as a lane is free. So a calm service answers as if each asked alone, and a busy one has less to do for each.

    Args:
        database: where to ask.
        sql: takes an array for each part of a question, and answers one row for each question, in their order.
        lanes: statements under way at most.
        most: questions in one statement at most.
        seconds: longest wait for a lane; the statement itself has the limit of the database.
    """

    def __init__(
        self, database: Database, sql: str, *, lanes: int = _LANES, most: int = _MOST, seconds: float = 5.0
    ) -> None:
        self._database = database
        self._sql = sql
        self._free = lanes
        self._most = most
        self._seconds = seconds
        self._waiting: deque[Question] = deque()
        self._going: set[asyncio.Task[None]] = set()

    async def ask(self, *question: object) -> asyncpg.Record:
        """The row of one question, once the statement is committed.

        Raises:
            UnavailableError: the database is busy or does not answer.
        """
        answer: asyncio.Future[asyncpg.Record] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self._seconds) as patience:
                self._waiting.append((question, answer, patience))
                self._wake()
                return await answer
        except TimeoutError as error:
            detail = "The database is busy; try again shortly."
            raise UnavailableError(detail) from error

    def _wake(self) -> None:
        if self._free:
            self._free -= 1
            task = asyncio.create_task(self._go())
            self._going.add(task)
            task.add_done_callback(self._going.discard)

    async def _go(self) -> None:
        try:
            while self._waiting:
                some = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
                # Who has waited too long has gone by now.
                there = [each for each in some if not each[1].done()]
                for _, _, patience in there:
                    patience.reschedule(None)
                if there:
                    await self._answer(there)
        finally:
            self._free += 1

    async def _answer(self, some: Sequence[Question]) -> None:
        try:
            rows = await self._database.at_once(self._sql, *zip(*(parts for parts, *_ in some), strict=True))
        except Exception as error:  # noqa: BLE001  (whoever asked hears it)
            await self._failed(some, error)
        else:
            for (_, answer, _), row in zip(some, rows, strict=True):
                if not answer.done():
                    answer.set_result(row)

    async def _failed(self, some: Sequence[Question], error: Exception) -> None:
        if len(some) == 1 or isinstance(error, UnavailableError):
            for _, answer, _ in some:
                if not answer.done():
                    answer.set_exception(error)
            return
        # Nothing of it was kept, and no question may fail for another one's sake.
        for each in some:
            await self._answer([each])
