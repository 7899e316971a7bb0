"""Jobs and pay lists, one part a transaction; results that have had their time are forgotten."""

import asyncio

import structlog

from services.recognition.store import jobs as job_store
from services.recognition.usecases import idempotency, jobs, payruns
from services.recognition.usecases.deps import Deps
from shared.kit.db import is_operational
from shared.kit.waking import woken

log = structlog.get_logger(__name__)

_LOOK_SECONDS = 2.0


class BulkLoop:
    """Works off jobs, keeps payments of confirmed lists, and clears up."""

    def __init__(self, deps: Deps, wake: asyncio.Event) -> None:
        self._deps = deps
        self._wake = wake

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            self._wake.clear()
            while await self.step():
                pass
            await self.clear_up()
            await woken(self._wake, _LOOK_SECONDS)

    async def step(self) -> bool:
        """One part of one job, or of one confirmation; False when there was neither."""
        async with self._deps.database.write() as tx:
            if await payruns.record_next(self._deps, tx):
                return True
        return await self._job_step()

    async def _job_step(self) -> bool:
        job_id = None
        try:
            async with self._deps.database.write() as tx:
                taken = await job_store.take_job(tx)
                if taken is None:
                    return False
                job_id = taken.job_id
                await jobs.step(self._deps, tx, taken)
        except Exception as error:
            if job_id is None or is_operational(error):
                raise
            log.exception("job_step_failed", job=str(job_id))
            async with self._deps.database.write() as tx:
                await jobs.give_up(self._deps, tx, job_id)
        return True

    async def clear_up(self) -> None:
        """Forget results and kept answers whose time is over."""
        async with self._deps.database.write() as tx:
            over = await jobs.expire(self._deps, tx)
            await idempotency.forget(tx)
        for job_id in over:
            await asyncio.to_thread(self._deps.bulk.files.drop, job_id)

    async def working(self) -> int:
        """Jobs and confirmations still under way."""
        async with self._deps.database.read() as tx:
            return await job_store.count_open(tx)
