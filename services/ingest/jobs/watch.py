"""Watch how sources deliver: figures as metrics, an alarm when one falls silent, said once a silence."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta

import structlog
from prometheus_client import Gauge

from services.ingest.domain.catalogue import Source
from services.ingest.domain.quality import Quality
from services.ingest.settings import IngestSettings
from services.ingest.usecases.watching import qualities, say_missed
from shared.kit.clock import Clock
from shared.kit.db import Database
from shared.kit.outbox import Outbox

log = structlog.get_logger(__name__)

_ROWS = Gauge("ingest_source_rows", "Rows of the last days", ["source"])
_ACCEPTED = Gauge("ingest_source_accepted_share", "Accepted rows of all", ["source"])
_MATCHED = Gauge("ingest_source_match_rate", "Rows of people in the vault, of all that could be looked up", ["source"])
_LATENCY = Gauge("ingest_source_latency_days", "Mean days from event to receipt", ["source"])
_SILENT = Gauge("ingest_source_silent", "1: has not delivered for longer than allowed", ["source"])
_SILENT_DAYS = Gauge("ingest_source_silent_days", "Days since the last delivery", ["source"])


class Watch:
    """Looks at every source from time to time."""

    def __init__(
        self, database: Database, clock: Clock, sources: Mapping[str, Source], settings: IngestSettings, outbox: Outbox
    ) -> None:
        self._database = database
        self._clock = clock
        self._sources = sources
        self._settings = settings
        self._outbox = outbox
        self._silent: frozenset[str] = frozenset()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(self._settings.ingest_watch_seconds)

    async def look(self) -> frozenset[str]:
        """Bring the metrics up to date; codes of the sources that are silent."""
        now = self._clock.now()
        since = now - timedelta(days=self._settings.ingest_quality_days)
        async with self._database.read() as tx:
            found = await qualities(tx, self._sources, since=since, today=self._clock.today())
        for code, quality in found.items():
            _show(code, quality)
        silent = frozenset(code for code, quality in found.items() if quality.state == "silent")
        async with self._database.write() as tx:
            said = await say_missed(tx, self._outbox, [self._sources[code] for code in sorted(silent)], now)
        for code in said:
            log.warning("source_silent", source=code, department=self._sources[code].department,
                        days=found[code].silent_days, allowed=found[code].allowed_days)  # fmt: skip
        for code in sorted(self._silent - silent):
            log.info("source_delivers_again", source=code)
        self._silent = silent
        return silent


def _show(code: str, quality: Quality) -> None:
    _ROWS.labels(code).set(quality.rows)
    _SILENT.labels(code).set(quality.state == "silent")
    for gauge, value in (
        (_ACCEPTED, quality.accepted_share),
        (_MATCHED, quality.match_rate),
        (_LATENCY, quality.latency_days),
        (_SILENT_DAYS, quality.silent_days),
    ):
        if value is None:
            gauge.remove(code)
        else:
            gauge.labels(code).set(value)
