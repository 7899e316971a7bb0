"""Files and rosters go in, evidence and enrolments come out: the main path through the real application."""

from datetime import timedelta

import orjson
import pytest

from tests.services.ingest.world import IDS, NAMES, csv_of, make_id, pharmacy, roster, xlsx_of

pytestmark = pytest.mark.db
EVIDENCE = "ingest.evidence.accepted.v1"


async def test_every_row_is_accounted_for_and_only_new_evidence_is_said(town):
    good = IDS[0]
    wrong_digit = good[:-1] + ("0" if good[-1] != "0" else "1")
    rows = [
        (good, "2023-05-09"), (good, "2023/5/9 08:00"), (IDS[1], "2022-11-01"), (IDS[1], "2022-11-02"), (IDS[35], "2023-01-01"),
        (wrong_digit, "2023-01-01"), ("3416", "2023-01-01"), ("", "2023-01-01"), (good, "2023-13-01"), (good, "2023-11-02"),
    ]  # fmt: skip
    answer = await town.send(csv_of({"身份证号": [row[0] for row in rows], "购药时间": [row[1] for row in rows]}))
    assert answer.status_code == 201
    said = answer.json()
    assert {key: said[key] for key in ("rows", "accepted", "duplicate", "out_of_window", "quarantined", "status")} == {
        "rows": 10, "accepted": 2, "duplicate": 1, "out_of_window": 1, "quarantined": 6, "status": "completed",
    }  # fmt: skip
    assert said["quarantine_reasons"] == {
        "not_a_beneficiary": 1, "bad_check_digit": 1, "bad_citizen_id": 1, "missing_field": 1, "impossible_date": 1, "future_date": 1,
    }  # fmt: skip
    told = await town.said(EVIDENCE)
    assert sorted(row["occurred_on"].isoformat() for row in told) == ["2022-11-02", "2023-05-09"]
    assert {row["evidence_id"] & 0xFFFFFFFF for row in told} == {0, 3}
    assert {(row["kind"], row["polarity"], row["identity"]) for row in told} == {("seen", "positive", "id_only")}
    page = (await town.get(f"/v1/batches/{said['batch_id']}/quarantine?limit=4")).json()
    assert [row["row_no"] for row in page["items"]] == [4, 5, 6, 7]
    rest = (await town.get(f"/v1/batches/{said['batch_id']}/quarantine?after={page['next_after']}")).json()
    assert [row["reason"] for row in rest["items"]] == ["impossible_date", "future_date"]


async def test_the_same_file_twice_changes_nothing_and_the_batch_says_so(town):
    body = csv_of(pharmacy(IDS[:20]))
    first = await town.send(body)
    before = await town.traces()
    again = await town.send(body, filename="other-name.csv")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json() | {"repeated": True}
    assert await town.traces() == before


async def test_a_file_is_judged_anew_once_what_kept_its_rows_out_has_passed(town):
    columns = {"身份证号": [*IDS[:3], IDS[35]], "姓名": [*NAMES[:2], "王小明", NAMES[35]],
               "出院日期": ["2023-05-09"] * 3 + ["2023-11-03"], "离院方式": ["治愈"] * 4}  # fmt: skip
    body = csv_of(columns)
    event = {"citizen_id": IDS[36], "name": NAMES[36], "occurred_on": "2023-10-31", "values": {"outcome": "治愈"}}

    async def post():
        headers = town.issuer.headers("ingest.upload")
        answer = await town.client.post("/v1/sources/health_inpatient_emr/events", json=event, headers=headers)
        return answer.json()

    first = (await town.send(body, "health_inpatient_emr")).json()
    assert first["quarantine_reasons"] == {"name_mismatch": 1, "future_date": 1}
    assert (await town.send(body, "health_inpatient_emr")).json() == first | {"repeated": True}
    assert (await post())["reason"] == "not_a_beneficiary"
    await town.enrol(roster([2, 35, 36], 姓名=["王小明", NAMES[35], NAMES[36]]), mode="delta")
    again = await town.send(body, "health_inpatient_emr")
    assert (again.status_code, again.json()["repeated"], again.json()["accepted"]) == (201, False, 1)
    assert (again.json()["duplicate"], again.json()["quarantine_reasons"]) == (2, {"future_date": 1})
    assert again.json()["sha256"] == first["sha256"]
    assert ((await post())["verdict"], (await post())["verdict"]) == ("accepted", "accepted")
    town.deps.platform.clock.move(timedelta(days=2))
    assert (await town.send(body, "health_inpatient_emr")).json()["accepted"] == 1
    last = (await town.send(body, "health_inpatient_emr")).json()
    assert (last["repeated"], last["duplicate"]) == (True, 3)
    told = await town.said(EVIDENCE)
    assert len(told) == 5
    newest = max(row["evidence_id"] for row in told)
    assert (await town.get(f"/v1/evidence/{newest}", "audit.read")).json()["sha256"] == first["sha256"]


async def test_a_comma_within_a_cell_moves_no_day(town):
    head, good, shifted = (
        "药店,身份证号,购药时间,结算时间",
        f"甲,{IDS[0]},2023-05-09,2023-05-10",
        f"乙,号,{IDS[1]},2023-05-09",
    )
    body = "\n".join([head, good, shifted, f"丙,{IDS[2]},2023-05-09,2023-05-10,2023", f"丁,{IDS[3]}"]).encode()
    said = (await town.send(body)).json()
    assert (said["accepted"], said["quarantine_reasons"]) == (1, {"bad_citizen_id": 1, "uneven_row": 2})


async def test_an_overlapping_redelivery_adds_only_what_is_new(town):
    await town.send(csv_of(pharmacy(IDS[:20])))
    said = (await town.send(csv_of(pharmacy(IDS[10:25])))).json()
    assert (said["accepted"], said["duplicate"]) == (5, 10)
    assert len(await town.said(EVIDENCE)) == 25


async def test_two_sources_may_see_the_same_person_on_the_same_day(town):
    await town.send(csv_of(pharmacy(IDS[:3])))
    said = (await town.send(csv_of({"证件号码": IDS[:3], "结算时间": ["2023-05-09"] * 3}), "medins_outpatient")).json()
    assert said["accepted"] == 3


async def test_a_wrong_name_is_quarantined_and_a_right_one_makes_the_identity_full(town):
    columns = {
        "身份证号": IDS[:3],
        "姓名": [NAMES[0], NAMES[5], " ".join(NAMES[2])],
        "签约日期": ["2023-05-09"] * 3,
        "签字人": ["本人"] * 3,
    }
    said = (await town.send(csv_of(columns), "agri_project_sign")).json()
    assert said["quarantine_reasons"] == {"name_mismatch": 1}
    assert {row["identity"] for row in await town.said(EVIDENCE)} == {"full"}


async def test_a_death_in_hospital_is_a_negative_row_of_a_positive_source(town):
    columns = {"身份证号": IDS[:2], "姓名": NAMES[:2], "出院日期": ["2023-05-09"] * 2, "离院方式": ["治愈", "死亡"]}
    await town.send(csv_of(columns), "health_inpatient_emr")
    assert {(row["kind"], row["polarity"]) for row in await town.said(EVIDENCE)} == {
        ("seen", "positive"),
        ("hospital_death", "negative"),
    }


async def test_one_event_is_taken_at_once_and_only_once(town):
    event = {"citizen_id": IDS[0], "occurred_on": "2023-10-31"}
    headers = town.issuer.headers("ingest.upload")
    answers = [
        await town.client.post("/v1/sources/medins_pharmacy/events", json=event, headers=headers) for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    assert answers[0].json()["verdict"] == "accepted"
    assert len(await town.said(EVIDENCE)) == 1
    stranger = await town.client.post(
        "/v1/sources/medins_pharmacy/events", json=event | {"citizen_id": make_id(999)}, headers=headers
    )
    assert (stranger.json()["verdict"], stranger.json()["reason"]) == ("quarantined", "not_a_beneficiary")


@pytest.mark.parametrize("values", [{"outcom": "死亡"}, {"citizen_id": IDS[1]}])
async def test_an_event_that_says_what_its_source_has_no_column_for_is_refused(town, values):
    event = {"citizen_id": IDS[0], "occurred_on": "2023-10-31", "values": values}
    headers = town.issuer.headers("ingest.upload")
    answer = await town.client.post("/v1/sources/health_inpatient_emr/events", json=event, headers=headers)
    assert (answer.status_code, answer.json()["detail"]) == (422, "`values` of this source may hold: outcome.")


async def test_an_evidence_id_leads_back_to_file_and_row(town):
    said = (await town.send(csv_of(pharmacy([IDS[35], IDS[0]])), filename=f"五月_{IDS[35]}.csv")).json()
    [row] = await town.said(EVIDENCE)
    origin = (await town.get(f"/v1/evidence/{row['evidence_id']}", "audit.read")).json()
    assert (origin["filename"], origin["row_no"], origin["batch_id"]) == ("五月_‹masked›.csv", 1, said["batch_id"])
    assert (await town.get(f"/v1/evidence/{row['evidence_id'] - 1}", "audit.read")).status_code == 404


async def test_a_look_at_people_is_logged_before_the_answer(town):
    [subject] = {row["subject"] for row in await town.said("ingest.contacts.changed.v1")} & {
        town.deps.keys.subject.one(IDS[7]).bytes
    }
    body = {"subjects": [town.deps.keys.subject.one(IDS[7]).hex], "purpose": "grid task"}
    answer = await town.client.post(
        "/v1/people:reveal", json=body, headers=town.issuer.headers("ingest.reveal", user="w1")
    )
    [person] = answer.json()["items"]
    assert (person["name"], person["phone"]) == (NAMES[7], "13800000007")
    [look] = await town.rows('SELECT "user", purpose, subject FROM look')
    assert (look["user"], look["purpose"], look["subject"].bytes) == ("w1", "grid task", subject)


async def test_a_roster_that_says_less_of_a_person_takes_no_phone_and_no_card_away(town):
    known = {"银行卡尾号": ["1234", "6222020001234"], "联系人手机": ["13900000001", ""]}
    await town.enrol(roster([36, 37], **known), "low_income")
    await town.enrol(roster([36, 37], 手机号=["", ""], 村民组=["4", "4"]), mode="delta")
    vault, pseudonym = town.deps.keys.vault, town.deps.keys.subject.one
    said = await town.said("ingest.contacts.changed.v1")
    for number, family, card in ((36, "13900000001", "1234"), (37, None, None)):
        rows = [row for row in said if row["subject"] == pseudonym(IDS[number]).bytes]
        told = [orjson.loads(vault.open(row["sealed"], row["subject"])) for row in rows]
        assert [(each["phone"], each["family_phone"] or None, each["card_tail"]) for each in told] == [
            (f"138{number:08d}", family, card)
        ] * 2
        assert [row["reachable"] for row in rows] == ["phone"] * 2


async def test_another_departments_client_neither_delivers_nor_sees(town):
    body = csv_of(pharmacy(IDS[:2]))
    foreign = await town.post("/v1/sources/medins_pharmacy/batches", body, department="police")
    assert foreign.status_code == 403
    said = (await town.post("/v1/sources/medins_pharmacy/batches", body, department="medins")).json()
    path = f"/v1/batches/{said['batch_id']}"
    assert (await town.get(path, department="medins")).status_code == 200
    assert (await town.get(path, department="police")).status_code == 404


async def test_an_xlsx_roster_enrols_like_a_csv_one(world):
    answer = await world.post("/v1/programs/resident_pension/roster", xlsx_of(roster(range(5))))
    assert (answer.json()["accepted"], answer.json()["new"]) == (5, 5)
