"""The only place of ingest that builds things."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import structlog

import services.ingest as card
from services.ingest.api import ROUTERS, taking
from services.ingest.api.deps import IngestDeps, PeopleCache
from services.ingest.api.uploads import STREAMED
from services.ingest.domain.catalogue import tally
from services.ingest.handlers import Hearing
from services.ingest.jobs.ending import Ending
from services.ingest.jobs.pull import Puller
from services.ingest.jobs.resume import Resume
from services.ingest.jobs.retention import Retention
from services.ingest.jobs.watch import Watch
from services.ingest.settings import IngestSettings, Pull
from services.ingest.sources import load_sources
from services.ingest.store.batches import Batch, NewBatch
from services.ingest.store.raw import RawStore, Received
from services.ingest.tables import METADATA
from services.ingest.usecases.hashing import Keys
from shared.kit.app import Background, LookLog, Parts, Platform, Service

log = structlog.get_logger(__name__)


class UnknownSourceError(Exception):
    """A folder of the settings names a source that is not in the catalogue."""


@asynccontextmanager
async def build(platform: Platform) -> AsyncIterator[Parts]:
    """The parts of ingest on a running platform."""
    settings = cast(IngestSettings, platform.settings)
    folder = settings.data_dir.absolute()
    keys = Keys.from_settings(settings.subject_key, settings.name_key, settings.vault_keys)
    raw_url = settings.ingest_raw_url or f"file://{folder / 'raw'}"
    deps = IngestDeps(
        platform=platform,
        settings=settings,
        sources=load_sources(),
        keys=keys,
        raw=RawStore(raw_url, folder / f"scratch-{settings.port}", keys.files),
        people=PeopleCache(platform.database),
        turn=asyncio.Semaphore(settings.ingest_files_at_once),
    )
    if unknown := {pull.source for pull in settings.ingest_pulls} - {*deps.sources, ""}:
        msg = f"WUGAN_INGEST_PULLS names {min(unknown)}, which is no source of the catalogue"
        raise UnknownSourceError(msg)
    log.info("catalogue_read", **tally(deps.sources.values()))
    hearing = Hearing(
        outbox=platform.outbox,
        sources=deps.sources,
        clock=platform.clock,
        vault=keys.vault,
        working_days=settings.ingest_correction_days,
    )
    yield Parts(deps=deps, subscriptions=hearing.subscriptions(), background=_loops(deps))


def _loops(deps: IngestDeps) -> list[Background]:
    database, clock, settings = deps.platform.database, deps.platform.clock, deps.settings

    async def take(pull: Pull, received: Received, new: NewBatch) -> Batch:
        return await taking.take_pulled(deps, pull, received, new)

    async def go_on(batch: Batch, received: Received) -> Batch:
        return await taking.go_on(deps, batch, received)

    puller = Puller(database=database, clock=clock, sources=deps.sources, raw=deps.raw, settings=settings, take=take)
    return [
        Watch(database, clock, deps.sources, settings, deps.platform.outbox).run,
        Retention(database, clock, deps.sources, deps.raw, settings).run,
        Ending(database, clock, deps.platform.outbox).run,
        puller.run,
        Resume(database, deps.raw, settings, go_on).run,
    ]


SERVICE = Service(
    name="ingest",
    settings=IngestSettings,
    metadata=METADATA,
    routers=ROUTERS,
    build=build,
    streamed=STREAMED,
    partitioned=("look",),
    looks=LookLog(
        columns='seq, at, client_id, "user", subject, purpose AS what',
        note="""INSERT INTO look (at, client_id, "user", purpose, subject) VALUES ($1, $2, $3, 'looks', $4)""",
    ),
    description=card.__doc__ or "",
)
