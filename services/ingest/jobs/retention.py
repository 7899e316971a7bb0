"""Forget what has been kept long enough since it was received: evidence, hints, raw files and quarantine."""

import asyncio
from collections.abc import Mapping
from datetime import date, datetime, time

import structlog

from services.ingest.domain.catalogue import Source
from services.ingest.domain.evidence import window_start
from services.ingest.settings import IngestSettings
from services.ingest.store import batches, watching
from services.ingest.store.raw import RawStore
from shared.kit.clock import SHANGHAI, Clock
from shared.kit.db import Database

log = structlog.get_logger(__name__)

_LOOK_SECONDS = 60.0
_DAY_SECONDS = 86_400.0


class Retention:
    """Once a business day."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        sources: Mapping[str, Source],
        raw: RawStore,
        settings: IngestSettings,
    ) -> None:
        self._database = database
        self._clock = clock
        self._sources = sources
        self._raw = raw
        self._settings = settings
        self._done_on: date | None = None

    async def run(self) -> None:
        """Forget until cancelled."""
        while True:
            if self._done_on != self._clock.today():
                await self.forget()
            await asyncio.sleep(_LOOK_SECONDS)

    async def forget(self) -> None:
        """Forget now; done again, it changes nothing."""
        today = self._clock.today()
        for source in self._sources.values():
            before = _start_of(window_start(today, source.retention_months))
            async with self._database.write() as tx:
                dropped = await watching.forget_evidence(tx, source.code, before)
            await self._drop_files("source", source.code, before)
            if dropped:
                log.info("evidence_forgotten", source=source.code, segments=dropped)
        await self._drop_files("roster", None, _start_of(window_start(today, self._settings.ingest_roster_months)))
        await asyncio.to_thread(self._raw.sweep, _DAY_SECONDS)
        self._done_on = today

    async def _drop_files(self, kind: str, code: str | None, before: datetime) -> None:
        async with self._database.read() as tx:
            digests = await watching.old_files(tx, kind, code, before)
        for sha256 in digests:
            async with self._database.write() as tx:
                await batches.lock_digest(tx, sha256)
                # Within the transaction: a file that cannot be dropped today is asked for again tomorrow.
                if await watching.forget_file(tx, kind, code, before, sha256):
                    await asyncio.to_thread(self._raw.drop, sha256)


def _start_of(day: date) -> datetime:
    return datetime.combine(day, time(), SHANGHAI)
