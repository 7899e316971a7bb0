"""The only place of ingest that builds things."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import services.ingest as card
from services.ingest import handlers
from services.ingest.api import ROUTERS
from services.ingest.api.deps import IngestDeps, PeopleCache
from services.ingest.api.uploads import STREAMED
from services.ingest.settings import IngestSettings
from services.ingest.sources import load_sources
from services.ingest.store.raw import RawStore
from services.ingest.tables import METADATA
from services.ingest.usecases.hashing import Keys
from shared.kit.app import Parts, Platform, Service


@asynccontextmanager
async def build(platform: Platform) -> AsyncIterator[Parts]:
    """The parts of ingest on a running platform."""
    settings = cast(IngestSettings, platform.settings)
    folder = settings.data_dir.absolute()
    yield Parts(
        deps=IngestDeps(
            platform=platform,
            settings=settings,
            sources=load_sources(),
            keys=Keys.from_settings(settings.subject_key, settings.name_key, settings.vault_keys),
            raw=RawStore(settings.ingest_raw_url or f"file://{folder / 'raw'}", folder / f"scratch-{settings.port}"),
            people=PeopleCache(platform.database),
            turn=asyncio.Semaphore(settings.ingest_files_at_once),
        ),
        subscriptions=handlers.SUBSCRIPTIONS,
    )


SERVICE = Service(
    name="ingest",
    settings=IngestSettings,
    metadata=METADATA,
    routers=ROUTERS,
    build=build,
    streamed=STREAMED,
    partitioned=("look",),
    description=card.__doc__ or "",
)
