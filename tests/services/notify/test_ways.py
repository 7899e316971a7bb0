"""Push, e-mail, letter, loudspeaker: each way to people, and what a village does with what it is given."""

from datetime import timedelta
from email import message_from_bytes, policy
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from deploy.sandbox.mail import MailServer
from services.notify.channels.email import EmailSettings
from services.notify.channels.push import PushSettings
from services.notify.jobs import Sender
from services.notify.usecases.deps import Deps
from shared.contracts.events import (
    BATCH_COMPLETED,
    CONTACTS_CHANGED,
    SUSPICION_RAISED,
    BatchCompleted,
)
from tests.services.notify.world import (
    MORNING,
    certify,
    contacts,
    deliveries,
    drain,
    fact_message,
    hear,
    make_deps,
    notice,
    rows_of,
    sms_settings,
    subject,
    suspicions,
    switched_on,
    table_message,
)

VILLAGE = "341602001001"


@pytest.mark.db
class TestPush:
    @pytest.fixture
    async def deps(self, database, clock, sandbox):
        async with httpx.AsyncClient(transport=httpx.ASGITransport(sandbox)) as client:
            made = make_deps(database, clock=clock, client=client, sms=sms_settings())
            yield switched_on(made, "push", PushSettings(url="http://sandbox/push"), client)

    async def test_who_has_the_app_is_told_there_and_nobody_is_disturbed_twice(self, deps, sandbox):
        sandbox.state.phones.without_app = {str(subject(2))}
        await certify(deps, subject(1), subject(2))
        for channel in ("push", "sms"):
            await drain(deps, channel)
        (shown,) = sandbox.state.phones.shown.values()
        assert (shown.account, shown.title) == (str(subject(1)), "您已通过健在认证")
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
class TestSamples:
    async def test_a_sample_goes_to_a_test_recipient_only(self, http, deps, sandbox, issuer):
        manager = issuer.headers("notify.manage")
        body = {"channel": "sms", "to": "13900000000"}
        sent = await http.post("/v1/templates/certified:test", json=body, headers=manager)
        assert sent.json() == {"outcome": "handed", "provider": "gateway_1", "reason": ""}
        assert "欧阳建国" in sandbox.state.keep.list_sms(to="13900000000", limit=1)[0]["text"]
        refused = (
            ({"to": "13911111111"}, 403), ({"channel": "email"}, 409), ({"channel": "loudspeaker"}, 404),
            ({"channel": "letter"}, 409),
        )  # fmt: skip
        for change, status in refused:
            answer = await http.post("/v1/templates/certified:test", json={**body, **change}, headers=manager)
            assert answer.status_code == status, change
        reader = issuer.headers("notify.read")
        assert (await http.post("/v1/templates/certified:test", json=body, headers=reader)).status_code == 403


@pytest.mark.db
async def test_a_providers_rate_holds_the_bulk_and_lets_legal_notices_pass(database, clock, sandbox):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(sandbox)) as client:
        deps = make_deps(database, clock=clock, client=client, sms=sms_settings(per_second=0.001))
        await certify(deps, subject(1))
        sender = Sender(deps, "sms")
        await sender.drain()
        await certify(deps, subject(2))
        await hear(deps, notice(1, subject(2)))
        await sender.drain()
    sent = sandbox.state.keep.list_sms(to=None, limit=9)
    assert sorted(("拟暂停" in each["text"], each["to"]) for each in sent) == [
        (False, "13900000001"), (True, "13900000002"),
    ]  # fmt: skip


@pytest.mark.db
async def test_a_providers_rate_is_kept_within_each_batch_too(database, clock, client, sandbox):
    deps = make_deps(database, clock=clock, client=client, sms=sms_settings(per_second=20))
    await certify(deps, *(subject(number) for number in range(1, 61)))
    await Sender(deps, "sms").drain()
    assert sandbox.state.keep.count_sms()["messages"] == 20


@pytest.mark.db
async def test_the_cost_of_what_was_sent_is_counted(http, deps, issuer):
    await certify(deps, subject(1), subject(2))
    await drain(deps)
    found = (await http.get("/v1/figures", headers=issuer.headers("operate"))).json()
    assert (found["parts"]["sms"], found["cost_fen"]["sms"]) == (2, 9)
