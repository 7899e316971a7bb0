"""Push, e-mail, letter, loudspeaker: each way to people, and what a village does with what it is given."""

from dataclasses import replace
from datetime import date, timedelta
from email import message_from_bytes, policy
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from deploy.sandbox.app import SandboxOptions, create_app
from deploy.sandbox.mail import MailServer
from services.notify import templates as template_files
from services.notify.app import SERVICE
from services.notify.channels import ReadyChannel
from services.notify.channels import discover as discover_channels
from services.notify.channels.email import EmailSettings
from services.notify.channels.letter import Letter, LetterSettings, render
from services.notify.channels.push import PushSettings
from services.notify.domain.template import fill, read_values, sample_values
from services.notify.domain.words import SAMPLE_LABELS
from services.notify.jobs import Sender
from services.notify.settings import NotifySettings
from services.notify.usecases import villages
from services.notify.usecases.deps import Deps, ways_of
from shared.contracts.events import (
    BATCH_COMPLETED,
    CERTIFICATES_ISSUED,
    CERTIFICATIONS_DUE,
    CONTACTS_CHANGED,
    SUSPICION_RAISED,
    BatchCompleted,
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
from shared.contracts.vocabulary import CaseParty, CorrectionStatus, SuspicionKind, TaskReason, TaskStage
from shared.kit.app import create_app as create_service
from shared.kit.clock import FixedClock
from tests.services.notify.test_hearing import YEAR, deliveries, hear
from tests.services.notify.world import (
    MORNING,
    TODAY,
    certificates,
    contacts,
    drain,
    due,
    fact_message,
    make_deps,
    notice,
    rows_of,
    sms_settings,
    subject,
    suspicions,
    table_message,
)
from tests.support.settings import settings_for

VILLAGE = "341602001001"


@pytest.fixture
async def database(database_for):
    return await database_for("notify")


@pytest.fixture
def clock():
    return FixedClock(MORNING)


@pytest.fixture
async def sandbox():
    app = create_app(SandboxOptions())
    yield app
    await app.state.callbacks.close()
    app.state.keep.close()


@pytest.fixture
async def deps(database, clock, sandbox):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(sandbox)) as client:
        yield make_deps(database, clock=clock, client=client, sms=sms_settings())


def switched_on(deps: Deps, code: str, settings: Any, client: httpx.AsyncClient | None = None) -> Deps:
    """The same with one more channel that sends."""
    channel = deps.channels[code].channel
    assert channel.open is not None
    channels = {**deps.channels, code: ReadyChannel(channel=channel, settings=settings, off=None)}
    opened = channel.open(settings, client or httpx.AsyncClient())
    return replace(deps, channels=channels, ways=ways_of(channels), senders={**deps.senders, code: opened})


@pytest.fixture
async def http(deps, database, issuer):
    app = create_service(SERVICE, settings_for(NotifySettings))
    app.state.platform = SimpleNamespace(guard=issuer.guard(), database=database)
    app.state.deps = replace(deps, test_recipients=frozenset({"13900000000"}))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://notify") as client:
        yield client


async def certified(deps: Deps, *people: UUID) -> None:
    await hear(deps, table_message(CONTACTS_CHANGED, contacts([(who, "phone") for who in people])))
    rows = [(who, uuid4(), YEAR, None) for who in people]
    await hear(deps, table_message(CERTIFICATES_ISSUED, certificates(rows)))


@pytest.mark.db
class TestPush:
    @pytest.fixture
    async def deps(self, database, clock, sandbox):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(sandbox)) as client:
            made = make_deps(database, clock=clock, client=client, sms=sms_settings())
            yield switched_on(made, "push", PushSettings(url="http://sandbox/push"), client)

    async def test_who_has_the_app_is_told_there_and_nobody_is_disturbed_twice(self, deps, sandbox):
        sandbox.state.phones.without_app = {str(subject(2))}
        await certified(deps, subject(1), subject(2))
        for channel in ("push", "sms"):
            await drain(deps, channel)
        (shown,) = sandbox.state.phones.shown.values()
        assert (shown.account, shown.title) == (str(subject(1)), "您的待遇资格已认证")
        assert "张" not in shown.text
        assert [each["to"] for each in sandbox.state.keep.list_sms(to=None, limit=9)] == ["13900000002"]

    async def test_a_message_for_an_officer_never_reaches_the_person_it_is_about(self, deps, database):
        await hear(deps, table_message(SUSPICION_RAISED, suspicions([(subject(1), uuid4(), "suspected_death", 1)])))
        assert await deliveries(database) == []

    async def test_a_legal_notice_goes_by_all_of_them(self, deps, database):
        await hear(deps, table_message(CONTACTS_CHANGED, contacts([(subject(1), "phone")])))
        await hear(deps, notice(1, subject(1)))
        assert [row["channel"] for row in await deliveries(database)] == ["letter", "push", "sms"]


def rejected(number: int = 7) -> BatchCompleted:
    return BatchCompleted(
        batch_id=UUID(int=number), batch_no=number, source="medins_inpatient", department="medins", sha256="0" * 64,
        rows=10, accepted=9, duplicate=0, out_of_window=0, quarantined=1, quarantine_reasons={"future_date": 1},
        received_at=MORNING,
    )  # fmt: skip


@pytest.mark.db
class TestEmail:
    @pytest.fixture
    async def mails(self):
        server = MailServer()
        listening = await server.start()
        async with listening:
            yield server, listening.sockets[0].getsockname()[1]

    def ready(self, deps: Deps, port: int, **values: Any) -> Deps:
        settings = EmailSettings(
            **{
                "host": "127.0.0.1",
                "port": port,
                "security": "none",
                "addresses": {"medins": "medins@office.test"},
                **values,
            }
        )
        return switched_on(deps, "email", settings)

    async def test_a_department_gets_a_mail_once(self, deps, database, mails):
        server, port = mails
        made = self.ready(deps, port)
        for _ in range(2):
            await hear(made, fact_message(BATCH_COMPLETED, rejected()))
            await drain(made, "email")
        ((to, raw),) = server.kept
        mail = message_from_bytes(raw, policy=policy.default)
        assert (to, mail["Subject"]) == ("medins@office.test", "第7批有1行未采用")
        assert "日期在未来" in mail.get_content()
        assert mail["Auto-Submitted"] == "auto-generated"
        assert [row["status"] for row in await deliveries(database)] == ["handed"]

    @pytest.mark.parametrize(
        ("refusal", "status", "tries"), [("550 no such mailbox", "failed", 1), ("451 later", "queued", 2)]
    )
    async def test_a_refused_mail_fails_or_is_tried_again(self, deps, database, mails, refusal, status, tries):
        server, port = mails
        server.refusals["medins@office.test"] = refusal
        made = self.ready(deps, port)
        await hear(made, fact_message(BATCH_COMPLETED, rejected()))
        await drain(made, "email")
        rows = await deliveries(database)
        assert (rows[-1]["status"], len(rows)) == (status, tries)
        assert rows[0]["reason"] == f"smtp_{refusal[:3]}"

    async def test_a_connection_that_breaks_loses_and_doubles_nothing(self, deps, database, clock, mails):
        server, port = mails
        server.drops_after = 1
        made = self.ready(deps, port)
        for number in range(1, 4):
            await hear(made, fact_message(BATCH_COMPLETED, rejected(number)))
        for _ in range(4):
            await drain(made, "email")
            clock.move(timedelta(minutes=3))
        assert sorted(message_from_bytes(raw)["Message-ID"] for _, raw in server.kept) == sorted(
            f"<{row['id']}@example.invalid>" for row in await rows_of(database, "SELECT id FROM message")
        )

    async def test_a_server_that_is_away_and_an_unknown_office(self, deps, database):
        made = self.ready(deps, 1)
        await hear(made, fact_message(BATCH_COMPLETED, rejected()))
        await drain(made, "email")
        unknown = self.ready(deps, 1, addresses={})
        await hear(unknown, fact_message(BATCH_COMPLETED, rejected(8)))
        await drain(unknown, "email")
        reasons = {row["reason"] for row in await deliveries(database)} - {None}
        assert reasons == {"smtpconnecterror", "nobody_to_send_to"}


@pytest.mark.db
class TestVillage:
    @pytest.fixture
    def village(self, issuer):
        return issuer.headers("notify.village", role="village", divisions=[VILLAGE])

    async def test_letters_are_printed_confirmed_and_each_look_is_kept(self, http, deps, database, village):
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
                {"id": ids[0], "delivered": True},
                {"id": ids[1], "delivered": False},
                {"id": str(uuid4()), "delivered": True},
            ]
        }
        path = f"/v1/villages/{VILLAGE}/letters:confirm"
        assert (await http.post(path, json=told, headers=village)).json() == {"taken": 2, "new": 2}
        assert (await http.post(path, json=told, headers=village)).json() == {"taken": 2, "new": 0}
        assert [(row["status"], row["reason"]) for row in await deliveries(database) if row["channel"] == "letter"] == [
            ("delivered", None), ("failed", "not_met"),
        ]  # fmt: skip

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
        caller = SimpleNamespace(client_id="v", user="v", may_division=lambda _: True)
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
                values = read_values(version, sample_values(version), SAMPLE_LABELS)
                letters += [
                    Letter(to="欧阳建国的家属", title=fill(said.title, values), text=fill(words, values),
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
        assert "请在2023年11月10日前核对答复" in item["text"]
        medins = issuer.headers("notify.read", role="department", department="medins")
        (item,) = (await http.get("/v1/inbox/department", headers=medins)).json()["items"]
        assert "上一次收到是日期不详" in item["text"]


@pytest.mark.db
class TestSamples:
    async def test_a_sample_goes_to_a_test_recipient_only(self, http, deps, sandbox, issuer):
        manager = issuer.headers("notify.manage")
        body = {"channel": "sms", "to": "13900000000"}
        sent = await http.post("/v1/templates/certified:test", json=body, headers=manager)
        assert sent.json() == {"outcome": "handed", "provider": "gateway_1", "reason": ""}
        assert "欧阳建国" in sandbox.state.keep.list_sms(to="13900000000", limit=1)[0]["text"]
        for change, status in (({"to": "13911111111"}, 403), ({"channel": "email"}, 409), ({"channel": "letter"}, 404)):
            answer = await http.post("/v1/templates/certified:test", json={**body, **change}, headers=manager)
            assert answer.status_code == status, change
        reader = issuer.headers("notify.read")
        assert (await http.post("/v1/templates/certified:test", json=body, headers=reader)).status_code == 403


@pytest.mark.db
async def test_a_providers_rate_holds_the_bulk_and_lets_legal_notices_pass(database, clock, sandbox):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(sandbox)) as client:
        deps = make_deps(database, clock=clock, client=client, sms=sms_settings(per_second=0.001))
        await certified(deps, subject(1))
        sender = Sender(deps, "sms")
        await sender.drain()
        await certified(deps, subject(2))
        await hear(deps, notice(1, subject(2)))
        await sender.drain()
    sent = sandbox.state.keep.list_sms(to=None, limit=9)
    assert sorted(("拟暂停" in each["text"], each["to"]) for each in sent) == [
        (False, "13900000001"), (True, "13900000002"),
    ]  # fmt: skip


@pytest.mark.db
async def test_the_cost_of_what_was_sent_is_counted(http, deps, issuer):
    await certified(deps, subject(1), subject(2))
    await drain(deps)
    found = (await http.get("/v1/figures", headers=issuer.headers("operate"))).json()
    assert (found["parts"]["sms"], found["cost_fen"]["sms"]) == (2, 9)
