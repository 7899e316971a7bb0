"""A record without an id through the real application: a hint with candidates, said once, never evidence."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import pytest

from tests.services.ingest.world import IDS, NAMES, csv_of, make_id, roster, with_deps

pytestmark = pytest.mark.db
HINTS = "ingest.hints.recorded.v1"


def cremated(*rows: tuple[str, str, str, str]) -> bytes:
    """Id, name, sex and age of people cremated on 9 May 2023."""
    ids, names, sexes, ages = zip(*rows, strict=True)
    return csv_of(
        {"证件号码": ids, "逝者姓名": names, "性别": sexes, "年龄": ages, "火化日期": ["2023/5/9"] * len(rows)}
    )


async def send(world, *rows: tuple[str, str, str, str]) -> Any:
    answer = await world.send(cremated(*rows), "civil_cremation")
    assert answer.status_code == 201, answer.text
    return answer.json()


def sex_of(number: int) -> str:
    return "男" if int(IDS[number][16]) % 2 else "女"


async def namesakes(world, numbers: Sequence[int], births: Sequence[str]) -> list[str]:
    """People of one name in the vault."""
    ids = [make_id(number, born=born) for number, born in zip(numbers, births, strict=True)]
    columns = roster(range(len(ids))) | {"身份证号": ids, "姓名": ["李 建国"] * len(ids)}
    assert (await world.enrol(columns, "low_income")).status_code == 201
    return ids


async def test_a_record_without_an_id_becomes_a_hint_and_no_evidence(town):
    said = await send(town, ("", f" {NAMES[4][0]} {NAMES[4][1]}", sex_of(4), "73"), (IDS[5], NAMES[5], "男", "73"))
    assert (said["accepted"], said["quarantine_reasons"]) == (1, {"no_citizen_id": 1})
    [hint] = await town.said(HINTS)
    assert hint["subject"] == town.deps.keys.subject.one(IDS[4]).bytes
    assert (hint["kind"], hint["candidates"], hint["evidence_id"]) == ("died", 1, said["batch_no"] << 32)
    origin = (await town.get(f"/v1/evidence/{hint['evidence_id']}", "audit.read")).json()
    assert (origin["standing"], origin["row_no"]) == ("hint", 0)
    [look] = await town.rows("SELECT purpose, subject FROM look")
    assert (look["purpose"], look["subject"].bytes) == ("lineage", hint["subject"])
    assert len(await town.said("ingest.evidence.accepted.v1")) == 1


async def test_two_of_one_name_and_age_are_both_candidates_and_a_third_is_not(world):
    ids = await namesakes(world, [1, 3, 5], ["19500505", "19490101", "19600101"])
    await send(world, ("", "李建国", "男", "73"))
    said = await world.said(HINTS)
    expected = {world.deps.keys.subject.one(number).bytes for number in ids[:2]}
    assert {row["subject"] for row in said} == expected
    assert {row["candidates"] for row in said} == {2}
    assert len({row["hint_id"] for row in said}) == 1


async def test_a_record_that_may_mean_too_many_tells_nothing(world):
    with_deps(world, settings=world.deps.settings.model_copy(update={"ingest_hint_candidates": 1}))
    await namesakes(world, [1, 3], ["19500505", "19500101"])
    await send(world, ("", "李建国", "男", "73"))
    assert await world.said(HINTS) == []


async def test_the_same_record_in_another_file_is_the_same_hint(town):
    row = ("", NAMES[4], sex_of(4), "73")
    await send(town, row)
    await send(town, row, (IDS[5], NAMES[5], "男", "73"))
    assert len(await town.said(HINTS)) == 1


async def test_an_event_without_an_id_is_a_hint_where_its_source_may_leave_it_out(town):
    event = {"name": NAMES[4], "occurred_on": "2023-05-09", "values": {"sex": sex_of(4), "age": "73"}}
    headers = town.issuer.headers("ingest.upload")
    for _ in range(2):
        answer = await town.client.post("/v1/sources/civil_cremation/events", json=event, headers=headers)
        assert (answer.status_code, answer.json()["reason"]) == (201, "no_citizen_id")
    [hint] = await town.said(HINTS)
    assert hint["subject"] == town.deps.keys.subject.one(IDS[4]).bytes
    [batch] = await town.rows("SELECT batch_no FROM batch WHERE kind = 'event'")
    assert hint["evidence_id"] == batch["batch_no"] << 32
    nameless = {"occurred_on": "2023-05-09"}
    answer = await town.client.post("/v1/sources/medins_pharmacy/events", json=nameless, headers=headers)
    assert answer.json()["reason"] == "missing_field"


CORRECTED = "ingest.evidence.corrected.v1"


async def test_hints_fall_with_their_batch_and_come_again_with_the_right_file(town):
    row = ("", NAMES[4], sex_of(4), "73")
    wrong = await send(town, row)
    answer = await town.post(f"/v1/batches/{wrong['batch_id']}:withdraw", b"")
    assert answer.status_code == 200
    [said] = await town.said(CORRECTED)
    number = wrong["batch_no"] << 32
    assert (said["subject"], said["evidence_id"], said["kind"], said["polarity"]) == (
        town.deps.keys.subject.one(IDS[4]).bytes, number, "died", "negative",
    )  # fmt: skip
    assert (await town.get(f"/v1/evidence/{number}", "audit.read")).json()["standing"] == "taken_back"
    await send(town, row, (IDS[5], NAMES[5], "男", "73"))
    assert len(await town.said(HINTS)) == 2


async def test_a_hint_of_before_descriptions_were_kept_leaves_its_record_to_the_next_file(world):
    await namesakes(world, [1, 3], ["19500505", "19490101"])
    described = ("", "李建国", "男", "73")
    before = await send(world, described)
    statement = import_module("services.ingest.migrations.versions.0013_described_before").STATEMENT
    async with world.deps.platform.database.write() as tx:
        await tx.run("DELETE FROM description")
        await tx.run(statement)
    again = await send(world, described, (IDS[5], NAMES[5], "男", "73"))
    await world.post(f"/v1/batches/{before['batch_id']}:withdraw", b"")
    assert [row["evidence_id"] for row in (await world.said(HINTS))[2:]] == [again["batch_no"] << 32] * 2


@pytest.mark.parametrize("known", [True, False], ids=["of one of them", "of somebody in no roster"])
async def test_a_hint_ends_for_all_it_may_mean_when_its_record_comes_mended(world, known):
    ids = await namesakes(world, [1, 3], ["19500505", "19490101"])
    described = ("李建国", "男", "73")
    await send(world, (ids[0][:-1], *described))
    # What stands beside it in one file is another record.
    beside = await send(world, (ids[0][:-1], *described), (ids[1], *described))
    assert await world.said(CORRECTED) == []
    mended = await send(world, (ids[0] if known else make_id(5, born="19500101"), *described))
    assert {row["subject"] for row in await world.said(CORRECTED)} == {
        row["subject"] for row in await world.said(HINTS)
    }
    assert (len(await world.said(HINTS)), len(await world.said("ingest.evidence.accepted.v1"))) == (2, 1 + known)
    await send(world, (ids[0][:-2], *described))
    assert len(await world.said(HINTS)) == 2
    # If that was the wrong file, what nobody was told yet means as many as it ever did; once.
    await world.post(f"/v1/batches/{mended['batch_id']}:withdraw", b"")
    assert [row["evidence_id"] for row in (await world.said(HINTS))[2:]] == [beside["batch_no"] << 32] * 2


async def test_a_record_with_an_id_keeps_others_from_meaning_anybody_for_as_long_as_any_counts(world):
    ids = await namesakes(world, [1, 3], ["19500505", "19490101"])
    described = ("李建国", "男", "73")
    first = await send(world, (ids[0], *described))
    nameless = await send(world, ("", *described))
    again = await send(world, (IDS[5], NAMES[5], "男", "73"), (ids[0], *described))
    await world.post(f"/v1/batches/{first['batch_id']}:withdraw", b"")
    assert await world.said(HINTS) == []
    headers, wrong = world.issuer.headers("ingest.upload"), again["batch_no"] << 32 | 1
    body = {"evidence_id": wrong, "reason": "录入错误"}
    assert (await world.client.post("/v1/corrections", json=body, headers=headers)).status_code == 201
    assert [row["evidence_id"] for row in await world.said(HINTS)] == [nameless["batch_no"] << 32] * 2


async def test_what_was_taken_back_ends_no_hint_when_it_comes_again(town):
    whose = (NAMES[4], sex_of(4), "73")
    wrong = await send(town, (IDS[4], *whose))
    headers, body = town.issuer.headers("ingest.upload"), {"evidence_id": wrong["batch_no"] << 32, "reason": "录入错误"}
    assert (await town.client.post("/v1/corrections", json=body, headers=headers)).status_code == 201
    other = (NAMES[6], sex_of(6), "73")
    await send(town, ("", *whose), ("", *other))
    await send(town, (IDS[4], *whose), (make_id(5, born="19500101"), *other), (IDS[5], NAMES[5], "男", "73"))
    assert (len(await town.said(HINTS)), len(await town.said(CORRECTED))) == (2, 2)
    assert (await town.said(CORRECTED))[1]["subject"] == town.deps.keys.subject.one(IDS[6]).bytes


async def test_a_wrong_hint_is_corrected_for_all_it_may_mean_and_stays_corrected(world):
    await namesakes(world, [1, 3], ["19500505", "19490101"])
    said = await send(world, ("", "李建国", "男", "73"))
    headers, body = world.issuer.headers("ingest.upload"), {"evidence_id": said["batch_no"] << 32, "reason": "录入错误"}
    answer = await world.client.post("/v1/corrections", json=body, headers=headers)
    assert (answer.status_code, answer.json()["status"]) == (201, "accepted")
    assert {row["subject"] for row in await world.said(CORRECTED)} == {
        row["subject"] for row in await world.said(HINTS)
    }
    await send(world, ("", "李建国", "男", "73"), ("", "某某", "男", "73"))
    assert len(await world.said(HINTS)) == 2
    assert (await world.client.post("/v1/corrections", json=body, headers=headers)).status_code == 409
    nobody = body | {"evidence_id": (said["batch_no"] + 1) << 32 | 1}
    assert (await world.client.post("/v1/corrections", json=nobody, headers=headers)).status_code == 404


@pytest.mark.parametrize(
    "row",
    [("", NAMES[4], "女" if sex_of(4) == "男" else "男", "73"), ("", NAMES[4], sex_of(4), "60"), ("", "某某", "男", "73"),
     ("", NAMES[4], "", "73"), ("", NAMES[4], sex_of(4), "")],
)  # fmt: skip
async def test_what_fits_nobody_is_said_of_nobody(town, row):
    await send(town, row, (IDS[5], NAMES[5], "男", "73"))
    assert await town.said(HINTS) == []


async def test_a_file_without_sex_and_age_is_taken_as_before(town):
    body = csv_of({"身份证号": ["", IDS[5]], "姓名": [NAMES[4], NAMES[5]], "火化日期": ["2023-05-09"] * 2})
    said = (await town.send(body, "civil_cremation")).json()
    assert (said["accepted"], said["quarantined"]) == (1, 1)
    assert await town.said(HINTS) == []


async def test_the_same_person_under_an_old_fifteen_digit_id_is_one(town):
    old = IDS[7][:6] + IDS[7][8:17]
    said = (await town.send(csv_of({"身份证号": [old, IDS[7]], "购药时间": ["2023-05-09"] * 2}))).json()
    assert (said["accepted"], said["duplicate"]) == (1, 1)
    [row] = await town.said("ingest.evidence.accepted.v1")
    assert row["subject"] == town.deps.keys.subject.one(IDS[7]).bytes


@pytest.mark.parametrize(
    ("vault", "file"),
    [("刘德华", "劉德華"), ("买买提·艾力", "买买提艾力"), ("买买提•艾力", "买买提・艾力"), ("张 三", "张\u3000三"),
     ("萧峯", "肖峰"), ("陈龙", "陳龍")],
)  # fmt: skip
async def test_writings_of_one_name_are_one_name(world, vault, file):
    await world.enrol(roster([1], 姓名=[vault]))
    columns = {"身份证号": [IDS[1]], "姓名": [file], "火化日期": ["2023-05-09"]}
    assert (await world.send(csv_of(columns), "civil_cremation")).json()["accepted"] == 1
