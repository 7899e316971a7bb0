"""Fixtures of grid's tests."""

import pytest

from tests.services.grid.town import Town


@pytest.fixture
async def town(database_for, issuer):
    """Grid on a database that forgets."""
    return Town(await database_for("grid"), issuer)
