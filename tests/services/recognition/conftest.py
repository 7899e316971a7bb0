"""Fixtures of recognition's tests."""

import httpx
import pytest

from tests.services.recognition.world import WHY, World, make_deps
from tests.support.routes import app_of


class _Platform:
    def __init__(self, guard):
        self.guard = guard


@pytest.fixture
async def world(database_for) -> World:
    """Recognition on a database of its own."""
    return World(make_deps(await database_for("recognition")))


@pytest.fixture(scope="session")
def app():
    """The application, without a platform of its own."""
    return app_of("recognition")


@pytest.fixture
async def http(app, world, issuer):
    """A caller of the application on the world's database; the test's issuer is trusted."""
    app.state.deps, app.state.platform = world.deps, _Platform(issuer.known_guard)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://recognition.test") as client:
        yield client


@pytest.fixture
async def partner(issuer, world):
    """A partner that pays resident pensions, and why it asks."""
    async with world.deps.database.write() as tx:
        await tx.run("INSERT INTO client (client_id, role, scopes, programs, divisions, jwks, listed) VALUES "
                     "('p-1', 'partner', '{}', '{resident_pension}', '{}', '{}', true)")  # fmt: skip
    return issuer.headers("recognition.check", role="partner", programs=["resident_pension"], department="hrss",
                          client_id="p-1") | WHY  # fmt: skip
