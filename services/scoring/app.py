"""The only place that builds scoring: rule sets, the sweeper, subscriptions."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

from services.scoring import handlers, policies, tables
from services.scoring.api import ROUTERS, Deps
from services.scoring.jobs import Sweeper
from services.scoring.settings import ScoringSettings
from services.scoring.usecases.division import Divisions
from shared.kit.app import LookLog, Parts, Platform, Service


@asynccontextmanager
async def build(platform: Platform) -> AsyncIterator[Parts]:
    """Load the rule sets whole (a broken one ends the start) and put the parts together."""
    settings = cast(ScoringSettings, platform.settings)
    rule_sets = policies.load()
    policies.in_force(rule_sets, settings.scoring_rule_set, platform.clock.today())
    wake, divisions = asyncio.Event(), Divisions(peers=platform.peers, grid_url=settings.grid_url)
    sweeper = Sweeper(
        database=platform.database,
        outbox=platform.outbox,
        clock=platform.clock,
        settings=settings,
        rule_sets=rule_sets,
        divisions=divisions,
        wake=wake,
    )
    deps = Deps(
        database=platform.database,
        clock=platform.clock,
        rule_sets=rule_sets,
        rule_set=settings.scoring_rule_set,
        divisions=divisions,
        wake=wake,
    )
    yield Parts(
        deps=deps,
        subscriptions=handlers.subscriptions(sweeper.hear),
        background=[sweeper.run],
        working=sweeper.working,
    )


SERVICE = Service(
    name="scoring",
    settings=ScoringSettings,
    metadata=tables.METADATA,
    routers=ROUTERS,
    build=build,
    partitioned=("look",),
    looks=LookLog(
        columns="""look_id AS seq, looked_at AS at, client_id, looked_by AS "user", subject,
            concat_ws(': ', what, nullif(concat_ws(', ', purpose, legal_basis, case_ref), '')) AS what""",
        note="INSERT INTO look (looked_at, client_id, looked_by, what, subject) VALUES ($1, $2, $3, 'looks', $4)",
    ),
    description="Who is certified without noticing, who may have lost the benefit, and why.",
)
