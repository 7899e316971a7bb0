"""What a dying server leaves behind."""

import asyncpg
import pytest

from shared.kit.problems import UnavailableError

pytestmark = pytest.mark.db


async def test_a_driver_left_between_two_states_costs_one_answer_and_is_never_used_again(database):
    broken = []
    with pytest.raises(UnavailableError, match="try again shortly"):
        async with database.read() as tx:
            broken.append(tx._driver)
            msg = "cannot switch to state 12; another operation (2) is in progress"
            raise asyncpg.InternalClientError(msg)
    assert broken[0].is_closed()
    for _ in range(3):
        async with database.read() as tx:
            assert tx._driver is not broken[0]
            assert (await tx.fetch("SELECT 1 AS one"))[0]["one"] == 1
