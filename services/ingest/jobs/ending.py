"""End enrolments on the day that their rosters had said ahead."""

import asyncio
from datetime import date

import structlog

from services.ingest.store import places
from services.ingest.usecases.ending import end_due
from shared.kit.clock import Clock
from shared.kit.db import Database
from shared.kit.outbox import Outbox

log = structlog.get_logger(__name__)

_LOOK_SECONDS = 60.0


class Ending:
    """Once a business day."""

    def __init__(self, database: Database, clock: Clock, outbox: Outbox) -> None:
        self._database = database
        self._clock = clock
        self._outbox = outbox
        self._done_on: date | None = None

    async def run(self) -> None:
        """End until cancelled."""
        while True:
            if self._done_on != self._clock.today():
                await self.end()
            await asyncio.sleep(_LOOK_SECONDS)

    async def end(self) -> int:
        """End what is due; done again, it changes nothing. How many enrolments."""
        today, ended = self._clock.today(), 0
        async with self._database.read() as tx:
            programs = await places.programs_due(tx, today)
        for program in programs:
            async with self._database.write() as tx:
                count = await end_due(tx, self._outbox, program, today)
            log.info("enrolments_ended", program=program, count=count)
            ended += count
        self._done_on = today
        return ended
