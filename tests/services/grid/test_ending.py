"""What a list of grids ends: no grid while people live there, and nobody keeps work who left."""

import pytest

from tests.services.grid.test_casework import FOUND_DEAD, case_of, knock, step
from tests.services.grid.test_claims import asks
from tests.services.grid.town import VILLAGE, Town, due, enrolled, roll_csv, subject, suspected

ANNA, BERT = subject(1), subject(2)
FIRST, SECOND = VILLAGE + "001", VILLAGE + "002"


def with_columns(columns: str, values: str, *, grid: str = FIRST, alone: bool = False) -> bytes:
    head, *rows = roll_csv().decode().splitlines()
    mine = [f"{row},{values if row.startswith(grid) else ',' * columns.count(',')}" for row in rows]
    return "\n".join([f"{head},{columns}", *(row for row in mine if not alone or row.startswith(grid))]).encode()


@pytest.fixture
async def two_groups(town: Town) -> Town:
    await town.import_grids()
    await town.hear(enrolled(ANNA), enrolled(BERT, group=2), due(ANNA), due(BERT, group=2), suspected(ANNA))
    return town


async def test_a_grid_ends_with_its_people_and_what_is_open_about_them_in_another(two_groups):
    town, ending = two_groups, with_columns("ended_on,successor", f"2023-10-31,{SECOND}", alone=True)
    before, after = await town.member_of(FIRST), await town.member_of(SECOND)
    told = (await town.import_grids(ending)).json()
    assert (told["grids_ended"], told["people_moved"]) == (1, 1)
    for table in ("tasks", "cases"):
        found = await town.rows(f"SELECT DISTINCT grid_code, worker_id FROM {table}")
        assert [tuple(row.values()) for row in found] == [(SECOND, after)], table
    rows = await town.rows("SELECT before_id, after_id FROM grid_changes WHERE duty = 'member'")
    assert [tuple(row.values()) for row in rows] == [(before, None)]
    again = (await town.import_grids(ending)).json()
    assert (again["grids_ended"], again["people_moved"]) == (0, 0)


@pytest.mark.parametrize(
    ("values", "column", "code"),
    [
        ("2023-10-31,", "successor", "people_live_there"),
        (f"2023-10-31,{VILLAGE}009", "successor", "not_a_grid"),
        (f"2023-10-31,{FIRST}", "successor", "not_a_grid"),
        (f"2023-12-31,{SECOND}", "ended_on", "not_yet"),
    ],
)
async def test_a_grid_does_not_end_as_long_as_nobody_takes_its_people(two_groups, values, column, code):
    answer = await two_groups.import_grids(with_columns("ended_on,successor", values))
    assert (answer.status_code, answer.json()["code"]) == (422, "roll_refused")
    assert [(each["pointer"], each["code"]) for each in answer.json()["errors"]] == [(f"/rows/1/{column}", code)]
    assert len(await two_groups.rows("SELECT FROM grids")) == 2


async def test_who_holds_no_grid_any_more_keeps_no_work_of_another(two_groups):
    town, leaving = two_groups, await two_groups.member_of(SECOND)
    async with town.database.write() as tx:
        await tx.run("UPDATE tasks SET worker_id = $1 WHERE subject = $2", leaving, ANNA)
    await town.hear(asks(ANNA))
    before = await town.member_of(FIRST)
    await town.import_grids(roll_csv(mark="新"))
    for table in ("tasks", "cases", "stop_requests"):
        hands = await town.rows(f"SELECT DISTINCT worker_id FROM {table} WHERE subject = $1", ANNA)
        assert [row["worker_id"] for row in hands] == [await town.member_of(FIRST)], table
    async with town.database.write() as tx:
        await tx.run("UPDATE cases SET worker_id = $1", before)
    case = f"/v1/cases/{await case_of(town)}"
    assert (await town.ask("GET", case, headers=town.member(before))).status_code == 404


async def test_nobody_finds_on_his_own_visit_under_the_name_his_office_calls_him_by(two_groups):
    await two_groups.import_grids(with_columns("member_user", "village-head"))
    await knock(two_groups, "dead")
    for who, reason in (("village-head", "own_visit"), ("another", None)):
        answer = await step(two_groups, "finding", two_groups.village(user=who), **FOUND_DEAD)
        assert answer.json().get("reason") == reason
