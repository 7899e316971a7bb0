"""Fixtures of ingest's tests."""

import pytest

from tests.services.ingest.world import roster, running


@pytest.fixture
async def world(database_for, issuer, tmp_path):
    """Ingest on a database that forgets."""
    async with running(await database_for("ingest"), issuer, tmp_path) as made:
        yield made


@pytest.fixture
async def town(world):
    """Ingest that knows thirty people of forty."""
    assert (await world.enrol(roster(range(30)))).status_code == 201
    return world


@pytest.fixture
async def real_town(committing_database_for, issuer, tmp_path):
    """The same with real commits on many connections."""
    async with running(await committing_database_for("ingest"), issuer, tmp_path) as made:
        assert (await made.enrol(roster(range(30)))).status_code == 201
        yield made
