"""Time in: a round each business day, the morning's plan, and the order of visits."""

import asyncio
from dataclasses import asdict
from datetime import date

import structlog

from services.grid.jobs.upkeep import go_todays_round, order_visits, tell_morning
from services.grid.usecases.deps import Deps

log = structlog.get_logger(__name__)


class DailyRound:
    """Looks at the clock every few seconds and goes round when a business day has begun, also after a restart."""

    def __init__(self, deps: Deps, *, seconds: float) -> None:
        self._deps = deps
        self._seconds = seconds
        self._done_on: date | None = None
        self._told_on: date | None = None

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(self._seconds)

    async def look(self) -> None:
        """One look at the clock."""
        today = self._deps.clock.today()
        if self._done_on != today:
            if done := await go_todays_round(self._deps):
                log.info("daily_round", **asdict(done))
            self._done_on = today
        if self._told_on != today and await tell_morning(self._deps):
            self._told_on = today
            log.info("workday_told")
        if ordered := await order_visits(self._deps):
            log.info("visits_ordered", people=ordered)
