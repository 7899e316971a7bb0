"""Complete batches whose process died, from the file that is kept, without waiting for their sender."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from prometheus_client import Gauge

from services.ingest.settings import IngestSettings
from services.ingest.store import batches
from services.ingest.store.batches import Batch
from services.ingest.store.raw import RawStore, Received
from shared.kit.db import Database
from shared.kit.db_errors import is_operational

log = structlog.get_logger(__name__)

_UNFINISHED = Gauge("ingest_batches_unfinished", "Batches of dead processes that could not be completed")

GoOn = Callable[[Batch, Received], Awaitable[Batch]]


class Resume:
    """Looks for unfinished batches that nobody works on.

    Args:
        database: where they are.
        raw: keeps their files.
        settings: how often to look, how often to try one.
        go_on: takes a file in, from where it was.
    """

    def __init__(self, database: Database, raw: RawStore, settings: IngestSettings, go_on: GoOn) -> None:
        self._database = database
        self._raw = raw
        self._settings = settings
        self._go_on = go_on

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(self._settings.ingest_resume_seconds)

    async def look(self) -> int:
        """Complete what can be completed now; the number of batches completed."""
        async with self._database.read() as tx:
            found = await batches.unfinished(tx)
        completed = 0
        given_up = 0
        for batch in found:
            if batch.tries >= self._settings.ingest_resume_tries:
                given_up += 1
                continue
            # Whoever takes a file holds its name; PostgreSQL lets go for a process that was killed.
            async with self._database.holding(batches.file_name_of(batch)) as free:
                completed += free and await self._complete(batch.batch_no)
        _UNFINISHED.set(given_up)
        return completed

    async def _complete(self, batch_no: int) -> bool:
        async with self._database.write() as tx:
            batch = await batches.find_batch_by_no(tx, batch_no)
            if batch is None or batch.status != "taking":
                return False
            if await batches.is_overtaken(tx, batch):
                if await batches.delete_untouched(tx, batch):
                    await asyncio.to_thread(self._raw.drop, batch.sha256.split(".")[0])
                return False
            await batches.count_try(tx, batch, 1)
        try:
            received = await asyncio.to_thread(self._raw.fetch, batch.sha256.split(".")[0])
        except FileNotFoundError:
            # Killed before the file was kept: nothing of it was taken, and its sender had no answer.
            async with self._database.write() as tx:
                await batches.delete_untouched(tx, batch)
            return False
        except Exception as error:  # noqa: BLE001  (whatever its file has, the next one has its turn)
            await self._failed(batch, error)
            return False
        try:
            done = await self._go_on(batch, received)
        except Exception as error:  # noqa: BLE001  (whatever a file does, the next one has its turn)
            await self._failed(batch, error)
            return False
        finally:
            self._raw.forget(received)
        log.info("batch_resumed", batch_no=batch.batch_no, code=batch.code, status=done.status)
        return done.status == "completed"

    async def _failed(self, batch: Batch, error: Exception) -> None:
        log.warning("batch_not_resumed", batch_no=batch.batch_no, code=batch.code, reason=type(error).__name__)
        if is_operational(error):
            # The database was away, not the file at fault.
            async with self._database.write() as tx:
                await batches.count_try(tx, batch, -1)
