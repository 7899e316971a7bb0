"""Faulty rows go back with their reasons; a held batch is released or withdrawn."""

import io
from datetime import time

import fastexcel
import polars as pl
import pytest

from services.ingest.domain.verdicts import OUT_OF_WINDOW, VERDICTS
from services.ingest.store.mending import REASON, REASONS, ROW
from tests.services.ingest.api.test_held import faulty
from tests.services.ingest.world import IDS, NAMES, PACKINGS, csv_of, ndjson_of, parquet_of, pharmacy, roster, xlsx_of

pytestmark = pytest.mark.db
BAD = IDS[3][:-1] + ("0" if IDS[3][-1] != "0" else "1")
TABLE = pharmacy([IDS[0], BAD, IDS[1], "=1+1", IDS[35]]) | {"药店": ["甲", "@乙", "丙", "丁", ""]}


def spaced(columns: dict[str, list[str]]) -> bytes:
    """With lines of nothing between the others."""
    return csv_of(columns).replace(b"\n", b"\n\n ,,\n")


def test_every_reason_has_its_sentence():
    assert set(VERDICTS[OUT_OF_WINDOW + 1 :]) <= set(REASONS)


@pytest.mark.parametrize("form", [csv_of, spaced, xlsx_of, ndjson_of, parquet_of])
@pytest.mark.parametrize("packing", ["plain", "zip"])
async def test_rows_come_back_as_they_were_sent_with_the_reason(town, form, packing):
    said = (await town.send(PACKINGS[packing](form(TABLE)))).json()
    assert (said["rows"], said["accepted"]) == (5, 2)
    answer = await town.get(f"/v1/batches/{said['batch_id']}/quarantine/file", "ingest.upload")
    assert answer.status_code == 200
    frame = pl.read_csv(answer.content, infer_schema=False).fill_null("")
    assert frame.to_dict(as_series=False) == {
        "身份证号": [BAD, "'=1+1", IDS[35]],
        "购药时间": ["2023-05-09"] * 3,
        "药店": ["'@乙", "丁", ""],
        ROW: ["2", "4", "5"],
        REASON: [REASONS["bad_check_digit"], REASONS["bad_citizen_id"], REASONS["not_a_beneficiary"]],
    }
    assert town.leftovers() == []


async def test_a_look_at_rows_is_logged_for_each_person_in_them(town):
    for said in (
        (await town.send(csv_of(TABLE))).json(),
        (await town.enrol(roster([1], 待遇金额=["很多"]), mode="delta")).json(),
    ):
        await town.get(f"/v1/batches/{said['batch_id']}/quarantine/file", "ingest.upload", user="w1")
    looks = await town.rows('SELECT "user", purpose, subject FROM look ORDER BY seq')
    assert [look["subject"] for look in looks] == [town.deps.keys.subject.one(IDS[number]) for number in (35, 1)]
    assert (looks[1]["user"], looks[1]["purpose"]) == ("w1", f"mend rows of batch {said['batch_id']}")


async def test_a_column_that_is_no_cell_keeps_no_rows_back(town):
    table = pharmacy([BAD]) | {"费用明细": [[1, 2]], "开门": [time(9, 30)]}
    said = (await town.send(parquet_of(table))).json()
    answer = await town.get(f"/v1/batches/{said['batch_id']}/quarantine/file", "ingest.upload")
    assert pl.read_csv(answer.content, infer_schema=False)["开门"].to_list() == ["09:30:00"]


async def test_people_of_one_visit_are_judged_and_come_back_one_by_one(town):
    columns = {"户编号": ["H1", "H2"], "身份证号": [f"{IDS[0]}、{IDS[1]}", f"{IDS[2]}、{BAD}"],
               "姓名": [f"{NAMES[0]}、{NAMES[1]}", f"{NAMES[2]}、{NAMES[3]}"], "走访日期": ["2023-05-09"] * 2}  # fmt: skip
    said = (await town.send(csv_of(columns), "rural_monitor_visit")).json()
    assert (said["rows"], said["accepted"], said["quarantine_reasons"]) == (4, 3, {"bad_check_digit": 1})
    told = await town.said("ingest.evidence.accepted.v1")
    assert {row["evidence_id"] & 0xFFFFFFFF for row in told} == {0, 1, 2}
    last = max(row["evidence_id"] for row in told)
    origin = (await town.get(f"/v1/evidence/{last}", "audit.read")).json()
    assert (origin["row_no"], origin["file_row"]) == (2, 1)
    assert {row["identity"] for row in told} == {"full"}
    answer = await town.get(f"/v1/batches/{said['batch_id']}/quarantine/file", "ingest.upload")
    frame = pl.read_csv(answer.content, infer_schema=False)
    assert frame.row(0) == ("H2", BAD, NAMES[3], "2023-05-09", "2", REASONS["bad_check_digit"])


async def test_a_sheet_holds_the_same_as_text(town):
    said = (await town.send(csv_of(TABLE))).json()
    answer = await town.get(f"/v1/batches/{said['batch_id']}/quarantine/file?format=xlsx", "ingest.upload")
    frame = fastexcel.read_excel(answer.content).load_sheet(0, dtypes="string").to_polars()
    assert frame["身份证号"].to_list() == [BAD, "=1+1", IDS[35]]
    assert frame[ROW].to_list() == ["2", "4", "5"]
    assert town.leftovers() == []


async def test_a_mended_download_is_taken_and_only_what_is_new_counts(town):
    said = (await town.send(csv_of(TABLE))).json()
    answer = await town.get(f"/v1/batches/{said['batch_id']}/quarantine/file", "ingest.upload")
    mended = answer.content.replace(BAD.encode(), IDS[3].encode())
    again = (await town.send(mended)).json()
    assert (again["rows"], again["accepted"], again["quarantine_reasons"]) == (
        3,
        1,
        {"bad_citizen_id": 1, "not_a_beneficiary": 1},
    )
    twice = await town.get(f"/v1/batches/{again['batch_id']}/quarantine/file", "ingest.upload")
    assert pl.read_csv(io.BytesIO(twice.content), infer_schema=False).columns == [*TABLE, ROW, REASON]


async def test_rows_over_many_chunks_keep_their_numbers(town):
    ids = [IDS[number % 30] if number % 700 else BAD for number in range(2500)]
    said = (await town.send(csv_of(pharmacy(ids)))).json()
    answer = await town.get(f"/v1/batches/{said['batch_id']}/quarantine/file", "ingest.upload")
    assert pl.read_csv(answer.content, infer_schema=False)[ROW].to_list() == ["1", "701", "1401", "2101"]


async def test_a_roster_gives_its_faulty_rows_back_too(town):
    columns = roster(range(30), 待遇金额=["220.10"] * 29 + ["很多"])
    said = (await town.enrol(columns)).json()
    assert (said["reasons"], said["ended"]) == ({"wrong_code": 1}, 0)
    answer = await town.get(f"/v1/batches/{said['batch_id']}/quarantine/file", "ingest.upload")
    assert pl.read_csv(answer.content, infer_schema=False)["待遇金额"].to_list() == ["很多"]


async def test_a_clean_batch_gives_an_empty_file(town):
    said = (await town.send(csv_of(pharmacy(IDS[:3])))).json()
    answer = await town.get(f"/v1/batches/{said['batch_id']}/quarantine/file", "ingest.upload")
    assert answer.text == f"\ufeff{ROW},{REASON}\r\n"


async def test_only_the_deliverer_gets_rows_back(town):
    said = (await town.send(csv_of(TABLE))).json()
    path = f"/v1/batches/{said['batch_id']}/quarantine/file"
    assert (await town.get(path)).status_code == 403
    assert (await town.get(path, "ingest.upload", department="police")).status_code == 404


async def test_a_released_batch_is_taken(town):
    held = (await town.send(faulty())).json()
    answer = await town.post(f"/v1/batches/{held['batch_id']}:release", b"")
    assert (answer.status_code, answer.json()["status"], answer.json()["accepted"]) == (200, "completed", 10)
    again = await town.post(f"/v1/batches/{held['batch_id']}:release", b"")
    assert again.json() == answer.json() | {"repeated": True}
    assert len(await town.said("ingest.evidence.accepted.v1")) == 10
    assert town.leftovers() == []


async def test_a_released_roster_ends_whom_it_ends(town):
    held = (await town.enrol(roster(range(10)))).json()
    answer = await town.post(f"/v1/batches/{held['batch_id']}:release", b"")
    assert answer.json()["status"] == "completed"
    assert (await town.rows("SELECT count(*) AS n FROM enrolment WHERE ended_on IS NULL"))[0]["n"] == 10


async def test_a_withdrawn_batch_says_nothing_for_ever(town):
    held = (await town.send(faulty())).json()
    answer = await town.post(f"/v1/batches/{held['batch_id']}:withdraw", b"")
    assert (answer.status_code, answer.json()["status"]) == (200, "withdrawn")
    assert (await town.post(f"/v1/batches/{held['batch_id']}:release", b"")).json()["status"] == "withdrawn"
    assert (await town.send(faulty())).json()["status"] == "withdrawn"
    assert await town.said("ingest.evidence.accepted.v1") == []


async def test_a_roster_that_was_taken_is_put_right_by_the_right_one(town):
    said = (await town.enrol(roster(range(29)))).json()
    answer = await town.post(f"/v1/batches/{said['batch_id']}:withdraw", b"")
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")


async def test_a_grid_member_sees_names_of_his_own_place_only(town):
    body = {"subjects": [town.deps.keys.subject.one(IDS[7]).hex], "purpose": "task"}

    async def names(*divisions):
        headers = town.issuer.headers("ingest.reveal", divisions=divisions)
        return (await town.client.post("/v1/people:reveal", json=body, headers=headers)).json()["items"]

    assert len(await names("3416")) == 1
    assert await names("3401") == []
