"""Who was in charge when he knocked may tell of it later, and his leader knows that he no longer is."""

from datetime import timedelta
from typing import Any

import pytest

from tests.services.grid.town import NOW, VILLAGE, Town, due, roll_csv, subject, visit

ANNA = subject(1)


@pytest.fixture
async def task(town: Town) -> Any:
    """A person of the first grid whom somebody has to see."""
    await town.import_grids(roll_csv(VILLAGE))
    await town.hear(due(ANNA))
    return (await town.rows("SELECT task_id FROM tasks"))[0]["task_id"]


async def told(town: Town, worker: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = await town.ask("POST", "/v1/visits", headers=town.member(worker), json=body)
    return dict(answer.json())


async def test_a_substitute_whose_days_are_over_sends_what_his_phone_collected_in_them(town, task):
    member, other = await town.member_of(VILLAGE + "001"), await town.member_of(VILLAGE + "002")
    days = {"from_on": "2023-11-01", "until_on": "2023-11-02"}
    body = {"worker_id": member, "substitute_id": other, **days}
    await town.ask("POST", "/v1/substitutions", headers=town.officer("o", VILLAGE), json=body)
    town.clock.move(timedelta(days=4))
    late = await told(town, other, visit(task, at=NOW + timedelta(days=3)))
    assert late["reasons"] == ["unknown_task"]
    in_time = await told(town, other, visit(task, at=NOW + timedelta(days=1)))
    assert (in_time["reception"], in_time["notes"]) == ("recorded", ["in_review"])
    waiting = (await town.ask("GET", "/v1/visits", headers=town.village())).json()["items"]
    assert [each["flags"] for each in waiting] == [["not_in_charge_now"]]


async def test_a_member_who_was_replaced_sends_what_he_saw_before(town, task):
    member = await town.member_of(VILLAGE + "001")
    town.clock.move(timedelta(days=2))
    await town.import_grids(roll_csv(VILLAGE, mark="新"))
    assert await town.member_of(VILLAGE + "001") != member
    town.clock.move(timedelta(days=2))
    assert (await told(town, member, visit(task, at=NOW + timedelta(days=3))))["reasons"] == ["unknown_task"]
    before = await told(town, member, visit(task, at=NOW + timedelta(days=1)))
    assert (before["reception"], before["notes"], before["task_state"]) == ("recorded", ["in_review"], "submitted")


@pytest.mark.parametrize("day", ["9999-12-31T23:59:00Z", "0001-01-01T00:00:00+14:00"])
async def test_a_day_that_is_none_is_refused(town, task, day):
    answer = await town.ask(
        "POST",
        "/v1/visits",
        headers=town.member(await town.member_of(VILLAGE + "001")),
        json=visit(task) | {"visited_at": day},
    )
    assert answer.status_code == 422
