"""What a dying server leaves behind."""

import asyncpg
import pytest

from shared.kit.db import Database
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


async def test_a_server_that_is_not_there_is_unavailable_not_a_fault_of_ours(unused_tcp_port):
    database = Database(f"postgresql://somebody:secret@127.0.0.1:{unused_tcp_port}/wugan", schema="kit")
    with pytest.raises(UnavailableError, match="does not answer"):
        async with database.write():
            pass
    with pytest.raises(UnavailableError, match="does not answer"):
        await database.at_once("SELECT 1")
    await database.close()
