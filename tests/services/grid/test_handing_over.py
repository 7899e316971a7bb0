"""Who was in charge when he knocked may tell of it later, and his leader knows that he no longer is."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from services.grid.domain.visits import OLDEST
from services.grid.jobs.upkeep import go_round
from tests.services.grid.photos import jpeg, room
from tests.services.grid.test_claims import REQUEST, asks
from tests.services.grid.town import (
    NEIGHBOUR,
    NOW,
    VILLAGE,
    Town,
    certified,
    due,
    enrolled,
    revoked,
    roll_csv,
    subject,
    suspected,
    visit,
)

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


async def test_a_neighbour_who_helped_sends_what_he_saw_while_the_task_was_his(town, task):
    other = await town.member_of(VILLAGE + "002")
    many = [subject(number) for number in range(100, 140)]
    await town.hear(due(*many))
    assert (await go_round(town.deps)).handed_over
    mine = await town.member_of(VILLAGE + "001")
    planned = (await town.ask("GET", "/v1/worklist", headers=town.member(mine))).json()["items"]
    in_hands = await town.rows("SELECT FROM tasks WHERE worker_id = $1", mine)
    assert sum(each["plan_on"] is not None for each in planned) == len(in_hands) < len(planned)
    helped = (await town.rows("SELECT task_id FROM tasks WHERE worker_id = $1 LIMIT 1", other))[0]["task_id"]
    town.clock.move(timedelta(days=20))
    assert (await go_round(town.deps)).escalated
    town.clock.move(timedelta(days=2))
    assert (await told(town, other, visit(helped, at=NOW + timedelta(days=21))))["reasons"] == ["unknown_task"]
    before = await told(town, other, visit(helped, at=NOW + timedelta(days=2)))
    assert (before["reception"], before["notes"]) == ("recorded", ["in_review"])
    town.clock.move(OLDEST)
    await go_round(town.deps)
    kept = await town.rows("SELECT min(until_at) AS first FROM task_hands")
    assert kept[0]["first"] > town.clock.now() - OLDEST - timedelta(days=1)


async def test_a_member_who_was_replaced_delivers_the_photo_he_took(town, task):
    member = await town.member_of(VILLAGE + "001")
    body = visit(task, photo=True)
    assert (await told(town, member, body))["notes"] == ["send_photo"]
    town.clock.move(timedelta(days=1))
    await town.import_grids(roll_csv(VILLAGE, mark="新"))
    path, photo = f"/v1/visits/{body['visit_id']}/photo", jpeg(room(1))
    stranger = town.member(await town.member_of(VILLAGE + "002"))
    assert (await town.ask("PUT", path, headers=stranger, content=photo)).status_code == 404
    answer = await town.ask("PUT", path, headers=town.member(member), content=photo)
    assert answer.json()["status"] == "concluded"


async def test_what_lies_with_a_leader_goes_to_the_next_one(town, task):
    town.clock.move(timedelta(days=20))
    await go_round(town.deps)
    before = await town.holder_of(VILLAGE + "001", "leader")
    await town.import_grids(roll_csv(VILLAGE).replace("书记".encode(), "新书记".encode()))
    after = await town.holder_of(VILLAGE + "001", "leader")
    assert before != after
    assert [row["worker_id"] for row in await town.rows("SELECT worker_id FROM tasks")] == [after]


async def test_not_mine_takes_the_case_and_the_request_along(town, task):
    await town.import_grids(roll_csv(VILLAGE, NEIGHBOUR))
    await town.hear(enrolled(ANNA), suspected(ANNA), asks())
    member = town.member(await town.member_of(VILLAGE + "001"))
    await town.ask("POST", f"/v1/tasks/{task}/relocation", headers=member, json={"grid_code": NEIGHBOUR + "001"})
    case = (await town.rows("SELECT case_id FROM cases"))[0]["case_id"]
    for path in (f"/v1/cases/{case}", f"/v1/stop-requests/{REQUEST}"):
        seen = [
            (await town.ask("GET", path, headers=town.village(village))).status_code for village in (VILLAGE, NEIGHBOUR)
        ]
        assert seen == [404, 200]
    other = await town.member_of(NEIGHBOUR + "001")
    assert {row["worker_id"] for row in await town.rows("SELECT worker_id FROM cases")} == {other}


async def test_a_report_accepted_after_the_person_moved_opens_her_case_where_she_lives_now(town, task):
    await town.import_grids(roll_csv(VILLAGE, NEIGHBOUR))
    member, body = await town.member_of(VILLAGE + "001"), visit(task, "dead", family=True)
    assert (await told(town, member, body))["notes"] == ["in_review"]
    path, where = f"/v1/tasks/{task}/relocation", {"grid_code": NEIGHBOUR + "001"}
    await town.ask("POST", path, headers=town.member(member), json=where)
    path, accepted = f"/v1/visits/{body['visit_id']}/review", {"verdict": "accepted"}
    await town.ask("POST", path, headers=town.village(NEIGHBOUR), json=accepted)
    rows = await town.rows("SELECT division, grid_code FROM cases")
    assert [tuple(row.values()) for row in rows] == [(NEIGHBOUR, NEIGHBOUR + "001")]


@pytest.mark.parametrize("corrected", [False, True])
async def test_a_roster_that_changes_its_address_takes_along_what_is_open(town, task, corrected):
    await town.import_grids(roll_csv(VILLAGE, NEIGHBOUR))
    await town.hear(enrolled(ANNA), suspected(ANNA))
    if corrected:  # the member knew of another grid before the roster did
        member = town.member(await town.member_of(VILLAGE + "001"))
        await town.ask("POST", f"/v1/tasks/{task}/relocation", headers=member, json={"grid_code": VILLAGE + "002"})
    later: dict[str, Any] = {"change": "changed", "received_at": NOW + timedelta(days=3)}
    await town.hear(enrolled(ANNA, **later))
    before = {row["grid_code"] for row in await town.rows("SELECT grid_code FROM tasks")}
    assert before == {VILLAGE + ("002" if corrected else "001")}
    await town.hear(enrolled(ANNA, village=NEIGHBOUR, **later))
    for table in ("tasks", "cases"):
        rows = await town.rows(f"SELECT DISTINCT grid_code, worker_id FROM {table}")
        assert [tuple(row.values()) for row in rows] == [(NEIGHBOUR + "001", await town.member_of(NEIGHBOUR + "001"))]


@pytest.mark.parametrize("how", ["address", "grid", "not mine"])
async def test_what_had_climbed_to_the_town_begins_its_way_anew_with_who_gets_it(town, how):
    bert = subject(2)
    if how != "grid":
        await town.import_grids(roll_csv(VILLAGE, NEIGHBOUR))
    await town.hear(due(bert, village=NEIGHBOUR if how == "grid" else VILLAGE, group=None if how == "address" else 1))
    while (await town.rows("SELECT rung FROM tasks"))[0]["rung"] != "town":
        town.clock.move(timedelta(days=20))
        await go_round(town.deps)
    if how == "address":
        await town.hear(enrolled(bert, village=NEIGHBOUR))
    elif how == "grid":
        await town.import_grids(roll_csv(NEIGHBOUR))
    else:
        task = (await town.rows("SELECT task_id FROM tasks"))[0]["task_id"]
        member, body = town.member(await town.member_of(VILLAGE + "001")), {"grid_code": NEIGHBOUR + "001"}
        assert (await town.ask("POST", f"/v1/tasks/{task}/relocation", headers=member, json=body)).status_code == 200
    rows = await town.rows("SELECT rung, deadline_on, worker_id FROM tasks")
    new = await town.member_of(NEIGHBOUR + "001")
    assert [tuple(row.values()) for row in rows] == [("member", town.deps.knock_by(), new)]


async def test_what_nobody_where_she_lives_may_do_is_the_towns(town, task):
    await town.import_grids(roll_csv(VILLAGE, NEIGHBOUR, groups=1))
    grid = NEIGHBOUR + "001"
    barred = [await town.holder_of(grid, duty) for duty in ("member", "leader", "assistant")]
    async with town.database.write() as tx:
        await tx.run("UPDATE tasks SET not_by = $1", barred)
    member, body = town.member(await town.member_of(VILLAGE + "001")), {"grid_code": grid}
    await town.ask("POST", f"/v1/tasks/{task}/relocation", headers=member, json=body)
    assert (await town.ask("GET", "/v1/worklist", headers=member)).json()["items"] == []
    town.clock.move(timedelta(days=1))
    assert (await go_round(town.deps)).escalated == 1
    assert (await town.import_grids(roll_csv(VILLAGE, NEIGHBOUR, groups=2))).json()["tasks_dispatched"] == 0
    rows = await town.rows("SELECT state, rung, worker_id FROM tasks")
    assert [tuple(row.values()) for row in rows] == [("created", "town", None)]


@pytest.mark.parametrize("corrected", [False, True])
async def test_a_roster_that_repeats_an_old_address_moves_nobody_back(town, task, corrected):
    """One program has heard of the move; the other's next delivery changes the amount alone, and a run knows but it."""
    await town.import_grids(roll_csv(VILLAGE, NEIGHBOUR))
    bert = subject(2)
    await town.hear(enrolled(ANNA, bert), enrolled(ANNA, bert, program="old_age_allow"))
    if corrected:
        member = town.member(await town.member_of(VILLAGE + "001"))
        await town.ask("POST", f"/v1/tasks/{task}/relocation", headers=member, json={"grid_code": VILLAGE + "002"})
    at = NOW + timedelta(days=1)
    await town.hear(enrolled(ANNA, bert, change="changed", village=NEIGHBOUR, received_at=at))
    again = enrolled(ANNA, bert, change="changed", program="old_age_allow", received_at=at + timedelta(days=30))
    await town.hear(again, suspected(ANNA), due(bert))
    for table in ("tasks", "cases"):
        rows = await town.rows(f"SELECT DISTINCT grid_code FROM {table}")
        assert [row["grid_code"] for row in rows] == [NEIGHBOUR + "001"]


@pytest.mark.parametrize(
    ("corrected", "until", "grid"),
    [(False, None, NEIGHBOUR + "001"), (True, None, VILLAGE + "002"), (False, timedelta(days=9), VILLAGE + "001")],
)
async def test_a_program_that_lists_her_first_where_she_lives_now_takes_along_what_is_open_and_leaves_it_as_it_ends(
    town, task, corrected, until, grid
):
    await town.import_grids(roll_csv(VILLAGE, NEIGHBOUR))
    await town.hear(enrolled(ANNA))
    if corrected:  # the member's word is newer than what any program has said of a move
        member = town.member(await town.member_of(VILLAGE + "001"))
        await town.ask("POST", f"/v1/tasks/{task}/relocation", headers=member, json={"grid_code": VILLAGE + "002"})
    first = enrolled(ANNA, program="old_age_allow", village=NEIGHBOUR, received_at=NOW + timedelta(days=3))
    await town.hear(first, suspected(ANNA))
    if until:
        program = {"program": "old_age_allow", "village": NEIGHBOUR, "received_at": NOW + until}
        await town.hear(enrolled(ANNA, change="ended", **program))
    rows = await town.rows("SELECT grid_code FROM tasks UNION ALL SELECT grid_code FROM cases")
    assert [row["grid_code"] for row in rows] == [grid] * 3


async def test_a_program_that_lists_him_first_where_he_lives_now_takes_a_request_along(town):
    await town.import_grids(roll_csv(VILLAGE, NEIGHBOUR))
    bert, later = subject(2), NOW + timedelta(days=3)
    await town.hear(enrolled(bert), asks(bert))
    await town.hear(enrolled(bert, program="old_age_allow", village=NEIGHBOUR, received_at=later))
    assert [row["division"] for row in await town.rows("SELECT division FROM stop_requests")] == [NEIGHBOUR]


async def test_a_run_sends_nobody_into_a_village_that_he_has_left_though_his_group_is_not_known(town):
    await town.import_grids(roll_csv(VILLAGE, NEIGHBOUR))
    bert, later = subject(2), NOW + timedelta(days=3)
    left = enrolled(bert, program="old_age_allow", village=NEIGHBOUR, group=None, received_at=later)
    await town.hear(enrolled(bert), left, due(bert))
    rows = await town.rows("SELECT state, division, grid_code FROM tasks")
    assert [tuple(row.values()) for row in rows] == [("created", NEIGHBOUR, None)]
    barred = [await town.member_of(NEIGHBOUR + "001")]
    async with town.database.write() as tx:
        await tx.run("UPDATE tasks SET not_by = $1", barred)
    await town.hear(enrolled(bert, program="old_age_allow", village=NEIGHBOUR, received_at=later))
    leader = await town.holder_of(NEIGHBOUR + "001", "leader")
    assert [row["worker_id"] for row in await town.rows("SELECT worker_id FROM tasks")] == [leader]


@pytest.mark.parametrize("why", ["revoked", "listed again"])
async def test_a_knock_that_is_opened_again_is_where_she_lives_now(town, task, why):
    await town.import_grids(roll_csv(VILLAGE, NEIGHBOUR))
    fake, later = uuid4(), NOW + timedelta(days=3)
    if why == "revoked":
        moved = enrolled(ANNA, change="changed", village=NEIGHBOUR, received_at=later)
        await town.hear(enrolled(ANNA), certified(ANNA, certificate=fake), moved, revoked(ANNA, fake))
    else:
        other = enrolled(ANNA, program="old_age_allow", village=NEIGHBOUR, received_at=later)
        await town.hear(enrolled(ANNA), enrolled(ANNA, change="ended", received_at=NOW + timedelta(days=1)), other)
    rows = await town.rows("SELECT state, division, grid_code, worker_id FROM tasks")
    grid = NEIGHBOUR + "001"
    assert [tuple(row.values()) for row in rows] == [("dispatched", NEIGHBOUR, grid, await town.member_of(grid))]


async def test_what_a_doubted_report_had_closed_is_open_again_where_she_lives_now(town, task):
    await town.import_grids(roll_csv(VILLAGE, NEIGHBOUR))
    member = await town.member_of(VILLAGE + "001")
    await told(town, member, visit(task))
    moved = enrolled(ANNA, change="changed", village=NEIGHBOUR, received_at=NOW + timedelta(days=1))
    await town.hear(enrolled(ANNA), moved)
    early = visit(task, at=NOW - timedelta(hours=1))
    del early["place"]
    assert (await told(town, member, early))["task_state"] == "submitted"
    rows = await town.rows("SELECT grid_code, worker_id FROM tasks")
    grid = NEIGHBOUR + "001"
    assert [tuple(row.values()) for row in rows] == [(grid, await town.member_of(grid))]


@pytest.mark.parametrize("day", ["9999-12-31T23:59:00Z", "0001-01-01T00:00:00+14:00"])
async def test_a_day_that_is_none_is_refused(town, task, day):
    answer = await town.ask(
        "POST",
        "/v1/visits",
        headers=town.member(await town.member_of(VILLAGE + "001")),
        json=visit(task) | {"visited_at": day},
    )
    assert answer.status_code == 422
