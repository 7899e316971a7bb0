"""Questions of the same moment share a statement, and nothing else."""

import asyncio

import asyncpg
import pytest
from typing_extensions import override

from shared.kit.db import Database
from shared.kit.problems import UnavailableError
from shared.kit.together import Together

HALVED = "SELECT 100 / part AS said, pg_current_xact_id()::text AS tx FROM unnest($1::integer[]) AS u (part)"


@pytest.mark.db
async def test_who_finds_a_free_lane_leaves_at_once_and_who_waits_leaves_with_the_others(database):
    together = Together(database, HALVED, lanes=1, most=4)
    rows = await asyncio.gather(*(together.ask(part) for part in range(1, 10)))
    assert [row["said"] for row in rows] == [100 // part for part in range(1, 10)]
    # Four, four and one: all were there before the lane's work began.
    assert [sum(1 for row in rows if row["tx"] == tx) for tx in dict.fromkeys(row["tx"] for row in rows)] == [4, 4, 1]
    assert (await together.ask(50))["said"] == 2


@pytest.mark.db
async def test_a_question_that_cannot_be_answered_fails_alone(database):
    together = Together(database, HALVED, lanes=1)
    said = await asyncio.gather(*(together.ask(part) for part in (1, 2, 0, 5)), return_exceptions=True)
    assert isinstance(said[2], asyncpg.DivisionByZeroError)
    assert [each["said"] for each in said if not isinstance(each, BaseException)] == [100, 50, 20]


async def test_all_hear_that_the_database_does_not_answer(unused_tcp_port):
    database = Database(f"postgresql://somebody:secret@127.0.0.1:{unused_tcp_port}/wugan", schema="kit")
    together = Together(database, HALVED, lanes=1)
    said = await asyncio.gather(*(together.ask(part) for part in (1, 2, 3)), return_exceptions=True)
    assert [type(each) for each in said] == [UnavailableError] * 3
    await database.close()


class StuckDatabase(Database):
    """Takes a statement and says nothing until told to."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.asked: list[tuple[object, ...]] = []

    @override
    async def at_once(self, sql, *args):
        self.asked.append(args)
        await self.go_on.wait()
        return [{"said": part} for part in args[0]]


async def test_nobody_waits_for_a_lane_for_ever_and_who_has_gone_is_not_asked_for():
    database = StuckDatabase()
    together = Together(database, HALVED, lanes=1, seconds=0.01)
    first = asyncio.create_task(together.ask(1))
    while not database.asked:  # else both leave together
        await asyncio.sleep(0)
    with pytest.raises(UnavailableError, match="busy"):
        await together.ask(2)
    database.go_on.set()
    assert (await first)["said"] == 1
    assert (await together.ask(3))["said"] == 3
    assert database.asked == [((1,),), ((3,),)]
