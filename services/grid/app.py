"""The only place that builds things."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import services.grid as card
from services.grid import handlers, jobs, policies
from services.grid.api import ROUTERS
from services.grid.policies.rewards import load_rewards
from services.grid.policies.take_up import load_take_up
from services.grid.settings import GridSettings
from services.grid.tables import METADATA
from services.grid.usecases.deps import Deps
from shared.kit.app import Parts, Platform, Service
from shared.kit.crypto import Pseudonymiser, Vault


def dependencies(platform: Platform) -> Deps:
    """What routes and handlers need, on a running platform."""
    settings = cast(GridSettings, platform.settings)
    return Deps(
        database=platform.database,
        outbox=platform.outbox,
        clock=platform.clock,
        vault=Vault.from_settings(settings.vault_keys),
        name_keys=Pseudonymiser.from_hex(settings.grid_key, purpose=b"grid worker"),
        draw_keys=Pseudonymiser.from_hex(settings.grid_key, purpose=b"grid draw"),
        policies=policies.load(),
        take_up=load_take_up(),
        rewards=load_rewards(),
        peers=platform.peers,
        ingest_url=settings.ingest_url,
        scoring_url=settings.scoring_url,
        reveal_seconds=settings.grid_reveal_seconds,
        import_bytes=settings.grid_import_bytes,
    )


@asynccontextmanager
async def build(platform: Platform) -> AsyncIterator[Parts]:
    """The parts of grid."""
    deps = dependencies(platform)
    round_ = jobs.DailyRound(deps, seconds=cast(GridSettings, platform.settings).grid_round_seconds)
    yield Parts(deps=deps, subscriptions=handlers.subscriptions(deps), background=[round_.run])


SERVICE = Service(
    name="grid",
    settings=GridSettings,
    metadata=METADATA,
    routers=ROUTERS,
    build=build,
    streamed=(r"/v1/grids:import", r"/v1/visits/[^/]+/photo"),
    partitioned=("readings",),
    description=card.__doc__ or "",
)
