"""Fixtures of grid's tests."""

import pytest

from tests.services.grid.town import VILLAGE, Town, enrolled, roll_csv, subject, suspected


@pytest.fixture
async def town(database_for, issuer):
    """Grid on a database that forgets."""
    return Town(await database_for("grid"), issuer)


@pytest.fixture
async def detected(town: Town) -> Town:
    """A village with one suspected death."""
    await town.import_grids(roll_csv(VILLAGE, groups=3))
    await town.hear(enrolled(subject(1)), suspected(subject(1)))
    return town
