"""What a department said turns out wrong: it no longer counts, what stood behind it does, and nobody is forgotten."""

from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import orjson
import pytest

from tests.services.ingest.world import IDS, NAMES, csv_of, pharmacy

pytestmark = pytest.mark.db
ACCEPTED, CORRECTED, CHANGED = (
    "ingest.evidence.accepted.v1",
    "ingest.evidence.corrected.v1",
    "ingest.correction.changed.v1",
)
EMR = "health_inpatient_emr"


def stays(*rows: tuple[int, str, str]) -> bytes:
    """Hospital stays: person, day of discharge, outcome."""
    return csv_of(
        {
            "身份证号": [IDS[number] for number, _, _ in rows],
            "姓名": [NAMES[number] for number, _, _ in rows],
            "出院日期": [day for _, day, _ in rows],
            "离院方式": [outcome for _, _, outcome in rows],
        }
    )


def fact(row: dict) -> tuple:
    return row["subject"], row["occurred_on"], row["kind"]


async def counting(world) -> dict[tuple, int]:
    """What a listener believes: what was accepted, but for what was corrected; the id by its fact."""
    gone = {row["evidence_id"] for row in await world.said(CORRECTED)}
    left = [row for row in await world.said(ACCEPTED) if row["evidence_id"] not in gone]
    made = {fact(row): row["evidence_id"] for row in left}
    assert len(made) == len(left), "one fact counts twice"
    return made


async def changes(world) -> list[Any]:
    rows = await world.rows("SELECT body FROM outbox WHERE subject = $1 ORDER BY seq", CHANGED)
    return [orjson.loads(row["body"]) for row in rows]


async def withdraw(world, said) -> Any:
    answer = await world.post(f"/v1/batches/{said['batch_id']}:withdraw", b"")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def correct(world, status: int = 201, **asked) -> Any:
    headers = world.issuer.headers("ingest.upload", department=asked.pop("department", None), user="王科长")
    answer = await world.client.post("/v1/corrections", json={"reason": "录入错误"} | asked, headers=headers)
    assert answer.status_code == status, answer.text
    return answer.json()


# ---- a batch is withdrawn --------------------------------------------------------------------------------------------


async def test_a_withdrawn_batch_no_longer_counts_and_its_duplicates_elsewhere_do(town):
    first = (await town.send(csv_of(pharmacy(IDS[:20])))).json()
    second = (await town.send(csv_of(pharmacy(IDS[10:25])))).json()
    third = (await town.send(csv_of(pharmacy(IDS[15:18])))).json()
    assert (second["duplicate"], third["duplicate"]) == (10, 3)
    assert (await withdraw(town, first))["status"] == "withdrawn"
    left = await counting(town)
    assert len(left) == 15
    assert {number >> 32 for number in left.values()} == {second["batch_no"]}
    assert {number & 0xFFFFFFFF for number in left.values()} == set(range(15))
    again = (await town.get(f"/v1/batches/{second['batch_id']}")).json()
    assert (again["rows"], again["accepted"], again["duplicate"]) == (15, 15, 0)
    await withdraw(town, second)
    assert {number >> 32 for number in (await counting(town)).values()} == {third["batch_no"]}
    await withdraw(town, third)
    assert await counting(town) == {}


async def test_the_right_file_after_a_withdrawn_one_is_taken(town):
    wrong = (await town.send(csv_of(pharmacy(IDS[:20])))).json()
    await withdraw(town, wrong)
    right = (await town.send(csv_of(pharmacy(IDS[:21])))).json()
    assert (right["accepted"], right["duplicate"]) == (21, 0)
    assert len(await counting(town)) == 21


async def test_the_withdrawn_file_itself_comes_again_only_when_it_is_confirmed(town):
    body = csv_of(pharmacy(IDS[:20]))
    first = (await town.send(body)).json()
    await withdraw(town, first)
    again = await town.send(body)
    assert (again.status_code, again.json()["status"]) == (200, "withdrawn")
    confirmed = (await town.send(body, confirm=True)).json()
    assert (confirmed["status"], confirmed["accepted"], confirmed["sha256"]) == ("completed", 20, first["sha256"])
    assert confirmed["batch_no"] != first["batch_no"]
    last = await town.send(body)
    assert (last.json()["batch_id"], last.json()["repeated"]) == (confirmed["batch_id"], True)
    assert len(await counting(town)) == 20


async def test_withdrawing_twice_says_it_once(town):
    said = (await town.send(csv_of(pharmacy(IDS[:5])))).json()
    await withdraw(town, said)
    assert (await withdraw(town, said))["repeated"]
    assert len(await town.said(CORRECTED)) == 5


async def test_evidence_of_a_withdrawn_batch_still_leads_back_and_says_so(town):
    said = (await town.send(csv_of(pharmacy(IDS[:1])))).json()
    path = f"/v1/evidence/{said['batch_no'] << 32}"
    assert (await town.get(path, "audit.read")).json()["standing"] == "counts"
    await withdraw(town, said)
    assert (await town.get(path, "audit.read")).json()["standing"] == "taken_back"


async def test_only_the_deliverer_withdraws(town):
    said = (await town.send(csv_of(pharmacy(IDS[:3])))).json()
    answer = await town.post(f"/v1/batches/{said['batch_id']}:withdraw", b"", department="police")
    assert answer.status_code == 404
    assert await town.said(CORRECTED) == []


async def test_a_thousand_rows_over_months_and_chunks_are_taken_back_whole(town):
    days = [str(date(2023, 1, 1) + timedelta(days=place % 270)) for place in range(2500)]
    body = csv_of(pharmacy([IDS[place % 30] for place in range(2500)], days))
    said = (await town.send(body)).json()
    await withdraw(town, said)
    assert len(await town.said(CORRECTED)) == said["accepted"] > 200
    assert await counting(town) == {}


async def test_a_death_on_the_day_of_a_discharge_counts_whichever_comes_first_and_falls_alone(town):
    both = [(0, "2023-05-09", "转院"), (0, "2023-05-09", "死亡"), (1, "2023-05-09", "死亡"), (1, "2023-05-09", "转院")]
    first = (await town.send(stays(*both), EMR)).json()
    again = (await town.send(stays(*both, both[1]), EMR)).json()
    assert (first["accepted"], first["duplicate"], again["duplicate"]) == (4, 0, 5)
    await correct(town, evidence_id=first["batch_no"] << 32 | 1)
    assert sorted(kind for _, _, kind in await counting(town)) == ["hospital_death", "seen", "seen"]
    await withdraw(town, first)
    left = await counting(town)
    assert sorted(kind for _, _, kind in left) == ["hospital_death", "seen", "seen"]
    assert {number >> 32 for number in left.values()} == {again["batch_no"]}
    events = [{"citizen_id": IDS[2], "name": NAMES[2], "occurred_on": "2023-05-09", "values": {"outcome": said}}
              for said in ("转院", "死亡", "死亡")]  # fmt: skip
    headers = town.issuer.headers("ingest.upload")
    said = [await town.client.post(f"/v1/sources/{EMR}/events", json=event, headers=headers) for event in events]
    assert [each.json()["verdict"] for each in said] == ["accepted"] * 3
    assert len(await counting(town)) == 5


async def test_a_release_counts_beside_the_admission_of_the_same_stay(town):
    stay = {"身份证号": IDS[:1], "姓名": NAMES[:1], "收监日期": ["2021-03-01"]}
    await town.send(csv_of(stay | {"释放日期": [""], "状态": ["收监"]}), "prison_custody")
    await town.send(csv_of(stay | {"释放日期": ["2023-05-09"], "状态": ["释放"]}), "prison_custody")
    await town.send(csv_of(stay | {"业务日期": ["2021-03-01"], "状态": ["释放"]}), "prison_custody")
    assert [(kind, str(day)) for _, day, kind in await counting(town)] == [
        ("custody", "2021-03-01"), ("released", "2023-05-09"), ("released", "2021-03-01"),
    ]  # fmt: skip


async def test_a_row_of_another_kind_that_an_older_version_kept_as_a_duplicate_counts_when_its_day_is_freed(town):
    first = (await town.send(stays((0, "2023-05-09", "治愈")), EMR)).json()
    second = (await town.send(stays((0, "2023-05-09", "死亡")), EMR)).json()
    async with town.deps.platform.database.write() as tx:
        await tx.run(
            "WITH moved AS (DELETE FROM evidence_segment WHERE batch_no = $1 RETURNING *) "
            "INSERT INTO duplicate_segment SELECT * FROM moved",
            second["batch_no"],
        )
        await tx.run("DELETE FROM outbox WHERE subject LIKE 'ingest.evidence.%'")
    await withdraw(town, first)
    assert [kind for _, _, kind in await counting(town)] == ["hospital_death"]


# ---- a record is corrected -------------------------------------------------------------------------------------------


async def test_a_record_is_taken_back_and_the_right_one_takes_its_place(town):
    said = (await town.send(stays((0, "2023-05-09", "死亡"), (1, "2023-05-09", "治愈")), EMR)).json()
    right = {"citizen_id": IDS[0], "name": NAMES[0], "occurred_on": "2023-05-09", "values": {"outcome": "治愈"}}
    made = await correct(town, batch_id=said["batch_id"], row_no=0, replacement=right, department="health")
    assert (made["status"], made["answered_by"], made["records"][0]["row_no"]) == ("accepted", "王科长", 0)
    assert {kind for _, _, kind in await counting(town)} == {"seen"}
    assert len(await counting(town)) == 2
    [change] = await changes(town)
    assert (change["status"], change["department"], change["evidence_ids"]) == (
        "accepted", "health", [said["batch_no"] << 32],
    )  # fmt: skip
    origin = (await town.get(f"/v1/evidence/{said['batch_no'] << 32}", "audit.read")).json()
    assert origin["standing"] == "taken_back"


async def test_a_corrected_record_stays_corrected_when_the_next_extract_brings_it_again(town):
    said = (await town.send(stays((0, "2023-05-09", "死亡")), EMR)).json()
    await correct(town, evidence_id=said["batch_no"] << 32)
    again = (await town.send(stays((0, "2023-05-09", "死亡"), (0, "2023-05-10", "死亡")), EMR)).json()
    assert (again["accepted"], again["quarantine_reasons"]) == (1, {"taken_back": 1})
    headers = town.issuer.headers("ingest.upload")
    event = {"citizen_id": IDS[0], "name": NAMES[0], "occurred_on": "2023-05-09", "values": {"outcome": "死亡"}}
    posted = (await town.client.post(f"/v1/sources/{EMR}/events", json=event, headers=headers)).json()
    assert (posted["verdict"], posted["reason"]) == ("quarantined", "taken_back")


async def test_a_correction_goes_with_all_that_said_the_same_and_lets_what_says_otherwise_count(town):
    first = (await town.send(stays((0, "2023-05-09", "死亡")), EMR)).json()
    await town.send(stays((0, "2023-05-09", "死亡"), (2, "2023-05-09", "治愈")), EMR)
    other = (await town.send(stays((0, "2023-05-09", "好转"), (3, "2023-05-09", "治愈")), EMR)).json()
    await correct(town, evidence_id=first["batch_no"] << 32)
    left = {number: kind for (_, _, kind), number in (await counting(town)).items()}
    assert left.pop(other["batch_no"] << 32) == "seen"
    assert set(left.values()) == {"seen"}
    assert len(left) == 2


async def test_a_duplicate_row_names_the_same_record(town):
    await town.send(stays((0, "2023-05-09", "死亡")), EMR)
    second = (await town.send(stays((1, "2023-05-09", "治愈"), (0, "2023-05-09", "死亡")), EMR)).json()
    await correct(town, batch_id=second["batch_id"], row_no=1)
    assert {kind for _, _, kind in await counting(town)} == {"seen"}


async def test_a_single_event_is_corrected_and_can_be_said_anew(town):
    headers = town.issuer.headers("ingest.upload")
    event = {"citizen_id": IDS[0], "occurred_on": "2023-10-31"}
    said = (await town.client.post("/v1/sources/medins_pharmacy/events", json=event, headers=headers)).json()
    await correct(town, batch_id=said["batch_id"], row_no=0, replacement=event | {"occurred_on": "2023-10-30"})
    again = (await town.client.post("/v1/sources/medins_pharmacy/events", json=event, headers=headers)).json()
    assert (again["verdict"], again["reason"]) == ("quarantined", "taken_back")
    assert [day for _, day, _ in await counting(town)] == [date(2023, 10, 30)]
    [number] = (await counting(town)).values()
    assert (await town.get(f"/v1/evidence/{number}", "audit.read")).json()["standing"] == "counts"
    # It was right after all: only a correction says so.
    await correct(town, evidence_id=number, replacement=event)
    assert [day for _, day, _ in await counting(town)] == [date(2023, 10, 31)]
    later = (await town.send(csv_of(pharmacy(IDS[:1], "2023-10-31")))).json()
    assert later["duplicate"] == 1
    # And wrong after all: what was posted first is no more right for having been said anew in between.
    [number] = (await counting(town)).values()
    await correct(town, evidence_id=number)
    again = (await town.client.post("/v1/sources/medins_pharmacy/events", json=event, headers=headers)).json()
    assert (again["reason"], await counting(town)) == ("taken_back", {})


async def test_a_faulty_replacement_changes_nothing(town):
    said = (await town.send(csv_of(pharmacy(IDS[:2])))).json()
    before = await town.traces()
    wrong = {"citizen_id": "3416", "occurred_on": "2023-05-10"}
    problem = await correct(town, 422, batch_id=said["batch_id"], row_no=0, replacement=wrong)
    assert (problem["code"], "3416" in str(problem)) == ("replacement_not_taken", False)
    assert await town.traces() == before


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"row_no": 1}, 422),
        ({}, 422),
        ({"evidence_id": 5, "batch_id": str(uuid4()), "row_no": 0}, 422),
        ({"evidence_id": 7 << 32}, 404),
        ({"batch_id": str(uuid4()), "row_no": 0}, 404),
    ],
)
async def test_what_names_no_record_is_refused(town, asked, status):
    await correct(town, status, **asked)


async def test_a_row_that_never_counted_and_one_of_another_department_are_not_there(town):
    said = (await town.send(csv_of(pharmacy([IDS[35], IDS[0]])))).json()
    await correct(town, 404, batch_id=said["batch_id"], row_no=0)
    await correct(town, 404, batch_id=said["batch_id"], row_no=1, department="police")
    await correct(town, batch_id=said["batch_id"], row_no=1, department="medins")
    problem = await correct(town, 409, batch_id=said["batch_id"], row_no=1, department="medins")
    assert problem["code"] == "conflict"


async def test_a_reason_never_carries_an_id(town):
    said = (await town.send(csv_of(pharmacy(IDS[:2])))).json()
    made = await correct(town, batch_id=said["batch_id"], row_no=0, reason=f"应为 {IDS[1]} 本人")
    assert IDS[1] not in str(made)
    assert IDS[1] not in str(await changes(town))
