"""The list of grids: whole or not at all, and a second time without effect."""

import pytest

from tests.services.grid.town import (
    ELSEWHERE,
    HEADER,
    NEIGHBOUR,
    VILLAGE,
    Town,
    due,
    enrolled,
    roll_csv,
    subject,
    suspected,
)


async def counts(town: Town) -> dict[str, int]:
    names = ("divisions", "grids", "workers", "grid_changes")
    return {name: (await town.rows(f"SELECT count(*) AS n FROM {name}"))[0]["n"] for name in names}


async def test_a_list_is_taken_in_with_divisions_grids_and_people(town):
    answer = await town.import_grids(roll_csv(VILLAGE, NEIGHBOUR))
    assert answer.status_code == 200
    assert answer.json()["grids_added"] == 4
    assert await counts(town) == {"divisions": 4, "grids": 4, "workers": 8, "grid_changes": 0}


async def test_the_same_list_again_changes_nothing(town):
    await town.import_grids()
    before = await town.rows("SELECT * FROM grids ORDER BY 1"), await town.rows("SELECT * FROM workers ORDER BY 1")
    answer = (await town.import_grids()).json()
    assert answer["grids_unchanged"] == answer["rows"] == 2
    assert answer["grids_added"] == answer["grids_changed"] == answer["workers_added"] == answer["duties_changed"] == 0
    assert before == (
        await town.rows("SELECT * FROM grids ORDER BY 1"),
        await town.rows("SELECT * FROM workers ORDER BY 1"),
    )


async def test_a_change_of_member_is_kept_as_history_and_takes_the_work_along(town):
    await town.import_grids()
    await town.hear(due(subject(1)))
    before = await town.member_of(VILLAGE + "001")
    answer = (await town.import_grids(roll_csv(mark="新"))).json()
    assert answer["duties_changed"] == answer["grids_changed"] == 2
    after = await town.member_of(VILLAGE + "001")
    assert after != before
    assert {
        (row["before_id"], row["after_id"])
        for row in await town.rows("SELECT * FROM grid_changes WHERE grid_code = $1", VILLAGE + "001")
    } == {(before, after)}
    assert [row["worker_id"] for row in await town.rows("SELECT worker_id FROM tasks")] == [after]


async def test_a_new_phone_is_not_a_new_person(town):
    await town.import_grids()
    before = await town.member_of(VILLAGE + "001")
    changed = roll_csv().replace(b"13800001", b"15900001")
    answer = (await town.import_grids(changed)).json()
    assert answer["grids_changed"] == answer["workers_added"] == 0
    assert await town.member_of(VILLAGE + "001") == before
    assert (await town.import_grids(changed)).json()["workers_added"] == 0


async def test_names_and_phones_are_sealed(town):
    await town.import_grids()
    kept = b"".join(row["sealed"] for row in await town.rows("SELECT sealed FROM workers"))
    assert "组长".encode() not in kept
    member = await town.member_of(VILLAGE + "001")
    sealed = (await town.rows("SELECT sealed FROM workers WHERE worker_id = $1", member))[0]["sealed"]
    assert "组长10011" in town.deps.vault.open(sealed, member.encode()).decode()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "roll_unreadable"),
        (HEADER.encode(), "roll_unreadable"),
        (b"\xff\xfe\x00garbage", "roll_unreadable"),
        ("网格,编码\n1,2\n".encode("gb18030"), "roll_unreadable"),
        (b"a,b\n1,2\n", "roll_unreadable"),
        (roll_csv() + roll_csv().split(b"\n")[1], "roll_refused"),
        (roll_csv().replace(b"001," + VILLAGE.encode(), b"007," + NEIGHBOUR.encode()), "roll_refused"),
    ],
)
async def test_a_bad_list_is_refused_whole(town, body, code):
    answer = await town.import_grids(body)
    assert answer.status_code in {400, 422}
    assert answer.json()["code"] == code
    assert (await counts(town))["grids"] == 0
    assert "组长" not in answer.text


async def test_a_list_too_large_is_refused(town):
    answer = await town.import_grids(b"x" * 1_000_001)
    assert answer.status_code == 413


async def test_what_came_before_the_grids_is_given_out_when_they_come(town):
    await town.hear(enrolled(subject(1), subject(2)), due(subject(1)), suspected(subject(2)))
    assert {row["state"] for row in await town.rows("SELECT state FROM tasks")} == {"created"}
    assert [row["state"] for row in await town.rows("SELECT state FROM cases")] == ["detected"]
    answer = (await town.import_grids()).json()
    assert (answer["tasks_dispatched"], answer["cases_assigned"]) == (1, 1)
    assert {(row["reason"], row["state"]) for row in await town.rows("SELECT reason, state FROM tasks")} == {
        ("unmatched", "dispatched"),
        ("suspicion", "dispatched"),
    }
    assert [row["state"] for row in await town.rows("SELECT state FROM cases")] == ["assigned"]


async def test_only_the_citys_office_imports(town):
    for headers in (town.village(), town.officer("o", "341602"), town.member("w" + "0" * 15)):
        answer = await town.ask("POST", "/v1/grids:import", headers=headers, content=roll_csv())
        assert answer.status_code == 403


async def test_another_service_is_told_who_lives_in_a_division(town):
    await town.import_grids(roll_csv(VILLAGE, NEIGHBOUR))
    await town.hear(enrolled(subject(1), subject(2), subject(3, "f")), enrolled(subject(4), village=NEIGHBOUR))
    headers = town.issuer.headers("grid.read", role="service", user="service-scoring")

    async def living(division: str, shard: str) -> list[str]:
        path = f"/v1/divisions/{division}/subjects"
        found: list[str] = (await town.ask("GET", path, headers=headers, params={"shard": shard})).json()["items"]
        return found

    assert await living(VILLAGE, "0") == [str(subject(1)), str(subject(2))]
    assert await living(VILLAGE, "f") == [str(subject(3, "f"))]
    assert await living(VILLAGE[:9], "0") == await living(VILLAGE[:6], "0") == [str(subject(no)) for no in (1, 2, 4)]
    assert await living(VILLAGE, "5") == []
    unknown = await town.ask("GET", f"/v1/divisions/{ELSEWHERE}/subjects", headers=headers, params={"shard": "0"})
    assert unknown.status_code == 404
