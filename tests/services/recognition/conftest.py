"""Fixtures of recognition's tests."""

import pytest

from tests.services.recognition.world import World, make_deps


@pytest.fixture
async def world(database_for) -> World:
    """Recognition on a database of its own."""
    return World(make_deps(await database_for("recognition")))
