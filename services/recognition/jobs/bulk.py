"""Jobs and pay lists, one part a transaction; results that have had their time are forgotten."""

import asyncio

import structlog

from services.recognition.store import jobs as job_store
from services.recognition.usecases import idempotency, jobs, payruns
from services.recognition.usecases.deps import Deps
from shared.kit.db_errors import is_operational
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
        """One part of one confirmation, and one of one job; False when there was neither."""
        # Neither waits for the other: a list whose payments cannot be kept must not hold up everybody's jobs.
        recorded = await self._record_step()
        return await self._job_step() or recorded

    async def _record_step(self) -> bool:
        payrun_id = None
        try:
            async with self._deps.database.write() as tx:
                taken = await job_store.take_confirmed(tx)
                if taken is None:
                    return False
                payrun_id = taken.payrun_id
                await payruns.record(self._deps, tx, taken)
        except Exception:
            if payrun_id is None:
                raise
            # What a program says it has paid is never given up: it is tried again after a rest, behind the others.
            log.exception("payrun_step_failed", payrun=str(payrun_id))
            async with self._deps.database.write() as tx:
                await job_store.note_failure(tx, payrun_id)
            return False
        return True

    async def _job_step(self) -> bool:
        job_id = None
        try:
            async with self._deps.database.write() as tx:
                taken = await job_store.take_job(tx)
                if taken is None:
                    return False
                job_id = taken.job_id
                await jobs.step(self._deps, tx, taken)
        except FileNotFoundError:
            # As after a restore from a backup taken before the list was copied: no further try brings it back.
            assert job_id is not None
            log.error("job_files_missing", job=str(job_id))  # noqa: TRY400  (a loss, no defect)
            async with self._deps.database.write() as tx:
                await jobs.fail(self._deps, tx, job_id)
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
        for job_id, kinds in over:
            await asyncio.to_thread(self._deps.bulk.files.drop, job_id, *kinds)

    async def working(self) -> int:
        """Jobs and confirmations still under way."""
        async with self._deps.database.read() as tx:
            return await job_store.count_open(tx)
