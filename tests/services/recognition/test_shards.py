"""Whoever waits for the shard of one person holds nothing that another one may need to go on."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import date

import pytest

from services.recognition.domain.programs import SuspensionReason
from services.recognition.jobs import MoneyLoop
from services.recognition.store.certificates import lock_shard
from services.recognition.usecases import decide, stopping
from services.recognition.usecases.living import Word
from shared.kit.db import WriteTx
from tests.services.recognition.rights import pay, tell
from tests.services.recognition.test_clearings import announced, carry_out, case, officer, on, proposed
from tests.services.recognition.test_owing import DAY, LAND, PENSION, SHE, lift
from tests.services.recognition.world import NOW, World, enrolled, enrolment, make_deps, subject

pytestmark = pytest.mark.db
HE = subject(2, 11)
_QUEUED = (
    "SELECT FROM pg_locks JOIN pg_database d ON d.oid = database WHERE datname = current_database() AND NOT granted"
)


@pytest.fixture
async def world(committing_database_for) -> World:
    return World(make_deps(await committing_database_for("recognition")))


@asynccontextmanager
async def queued(world, shard: str, doing: Coroutine) -> AsyncIterator[WriteTx]:
    """Hold a shard while something waits for it."""
    async with asyncio.timeout(10), asyncio.TaskGroup() as group, world.deps.database.write() as tx:
        await lock_shard(tx, shard)
        group.create_task(doing)
        while not await tx.fetch(_QUEUED):
            await asyncio.sleep(0.01)
        yield tx


async def money_keeps_no_shard(world) -> None:
    async with queued(world, "b", MoneyLoop(world.deps).step()) as tx:
        [free] = await tx.fetch("SELECT pg_try_advisory_xact_lock(hashtext('recognition'), 10) AS got")
        assert free["got"]


async def test_money_of_many_waits_for_one_shard_and_keeps_no_other(world):
    people, again = (SHE, HE), date(2024, 5, 20)
    await world.hear(*(enrolled(enrolment(who), program=PENSION) for who in people))
    await world.hear(*(case(who, "confirmed", NOW, event_on=DAY) for who in people))
    false = [await announced(world, who, PENSION) for who in people]
    for who in people:
        await tell(world, who)
    on(world, date(2023, 12, 3))
    for each in false:
        await carry_out(world, each, PENSION)
    for who in people:
        await pay(world, who, [date(2024, 1, 1)])
    await money_keeps_no_shard(world)  # and claims January
    await world.hear(*(case(who, "confirmed", on(world, again), event_on=date(2023, 11, 10)) for who in people))
    for each in false:
        await lift(world, each, PENSION, SuspensionReason.FALSE_DEATH, date(2023, 10, 5))
    await money_keeps_no_shard(world)  # of what waits


async def test_officers_hold_no_decision_while_they_wait_for_its_shard(world):
    async def free(doing: Coroutine) -> None:
        async with queued(world, "a", doing) as tx:
            assert len(await tx.fetch("SELECT FROM decision FOR UPDATE SKIP LOCKED")) == 2

    async def withdraw() -> None:
        async with world.deps.database.write() as tx:
            await stopping.withdraw(world.deps, tx, there, officer(LAND), Word(never_so=True))

    prison = case(SHE, "confirmed", NOW, kind="suspected_incarceration", event_on=DAY)
    await world.hear(*(enrolled(enrolment(SHE), program=each) for each in (PENSION, LAND)), prison)
    here, there = [await announced(world, SHE, each, "imprisonment") for each in (PENSION, LAND)]
    await tell(world, SHE)
    on(world, date(2023, 12, 3))
    await free(carry_out(world, here, PENSION))
    await free(withdraw())
    await free(lift(world, here, PENSION, SuspensionReason.IMPRISONMENT, date(2023, 12, 1)))


async def test_who_gives_up_a_proposal_holds_it_not_while_he_waits_for_its_shard(world):
    async def reject() -> None:
        async with world.deps.database.write() as tx:
            await decide.reject(world.deps, tx, found, officer(PENSION), Word(never_so=True))

    prison = case(SHE, "confirmed", NOW, kind="suspected_incarceration", event_on=DAY)
    await world.hear(enrolled(enrolment(SHE), program=PENSION), prison)
    found = await proposed(world, SHE, PENSION, "imprisonment")
    async with queued(world, "a", reject()) as tx:
        assert len(await tx.fetch("SELECT FROM proposal FOR UPDATE SKIP LOCKED")) == 1
    assert [row["state"] for row in await world.rows("SELECT state FROM proposal")] == ["rejected"]
