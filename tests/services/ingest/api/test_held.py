"""A second look: rosters that would end too many, files that fail too often."""

from datetime import timedelta

import pytest

from services.ingest.api import taking
from services.ingest.store.batches import NewBatch
from services.ingest.usecases.rosters import OvertakenError
from tests.services.ingest.world import HOUSEHOLD_PROGRAM, IDS, NAMES, NOW, PROGRAM, VILLAGE, csv_of, pharmacy, roster

pytestmark = pytest.mark.db


def faulty(count: int = 30) -> bytes:
    wrong = [number[:-1] + ("0" if number[-1] != "0" else "1") for number in IDS[:count]]
    return csv_of(pharmacy(wrong + IDS[:10]))


async def enrolments(world, program: str = PROGRAM) -> int:
    found = await world.rows("SELECT count(*) AS n FROM enrolment WHERE ended_on IS NULL AND program = $1", program)
    return int(found[0]["n"])


async def changes(world) -> list[str]:
    return [row["change"] for row in await world.said("ingest.enrolments.changed.v1")]


async def test_a_full_roster_ends_whoever_is_missing(town):
    said = (await town.enrol(roster(range(2, 32)))).json()
    assert (said["new"], said["changed"], said["ended"], said["status"]) == (2, 0, 2, "completed")
    assert sorted(await changes(town)) == ["ended"] * 2 + ["new"] * 32


@pytest.mark.parametrize("slip", [{"待遇金额": "很多"}, {"村居代码": "34160200100"}, {"姓名": ""}])
async def test_whoever_is_named_by_a_faulty_row_has_not_ended(town, slip):
    columns = roster(range(29))
    for header, value in slip.items():
        columns[header] = [*columns[header][:-1], value]
    said = (await town.enrol(columns)).json()
    assert (said["accepted"], said["ended"], said["status"]) == (28, 1, "completed")
    open_now = await town.rows("SELECT subject FROM enrolment WHERE ended_on IS NULL")
    assert town.deps.keys.subject.one(IDS[28]).bytes in {row["subject"].bytes for row in open_now}


@pytest.mark.parametrize("mode", ["full", "delta"])
async def test_a_roster_that_is_mostly_faulty_is_held_with_its_reasons(town, mode):
    before = await changes(town)
    columns = roster(range(25), 待遇金额=["很多"] * 21 + ["1"] * 4)
    answer = await town.enrol(columns, mode=mode)
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["counts"]["wrong_code"]) == (409, "roster_held", 21)
    assert await changes(town) == before
    path = f"/v1/batches/{problem['batch_id']}/quarantine"
    assert len((await town.get(path)).json()["items"]) == 21
    assert "很多" in (await town.get(f"{path}/file", "ingest.upload")).text
    assert (await town.enrol(columns, mode=mode, confirm=True)).json()["changed"] == 4
    assert len((await town.get(path)).json()["items"]) == 21


async def test_a_roster_that_a_later_one_has_overtaken_changes_nothing(town):
    body = csv_of(roster(range(29)))

    async def pieces():
        yield body

    received = await town.deps.raw.receive(pieces(), limit=len(body))
    await town.enrol(roster([35]), mode="delta")
    before = await changes(town)
    new = NewBatch(
        kind="roster", code=PROGRAM, department="hrss", client_id="c", sha256=received.sha256, filename="f",
        size_bytes=len(body), received_at=NOW - timedelta(seconds=1),
    )  # fmt: skip
    asked = taking.RosterAsked(full=True, confirmed=True, by_household=False)
    with pytest.raises(OvertakenError):
        await taking.take_roster(town.deps, PROGRAM, received, new, asked)
    assert (await enrolments(town), await changes(town)) == (31, before)
    # Sent again, it is a new state.
    assert (await town.post(f"/v1/programs/{PROGRAM}/roster", body)).json()["ended"] == 2


async def test_the_rows_of_a_delta_sent_as_a_full_roster_end_whoever_is_not_among_them(town):
    await town.enrol(roster(range(28)), mode="delta")
    answer = await town.enrol(roster(range(28)))
    assert (answer.status_code, answer.json()["repeated"], answer.json()["ended"]) == (201, False, 2)
    assert (await town.enrol(roster(range(28)), mode="delta")).json()["repeated"]


async def test_a_delta_ends_nobody(town):
    said = (await town.enrol(roster([35]), mode="delta")).json()
    assert (said["new"], said["ended"]) == (1, 0)
    assert await enrolments(town) == 31


async def test_a_row_says_when_an_enrolment_has_ended_in_a_delta_too(town):
    columns = roster([0, 1, 3], 待遇金额=["", "1", "330"], 停止享受年月=["2023-09", "2023-09-99", ""])
    said = (await town.enrol(columns, mode="delta")).json()
    assert (said["accepted"], said["ended"], said["changed"]) == (2, 1, 1)
    assert said["reasons"] == {"impossible_date": 1}
    [gone] = [row for row in await town.said("ingest.enrolments.changed.v1") if row["change"] == "ended"]
    assert (gone["subject"], str(gone["ended_on"])) == (town.deps.keys.subject.one(IDS[0]).bytes, "2023-09-01")
    assert await enrolments(town) == 29
    held = (await town.enrol(roster(range(1, 11), 停止享受年月=["2023-10-31"] * 10), mode="delta")).json()
    assert (held["code"], held["counts"]["ending"]) == ("roster_held", 10)


async def test_a_row_of_history_does_not_end_what_goes_on_in_another_row(town):
    columns = roster([0, 0, 0, 1, 1], 停止享受年月=["", "2021-03", "2022-03", "2021-04", "2022-04"])
    said = (await town.enrol(columns, mode="delta")).json()
    assert (said["accepted"], said["reasons"], said["ended"], said["changed"]) == (5, {}, 1, 0)
    [gone] = [row for row in await town.said("ingest.enrolments.changed.v1") if row["change"] == "ended"]
    assert (gone["subject"], str(gone["ended_on"])) == (town.deps.keys.subject.one(IDS[1]).bytes, "2022-04-01")
    # One that says the very first day of an enrolment takes it back, whenever it ended.
    await town.enrol(roster([2], 开始享受年月=["2022-01"]), mode="delta")
    for began, ended in (("2015-01", 0), ("2022-01", 1)):
        past = roster([2], 开始享受年月=[began], 停止享受年月=["2021-12"])
        assert (await town.enrol(past, mode="delta")).json()["ended"] == ended


async def test_of_a_home_each_has_an_enrolment_of_his_own_where_persons_are_paid(world):
    await world.enrol(roster(range(8), 户编号=["H1"] * 8))
    columns = roster([0, 2], 户编号=["H1"] * 2, 待遇金额=["9", "9"], 停止享受年月=["", "2023-10"])
    said = (await world.enrol(columns, mode="delta", confirm=True)).json()
    assert (said["changed"], said["ended"]) == (1, 1)
    slip = roster([0, *range(1, 8)], 户编号=["H1"] * 8, 待遇金额=["9", "很多", *["9"] * 6])
    assert (await world.enrol(slip, confirm=True)).json()["ended"] == 0


async def test_other_payees_for_too_many_households_are_held(world):
    await world.enrol(roster(range(3), 户编号=["H1", "H2", "H3"]), HOUSEHOLD_PROGRAM)
    held = (await world.enrol(roster([7], 户编号=["H2"]), HOUSEHOLD_PROGRAM, mode="delta")).json()
    assert (held["code"], held["counts"]["ending"]) == ("roster_held", 1)


async def test_people_of_one_household_share_its_pseudonym_and_a_move_is_said(world):
    await world.enrol(roster(range(3), 户编号=["H1", "H1", ""]))
    said = await world.said("ingest.enrolments.changed.v1")
    households = {row["subject"]: row["household"] for row in said}
    keys = world.deps.keys
    first, second, third = (households[keys.subject.one(IDS[number]).bytes] for number in range(3))
    assert first == second == keys.household.one("H1").bytes
    assert third is None
    await world.enrol(roster(range(3), 户编号=["H1", "H2", ""]))
    [moved] = (await world.said("ingest.enrolments.changed.v1"))[3:]
    assert (moved["change"], moved["household"]) == ("changed", keys.household.one("H2").bytes)


@pytest.mark.parametrize("mode", ["full", "delta"])
async def test_another_payee_of_a_household_takes_the_place_of_the_first(world, mode):
    homes = {"户编号": ["H1", "H2", "H3"]}
    await world.enrol(roster(range(3), **homes), HOUSEHOLD_PROGRAM)
    delta = roster([7], 户编号=["H2"]) if mode == "delta" else roster([0, 7, 2], **homes)
    said = (await world.enrol(delta, HOUSEHOLD_PROGRAM, mode=mode, confirm=True)).json()
    assert (said["new"], said["changed"], said["ended"]) == (1, 0, 1)
    changed = {(row["change"], row["subject"], row["household"])
               for row in (await world.said("ingest.enrolments.changed.v1"))[3:]}  # fmt: skip
    keys, home = world.deps.keys, world.deps.keys.household.one("H2").bytes
    assert changed == {("new", keys.subject.one(IDS[7]).bytes, home), ("ended", keys.subject.one(IDS[1]).bytes, home)}
    assert await enrolments(world, HOUSEHOLD_PROGRAM) == 3


async def test_a_second_payee_of_a_household_is_not_taken_and_told_why(world):
    said = (await world.enrol(roster(range(3), 户编号=["H1", "H1", ""]), HOUSEHOLD_PROGRAM)).json()
    assert (said["accepted"], said["reasons"]) == (1, {"second_payee": 1, "missing_field": 1})
    batch = (await world.get(f"/v1/batches/{said['batch_id']}")).json()
    assert (batch["rows"], batch["quarantined"]) == (3, 2)
    file = await world.get(f"/v1/batches/{said['batch_id']}/quarantine/file", "ingest.upload")
    assert "一户只列一名" in file.text


async def test_of_two_payees_of_a_household_the_enrolled_one_stays_wherever_he_stands(world):
    await world.enrol(roster(range(3), 户编号=["H1", "H2", "H3"]), HOUSEHOLD_PROGRAM)
    # Beside the payee of another home nobody keeps his own, which has another payee now.
    two = roster([7, 1, 0, 2, 8], 户编号=["H2", "H2", "H1", "H1", "H3"])
    said = (await world.enrol(two, HOUSEHOLD_PROGRAM, confirm=True)).json()
    assert (said["accepted"], said["new"], said["ended"], said["reasons"]) == (2, 1, 1, {"second_payee": 3})
    gone, new = (await world.said("ingest.enrolments.changed.v1"))[3:]
    keys = world.deps.keys
    assert {gone["subject"], new["subject"]} == {keys.subject.one(IDS[number]).bytes for number in (2, 8)}


async def test_what_a_roster_has_no_column_for_stays_as_it_was(world):
    await world.enrol(roster([0, 1], 认证截止=["2024-03-31"] * 2, 开始享受年月=["2019-05"] * 2, 户编号=["H1"] * 2))
    few = roster([0, 1, 2], 待遇金额=["9", "220.10", "9"], 村居代码=["341602001002", VILLAGE, VILLAGE])
    few.pop("村民组")
    said = (await world.enrol(few, mode="delta")).json()
    assert (said["new"], said["changed"]) == (1, 1)
    rows = (await world.said("ingest.enrolments.changed.v1"))[2:]
    [told] = [row for row in rows if row["change"] == "changed"]
    home = world.deps.keys.household.one("H1").bytes
    assert (str(told["due_on"]), str(told["started_on"]), told["household"]) == ("2024-03-31", "2019-05-01", home)
    kept = await world.rows("SELECT count(due_on) AS due, array_agg(group_no ORDER BY amount_fen) AS groups "
                            "FROM enrolment")  # fmt: skip
    # The group of another village is not that of the same number.
    assert (kept[0]["due"], sorted(kept[0]["groups"], key=str)) == (2, [3, None, None])


async def test_a_changed_amount_is_said_to_the_fen(town):
    amounts = ["220.10"] * 29 + ["1234.56"]
    assert (await town.enrol(roster(range(30), 待遇金额=amounts))).json()["changed"] == 1
    changed = [row for row in await town.said("ingest.enrolments.changed.v1") if row["change"] == "changed"]
    assert [row["amount_fen"] for row in changed] == [123456]


async def test_who_comes_back_is_new_again(town):
    await town.enrol(roster(range(28)))
    await town.enrol(roster(range(30)))
    assert (await changes(town)).count("new") + (await changes(town)).count("changed") == 32
    assert await enrolments(town) == 30


async def test_a_roster_that_would_end_too_many_is_held_and_changes_nothing(town):
    before = await changes(town)
    answer = await town.enrol(roster(range(10)))
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (409, "roster_held")
    assert problem["counts"] | {"ending": 20, "open": 30} == problem["counts"]
    assert await enrolments(town) == 30
    assert await changes(town) == before
    assert (await town.get(f"/v1/batches/{problem['batch_id']}")).json()["status"] == "held"


async def test_a_held_roster_is_taken_when_it_is_confirmed(town):
    held = (await town.enrol(roster(range(10)))).json()
    assert (await town.enrol(roster(range(10)))).status_code == 409
    answer = await town.enrol(roster(range(10)), confirm=True)
    assert (answer.status_code, answer.json()["ended"], answer.json()["batch_id"]) == (201, 20, held["batch_id"])
    assert await enrolments(town) == 10
    again = await town.enrol(roster(range(10)), confirm=True)
    assert (again.status_code, again.json()["repeated"]) == (200, True)


async def test_a_held_roster_that_was_withdrawn_is_taken_when_it_was_right_after_all(town):
    held = (await town.enrol(roster(range(10)))).json()
    await town.post(f"/v1/batches/{held['batch_id']}:withdraw", b"")
    assert (await town.enrol(roster(range(10)))).json()["status"] == "withdrawn"
    after = [(await town.enrol(roster(range(10)), confirm=True)).json() for _ in range(2)]
    assert [(each["status"], each["repeated"], each["ended"]) for each in after] == [
        ("completed", False, 20), ("completed", True, 20)
    ]  # fmt: skip


async def test_a_held_roster_that_was_overtaken_is_withdrawn(town):
    held = (await town.enrol(roster(range(10)))).json()
    await town.enrol(roster(range(29)))
    assert (await town.get(f"/v1/batches/{held['batch_id']}")).json()["status"] == "withdrawn"


async def test_the_first_roster_of_an_old_state_after_another_one_is_a_new_state(town):
    await town.enrol(roster(range(28)))
    again = await town.enrol(roster(range(30)))
    assert (again.status_code, again.json()["repeated"]) == (201, False)
    assert await enrolments(town) == 30


async def test_programs_do_not_touch_each_other(town):
    assert (await town.enrol(roster(range(3)), "low_income")).json()["new"] == 3
    assert await enrolments(town) == 30
    assert await enrolments(town, "low_income") == 3


async def test_a_name_that_was_corrected_is_compared_from_then_on(town):
    corrected = ["王小明", *NAMES[1:30]]
    await town.enrol(roster(range(30), 姓名=corrected))
    columns = {
        "身份证号": [IDS[0]] * 2,
        "姓名": ["王小明", NAMES[0]],
        "签约日期": ["2023-05-09", "2023-05-10"],
        "签字人": ["本人"] * 2,
    }
    said = (await town.send(csv_of(columns), "agri_project_sign")).json()
    assert (said["accepted"], said["quarantine_reasons"]) == (1, {"name_mismatch": 1})


async def test_a_roster_names_nobody_anew_whom_another_one_enrols_until_it_is_confirmed(town):
    columns = roster([0, 1], 姓名=["李四", NAMES[1]], 待遇金额=["很多", "1"])
    columns = {
        name: [*values, *more] for (name, values), more in zip(columns.items(), roster([2]).values(), strict=True)
    }
    columns["姓名"][2] = "王五"
    said = (await town.enrol(columns, "low_income")).json()
    assert (said["accepted"], said["new"]) == (1, 1)
    assert said["reasons"] == {"wrong_code": 1, "name_mismatch": 1}
    file = await town.get(f"/v1/batches/{said['batch_id']}/quarantine/file", "ingest.upload")
    assert "姓名与登记不一致" in file.text
    assert len(await town.said("ingest.contacts.changed.v1")) == 30
    again = [(await town.enrol(columns, "low_income", confirm=look)).json() for look in (False, True, True)]
    assert [(each["repeated"], each["new"]) for each in again] == [(True, 1), (False, 1), (True, 1)]
    assert len(await town.said("ingest.contacts.changed.v1")) == 31
    # Its other program is told that it knows him by an old name, and he stays in it.
    again = (await town.enrol(roster(range(30), 待遇金额=["1"] * 30))).json()
    assert (again["reasons"], again["changed"], again["ended"]) == ({"name_mismatch": 1}, 29, 0)


async def test_programs_that_know_different_phones_of_a_person_say_each_once(town):
    for amount in ("1", "2", "3"):
        await town.enrol(roster(range(30), 待遇金额=[amount] * 30))
        await town.enrol(roster(range(30), 待遇金额=[amount] * 30, 手机号=["13900000000"] * 30), "low_income")
    assert len(await town.said("ingest.contacts.changed.v1")) == 60


async def test_contacts_are_said_once_until_they_change(town):
    assert len(await town.said("ingest.contacts.changed.v1")) == 30
    await town.enrol(roster(range(30), 待遇金额=["1"] * 30))
    assert len(await town.said("ingest.contacts.changed.v1")) == 30
    await town.enrol(roster(range(30), 手机号=["13900000000"] * 30))
    assert len(await town.said("ingest.contacts.changed.v1")) == 60


async def test_a_token_for_another_program_is_refused(town):
    body = csv_of(roster([1]))
    assert (await town.post(f"/v1/programs/{PROGRAM}/roster", body, programs=["low_income"])).status_code == 403


async def test_a_file_that_fails_too_often_is_held_and_says_nothing(town):
    before = await town.traces()
    answer = await town.send(faulty())
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (409, "batch_held")
    assert problem["counts"] == {"accepted": 10, "bad_check_digit": 30}
    after = await town.traces()
    assert after == before | {"batch": before["batch"] + 1, "raw": before["raw"] + 1, "quarantine_segment": 1}
    batch = (await town.get(f"/v1/batches/{problem['batch_id']}")).json()
    assert (batch["status"], batch["quarantined"]) == ("held", 30)
    page = (await town.get(f"/v1/batches/{problem['batch_id']}/quarantine")).json()
    assert len(page["items"]) == 30


async def test_a_file_without_one_good_row_is_held_with_its_reasons_too(town):
    problem = (await town.send(csv_of(pharmacy(["12"] * 25)))).json()
    assert (problem["code"], problem["counts"]) == ("batch_held", {"bad_citizen_id": 25})
    path = f"/v1/batches/{problem['batch_id']}/quarantine/file"
    assert (await town.get(path, "ingest.upload")).text.count("身份证号格式不正确") == 25


async def test_a_held_file_is_taken_when_it_is_confirmed(town):
    held = (await town.send(faulty())).json()
    assert (await town.send(faulty())).status_code == 409
    answer = await town.send(faulty(), confirm=True)
    said = answer.json()
    assert (answer.status_code, said["batch_id"], said["accepted"], said["status"]) == (
        201,
        held["batch_id"],
        10,
        "completed",
    )
    assert len(await town.said("ingest.evidence.accepted.v1")) == 10
    assert (await town.rows("SELECT count(*) AS n FROM quarantine_segment"))[0]["n"] == 1


async def test_a_held_file_counts_nowhere_in_the_figures(town):
    before = (await town.get("/v1/figures", "operate")).json()["rows"]
    await town.send(faulty())
    assert (await town.get("/v1/figures", "operate")).json()["rows"] == before
