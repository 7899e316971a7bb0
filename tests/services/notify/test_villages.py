"""What a village prints, hands out and reads out, and what offices and grid members are told."""

from datetime import date, timedelta
from types import SimpleNamespace
from uuid import UUID, uuid4

import pytest

from services.notify import templates as template_files
from services.notify.channels import discover as discover_channels
from services.notify.channels.letter import Letter, LetterSettings, render
from services.notify.domain.template import fill, read_values, sample_values
from services.notify.domain.words import SAMPLE_LABELS
from services.notify.tables import METADATA
from services.notify.usecases import villages
from shared.contracts.events import (
    CERTIFICATIONS_DUE,
    CONTACTS_CHANGED,
    SUSPICION_RAISED,
)
from shared.contracts.events.grid import (
    CASE_OVERDUE,
    REPORT_LOCKED,
    TASK_OVERDUE,
    WORKDAY_PLANNED,
    CaseOverdue,
    ReportLocked,
    TaskOverdue,
    WorkdayPlanned,
    WorkerDay,
)
from shared.contracts.events.ingest import CORRECTION_CHANGED, DELIVERY_MISSED, CorrectionChanged, DeliveryMissed
from shared.contracts.events.recognition import WORK_WAITING, WorkWaiting
from shared.contracts.vocabulary import CaseParty, CorrectionStatus, LateMatter, SuspicionKind, TaskReason, TaskStage
from tests.services.notify.world import (
    MORNING,
    TODAY,
    certify,
    contacts,
    deliveries,
    drain,
    due,
    fact_message,
    hear,
    notice,
    rows_of,
    said,
    subject,
    suspicions,
    table_message,
)
from tests.support.traces import plain

VILLAGE = "341602001001"


@pytest.mark.db
class TestVillage:
    @pytest.fixture
    def village(self, issuer):
        return issuer.headers("notify.village", role="village", divisions=[VILLAGE])

    async def test_letters_are_printed_confirmed_and_each_look_is_kept(self, http, deps, database, village, clock):
        await hear(deps, table_message(CONTACTS_CHANGED, contacts([(subject(1), "none"), (subject(2), "phone")])))
        for number in (1, 2):
            await hear(deps, notice(number, subject(number)))
        await drain(deps, "letter")
        made = await http.post(f"/v1/villages/{VILLAGE}/letters:print", json={}, headers=village)
        assert (made.status_code, made.headers["content-type"]) == (200, "application/pdf")
        assert made.content.startswith(b"%PDF")
        looks = await rows_of(database, "SELECT subject FROM look ORDER BY subject")
        assert [row["subject"] for row in looks] == [subject(1), subject(2)]
        ids = [str(row["message_id"]) for row in await deliveries(database) if row["channel"] == "letter"]
        told = {
            "items": [
                {"id": ids[0], "delivered": True, "on": (TODAY + timedelta(days=1)).isoformat()},
                {"id": ids[1], "delivered": False},
                {"id": str(uuid4()), "delivered": True},
            ]
        }
        path = f"/v1/villages/{VILLAGE}/letters:confirm"
        assert (await http.post(path, json=told, headers=village)).status_code == 422  # that is tomorrow
        clock.move(timedelta(days=3))
        assert (await http.post(path, json=told, headers=village)).json() == {"taken": 2, "new": 2}
        (brought,) = await said(database)
        assert brought["delivered_at"].date() == TODAY + timedelta(days=1)
        assert (await http.post(path, json=told, headers=village)).json() == {"taken": 2, "new": 0}
        assert [(row["status"], row["reason"]) for row in await deliveries(database) if row["channel"] == "letter"] == [
            ("delivered", None), ("failed", "not_met"),
        ]  # fmt: skip

    async def test_several_programs_stopped_alike_are_one_letter_and_each_notice_has_its_proof(
        self, http, deps, database, village, clock
    ):
        deps.labels["dibao"] = "农村低保"
        await hear(deps, table_message(CONTACTS_CHANGED, contacts([(subject(1), "none")])))
        programs = (["old_age_allow"], ["dibao"], ["orphan", "dibao"])
        for number, some in enumerate(programs):
            await hear(deps, notice(number, subject(1), programs=some))
        await hear(deps, notice(9, subject(1), reason="imprisonment"))
        await drain(deps, "letter")
        caller = SimpleNamespace(client_id="v", user="v", divisions=[VILLAGE], may_division=lambda _: True)
        async with database.write() as tx:
            one, other = await villages.take(tx, deps, caller, VILLAGE, "letter", ids=None, limit=9)  # type: ignore[arg-type]
        # What stops is named, each of them; the office's word for one of them is not known yet.
        assert one.text.startswith("您的农村低保、高龄津贴和另外1项待遇拟暂停发放，原因：登记信息显示已去世。")
        assert "您的高龄津贴拟暂停发放，原因：登记信息显示正在服刑" in other.text
        assert (len(one.ids), len(other.ids)) == (3, 1)
        made = await http.post(f"/v1/villages/{VILLAGE}/letters:print", json={}, headers=village)
        assert made.content.count(b"/Type /Page\n") == 2
        told = {"items": [{"id": str(each), "delivered": True} for each in one.ids]}
        answer = await http.post(f"/v1/villages/{VILLAGE}/letters:confirm", json=told, headers=village)
        assert answer.json() == {"taken": 3, "new": 3}
        proofs = await said(database)
        assert {UUID(bytes=row["about"]).int for row in proofs} == {0, 1, 2}

    async def test_who_has_no_phone_is_told_by_letter_that_he_is_certified(
        self, http, deps, database, village, issuer, sandbox
    ):
        await certify(deps, subject(1), reachable="none")
        await drain(deps, "letter")
        (letter,) = [row for row in await deliveries(database) if row["channel"] == "letter"]
        told, reader = {"items": [{"id": str(letter["message_id"]), "delivered": True}]}, issuer.headers("notify.read")
        seen = []
        for _ in range(2):
            answer = await http.post("/v1/messages:search", json={"subject": str(subject(1))}, headers=reader)
            seen.append((answer.json()["items"][0]["status"], [row["channel"] for row in await said(database)]))
            await http.post(f"/v1/villages/{VILLAGE}/letters:confirm", json=told, headers=village)
        assert seen == [("open", []), ("delivered", ["letter"])]
        # Told once: a phone the roster brings later is not for it.
        await hear(
            deps, table_message(CONTACTS_CHANGED, contacts([(subject(1), "phone")]), received_at="2023-11-09T00:00:00Z")
        )
        await drain(deps)
        assert sandbox.state.keep.count_sms()["messages"] == 0

    async def test_another_village_sees_and_confirms_nothing(self, http, deps, database, issuer, village):
        await hear(deps, table_message(CONTACTS_CHANGED, contacts([(subject(1), "none")])))
        await hear(deps, notice(1, subject(1)))
        await drain(deps, "letter")
        (letter,) = [row for row in await deliveries(database) if row["channel"] == "letter"]
        told = {"items": [{"id": str(letter["message_id"]), "delivered": True}]}
        other = issuer.headers("notify.village", role="village", divisions=["341621"])
        for path, body in (("letters:print", {}), ("announcements:list", {}), ("letters:confirm", told)):
            assert (await http.post(f"/v1/villages/{VILLAGE}/{path}", json=body, headers=other)).status_code == 404
        neighbour = "341602001002"
        own = issuer.headers("notify.village", role="village", divisions=[neighbour])
        answer = await http.post(f"/v1/villages/{neighbour}/letters:confirm", json=told, headers=own)
        assert answer.json() == {"taken": 0, "new": 0}
        assert (await http.post(f"/v1/villages/{VILLAGE}/letters:print", json={})).status_code == 401

    async def test_only_people_without_a_phone_are_read_out_and_never_why(self, http, deps, village):
        await hear(deps, table_message(CONTACTS_CHANGED, contacts([(subject(1), "none"), (subject(2), "phone")])))
        rows = [(subject(number), TODAY + timedelta(days=25)) for number in (1, 2)]
        await hear(deps, table_message(CERTIFICATIONS_DUE, due(rows)))
        await drain(deps, "loudspeaker")
        path = f"/v1/villages/{VILLAGE}/announcements"
        (item,) = (await http.post(f"{path}:list", json={}, headers=village)).json()["items"]
        assert item["text"].startswith("请张建国或家属近日在家等候网格员")
        told = {"items": [{"id": item["id"], "delivered": True}]}
        assert (await http.post(f"{path}:confirm", json=told, headers=village)).json() == {"taken": 1, "new": 1}
        assert (await http.post(f"{path}:list", json={}, headers=village)).json()["items"] == []

    async def test_a_letter_of_somebody_recorded_as_dead_meanwhile_is_the_familys(self, deps, database, clock):
        await hear(deps, table_message(CONTACTS_CHANGED, contacts([(subject(1), "none"), (subject(2), "none")])))
        await hear(deps, notice(1, subject(1)))
        await hear(deps, table_message(CERTIFICATIONS_DUE, due([(subject(2), TODAY + timedelta(days=25))])))
        await drain(deps, "letter")
        dead = [(subject(number), uuid4(), "suspected_death", 1) for number in (1, 2)]
        await hear(deps, table_message(SUSPICION_RAISED, suspicions(dead)))
        caller = SimpleNamespace(
            client_id="v", user="v", role="village", divisions=[VILLAGE], may_division=lambda _: True
        )
        async with database.write() as tx:
            (spoken,) = await villages.take(tx, deps, caller, VILLAGE, "letter", ids=None, limit=9)  # type: ignore[arg-type]
        assert spoken.row.subject == subject(1)
        assert spoken.text.startswith("我们正在核对您家人张建国的待遇")


def longest_letters(*, large: bool) -> list[Letter]:
    """Every letter there is, with long values."""
    letters = []
    for template in template_files.discover(set(discover_channels())).values():
        for version in template.versions:
            if said := version.channels.get("letter"):
                short, spelt = (
                    read_values(version, sample_values(version, room=room), SAMPLE_LABELS, room=room)
                    for room in (False, True)
                )
                letters += [
                    Letter(to="欧阳建国的家属", title=fill(said.title, short), text=fill(words, spelt),
                           reference=str(UUID(int=1)), written_at=MORNING, large=large)
                    for words in (said.text, said.family_text or "")
                ]  # fmt: skip
    return letters


@pytest.mark.parametrize("large", [False, True])
def test_every_letter_fits_its_page(large):
    letters = longest_letters(large=large)
    made = render(LetterSettings(), letters, MORNING)
    assert made.count(b"/Type /Page\n") == len(letters) > 10


@pytest.mark.db
class TestOffices:
    async def test_a_grid_member_reads_his_own_day_only(self, http, deps, issuer):
        fact = WorkdayPlanned(
            division="341602001", day=date(2023, 11, 1),
            workers=[WorkerDay(worker_id="w1", tasks=3, overdue=1, due_soon=2), WorkerDay(worker_id="w2", tasks=2, overdue=0),
                     WorkerDay(worker_id="w3", tasks=0, overdue=0)],
        )  # fmt: skip
        for _ in range(2):
            await hear(deps, fact_message(WORKDAY_PLANNED, fact))
        headers = issuer.headers("notify.read", role="grid_worker", user="w1", divisions=["341602001001"])
        (item,) = (await http.get("/v1/inbox/grid_worker", headers=headers)).json()["items"]
        assert item["text"].startswith("2023年11月1日您有3项任务，其中1项已超期、2项即将到期")
        other = issuer.headers("notify.read", role="citizen")
        assert (await http.get("/v1/inbox/grid_worker", headers=other)).status_code == 403

    async def test_a_late_case_is_told_to_the_officers_and_while_it_is_his_turn_to_the_village(
        self, http, deps, issuer
    ):
        for number, party in enumerate(CaseParty):
            fact = CaseOverdue(
                case_id=UUID(int=number), subject=subject(1), kind=SuspicionKind.DEATH, waits_for=party, division=VILLAGE,
                deadline_on=date(2023, 10, 30), overdue_at=MORNING,
            )  # fmt: skip
            for _ in range(2):
                await hear(deps, fact_message(CASE_OVERDUE, fact))
        officer = issuer.headers("notify.read", role="officer", divisions=[VILLAGE[:6]])
        village = issuer.headers("notify.read", role="village", divisions=[VILLAGE])
        told = (await http.get("/v1/inbox/officer", headers=officer)).json()["items"]
        assert sorted(item["text"].split("停在")[1][:2] for item in told) == ["乡镇", "村（", "经办"]
        assert len((await http.get("/v1/inbox/village", headers=village)).json()["items"]) == 1

    async def test_a_late_tip_is_told_to_the_city_alone(self, http, deps, issuer):
        fact = CaseOverdue(
            case_id=UUID(int=7), subject=subject(1), kind=LateMatter.TIP, waits_for=CaseParty.AGENCY, division=None,
            deadline_on=date(2023, 10, 30), overdue_at=MORNING,
        )  # fmt: skip
        await hear(deps, fact_message(CASE_OVERDUE, fact))
        city = issuer.headers("notify.read", role="officer")
        (told,) = (await http.get("/v1/inbox/officer", headers=city)).json()["items"]
        assert "（举报）" in told["text"]
        for role, division in (("officer", VILLAGE[:6]), ("village", VILLAGE)):
            near = issuer.headers("notify.read", role=role, divisions=[division])
            assert (await http.get(f"/v1/inbox/{role}", headers=near)).json()["items"] == []

    async def test_a_late_task_is_told_to_who_had_it_and_to_his_village(self, http, deps, issuer):
        fact = TaskOverdue(
            task_id=UUID(int=9), subject=subject(1), reason=TaskReason.UNMATCHED, stage=TaskStage.LEADER,
            division=VILLAGE, worker_id="w1", deadline_on=date(2023, 10, 30), overdue_at=MORNING,
        )  # fmt: skip
        await hear(deps, fact_message(TASK_OVERDUE, fact))
        member = issuer.headers("notify.read", role="grid_worker", user="w1")
        leader = issuer.headers("notify.read", role="village", divisions=[VILLAGE])
        elsewhere = issuer.headers("notify.read", role="village", divisions=["341621"])
        lost = issuer.headers("notify.read", role="village")
        (mine,) = (await http.get("/v1/inbox/grid_worker", headers=member)).json()["items"]
        assert "已转给网格长督办" in mine["text"]
        assert len((await http.get("/v1/inbox/village", headers=leader)).json()["items"]) == 1
        assert (await http.get("/v1/inbox/village", headers=elsewhere)).json()["items"] == []
        assert (await http.get("/v1/inbox/village", headers=lost)).status_code == 403

    async def test_an_officer_is_told_in_the_morning_what_waits_in_his_programs(self, http, deps, issuer):
        for program in ("old_age_allow", "dibao"):
            fact = WorkWaiting(
                program=program, day=date(2023, 11, 1), earliest_on=date(2023, 11, 3),
                counts={"decide": 2, "confirm": 1, "answer_objection": 3, "answer_review": 1, "resume": 4},
            )  # fmt: skip
            for _ in range(2):
                await hear(deps, fact_message(WORK_WAITING, fact))
        for divisions in ([], [VILLAGE]):
            headers = issuer.headers(
                "notify.read", role="officer", user="o-1", programs=["old_age_allow"], divisions=divisions
            )
            (item,) = (await http.get("/v1/inbox/officer", headers=headers)).json()["items"]
            assert item["text"] == (
                "2023年11月1日，高龄津贴的待办：待决定2项，待另一人复核1项，告知渠道不足0项，异议待答复4项，其他4项。"
                "最早的一项请2023年11月3日前办理。详情在工作台。"
            )
        everything = issuer.headers("notify.read", role="officer", user="o-2")
        assert len((await http.get("/v1/inbox/officer", headers=everything)).json()["items"]) == 2

    async def test_reports_corrections_and_silence_reach_their_offices(self, http, deps, issuer):
        report = ReportLocked(
            division=VILLAGE, month="2023-10", zero=True, suspected=0, confirmed=[], signed_by="v", locked_at=MORNING
        )
        await hear(deps, fact_message(REPORT_LOCKED, report))
        asked = CorrectionChanged(
            correction_id=UUID(int=5), request_id=UUID(int=5), source="police_hukou_cancel", department="police", status=CorrectionStatus.OPEN,
            reason="false_death", asked_by="case", evidence_ids=[1, 2], subject=subject(1), due_on=date(2023, 11, 10),
            changed_at=MORNING,
        )  # fmt: skip
        await hear(deps, fact_message(CORRECTION_CHANGED, asked))
        await hear(
            deps, fact_message(CORRECTION_CHANGED, asked.model_copy(update={"status": CorrectionStatus.ACCEPTED}))
        )
        silent = DeliveryMissed(
            source="medins_inpatient", department="medins", last_received_at=None, expected_by=MORNING
        )
        await hear(deps, fact_message(DELIVERY_MISSED, silent))
        officer = issuer.headers("notify.read", role="officer")
        texts = [item["text"] for item in (await http.get("/v1/inbox/officer", headers=officer)).json()["items"]]
        assert any("2023年10月的村月报已归档（零报告）" in text for text in texts)
        assert any("提供部门的答复是：数据有误，已更正" in text for text in texts)
        police = issuer.headers("notify.read", role="department", department="police")
        (item,) = (await http.get("/v1/inbox/department", headers=police)).json()["items"]
        assert "原因：死亡登记有误。请在2023年11月10日前核对答复" in item["text"]
        medins = issuer.headers("notify.read", role="department", department="medins")
        (item,) = (await http.get("/v1/inbox/department", headers=medins)).json()["items"]
        assert "上一次收到是日期不详" in item["text"]

    async def test_what_somebody_wrote_of_a_record_is_read_where_it_is_answered(self, http, deps, database, issuer):
        asked = CorrectionChanged(
            correction_id=UUID(int=5), request_id=UUID(int=5), source="health_inpatient_emr", department="health",
            status=CorrectionStatus.OPEN, reason="欧阳建国的父亲未住院", asked_by="p-1", evidence_ids=[1],
            subject=subject(1), due_on=date(2023, 11, 10), changed_at=MORNING,
        )  # fmt: skip
        await hear(deps, fact_message(CORRECTION_CHANGED, asked))  # as the version before says it
        health = issuer.headers("notify.read", role="department", department="health")
        (item,) = (await http.get("/v1/inbox/department", headers=health)).json()["items"]
        assert "原因：见申请。" in item["text"]
        assert await plain(database, METADATA, "欧阳建国") == []
