"""The HTTP side: who may see what, previews, notices on request, receipts."""

from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import uuid4

import orjson
import pytest

from services.notify.domain.signing import sign
from shared.contracts.events import (
    BATCH_COMPLETED,
    CERTIFICATES_ISSUED,
    CONTACTS_CHANGED,
    SUSPICION_RAISED,
    BatchCompleted,
)
from shared.kit.clock import wall
from tests.services.notify.world import (
    MORNING,
    RECEIPT_SECRET,
    TODAY,
    YEAR,
    certificates,
    certify,
    contacts,
    deliveries,
    drain,
    fact_message,
    hear,
    rows_of,
    sms_settings,
    subject,
    suspicions,
    table_message,
)

pytestmark = pytest.mark.db


@pytest.fixture
def reader(issuer):
    return issuer.headers("notify.read")


@pytest.fixture
def manager(issuer):
    return issuer.headers("notify.manage")


class TestSearch:
    async def test_a_persons_messages_come_with_their_log_and_the_look_is_kept(self, http, deps, database, reader):
        await hear(deps, table_message(CONTACTS_CHANGED, contacts([(subject(1), "phone")])))
        await hear(deps, table_message(CERTIFICATES_ISSUED, certificates([(subject(1), uuid4(), YEAR, None)])))
        answer = await http.post("/v1/messages:search", json={"subject": str(subject(1))}, headers=reader)
        assert answer.status_code == 200
        (item,) = answer.json()["items"]
        assert item["text"].startswith("您已通过健在认证，有效期至2024年10月31日，")
        assert (item["status"], item["template"], item["legal"]) == ("delivered", "certified", False)
        assert [(each["channel"], each["digest"]) for each in item["deliveries"]] == [("sms", None)]
        (look,) = await rows_of(database, "SELECT subject, found, client_id FROM look")
        assert look == {"subject": subject(1), "found": 1, "client_id": "test-client"}

    async def test_the_log_tells_what_it_cost_and_proves_the_words_that_were_handed_over(
        self, http, deps, reader, sandbox
    ):
        await certify(deps, subject(1))
        await drain(deps)
        answer = await http.post("/v1/messages:search", json={"subject": str(subject(1))}, headers=reader)
        ((delivery,),) = [item["deliveries"] for item in answer.json()["items"]]
        (sent,) = sandbox.state.keep.list_sms(to=None, limit=9)
        words = sent["text"].removeprefix("【亳州人社】")
        assert delivery["digest"] == sha256(f"\0{words}".encode()).hexdigest()
        assert (delivery["parts"], delivery["cost_fen"]) == (1, 4.5)

    async def test_pages_follow_each_other_and_a_cursor_is_its_questions_own(self, http, deps, clock, reader):
        for number in range(5):
            row = (subject(1), uuid4(), YEAR + timedelta(days=number), None)
            issued_on = (TODAY + timedelta(days=number)).isoformat()
            await hear(deps, table_message(CERTIFICATES_ISSUED, certificates([row]), issued_on=issued_on))
            clock.move(timedelta(minutes=1))
        seen, cursor = [], None
        while True:
            body = {"subject": str(subject(1)), "limit": 2} | ({"cursor": cursor} if cursor else {})
            page = (await http.post("/v1/messages:search", json=body, headers=reader)).json()
            seen += [item["id"] for item in page["items"]]
            if not (following := page["next_cursor"]):
                break
            cursor = following
        assert len(seen) == len(set(seen)) == 5
        other = await http.post(
            "/v1/messages:search", json={"subject": str(subject(2)), "cursor": cursor}, headers=reader
        )
        assert (other.status_code, other.json()["code"]) == (400, "cursor_not_valid")

    @pytest.mark.parametrize(
        "body",
        [{}, {"subject": "x"}, {"subject": str(subject(1)), "name": "张三"}, {"subject": str(subject(1)), "limit": 0}],
    )
    async def test_a_malformed_question_is_told_without_its_values(self, http, reader, body):
        answer = await http.post("/v1/messages:search", json=body, headers=reader)
        assert answer.status_code == 422
        assert "张三" not in answer.text

    async def test_it_needs_the_scope(self, http, manager):
        body = {"subject": str(subject(1))}
        assert (await http.post("/v1/messages:search", json=body)).status_code == 401
        assert (await http.post("/v1/messages:search", json=body, headers=manager)).status_code == 403


class TestInboxes:
    async def test_an_officer_sees_what_happens_in_his_divisions_and_each_look_is_kept(
        self, http, deps, database, issuer
    ):
        for number, division in ((1, "341602001001"), (2, "341621001001")):
            await hear(deps, table_message(CONTACTS_CHANGED, contacts([(subject(number), "phone")], division)))
            rows = [(subject(number), uuid4(), "suspected_death", 1)]
            await hear(deps, table_message(SUSPICION_RAISED, suspicions(rows)))
        local = issuer.headers("notify.read", role="officer", divisions=["341602"])
        items = (await http.get("/v1/inbox/officer", headers=local)).json()["items"]
        assert [item["subject"] for item in items] == [str(subject(1))]
        assert "疑似死亡" in items[0]["text"]
        everywhere = issuer.headers("notify.read", role="officer", user="o-2")
        assert len((await http.get("/v1/inbox/officer", headers=everywhere)).json()["items"]) == 2
        looks = await rows_of(database, "SELECT subject, who, found FROM look ORDER BY id")
        assert looks[0]["subject"] == subject(1)
        assert {row["subject"] for row in looks[1:]} == {subject(1), subject(2)}
        assert [(row["who"], row["found"]) for row in looks[1:]] == [("o-2", 1)] * 2

    async def test_a_department_sees_its_own_batches_only(self, http, deps, issuer):
        for department in ("medins", "police"):
            fact = BatchCompleted(
                batch_id=uuid4(), batch_no=7, source="s", department=department, sha256="0" * 64, rows=10, accepted=9,
                duplicate=0, out_of_window=0, quarantined=1, quarantine_reasons={"future_date": 1}, received_at=MORNING,
            )  # fmt: skip
            await hear(deps, fact_message(BATCH_COMPLETED, fact))
        own = issuer.headers("notify.read", role="department", department="medins")
        items = (await http.get("/v1/inbox/department", headers=own)).json()["items"]
        assert [item["recipient"] for item in items] == ["medins"]
        assert "日期在未来" in items[0]["text"]
        nobody = issuer.headers("notify.read", role="department")
        assert (await http.get("/v1/inbox/department", headers=nobody)).status_code == 403
        assert (await http.get("/v1/inbox/citizen", headers=own)).status_code == 422


NOTICE: dict[str, Any] = {
    "template": "stop_notice",
    "subject": str(subject(1)),
    "key": "proposal-0001",
    "variables": {
        "program": "高龄津贴", "reason": "认证到期", "stop_on": "2024-01-01", "answer_by": "2023-12-15",
    },
}  # fmt: skip


class TestOnRequest:
    async def test_a_legal_notice_is_written_once_under_its_key(self, http, deps, database, manager):
        await hear(deps, table_message(CONTACTS_CHANGED, contacts([(subject(1), "phone")])))
        first, again = [await http.post("/v1/messages", json=NOTICE, headers=manager) for _ in range(2)]
        assert (first.status_code, first.json()["fresh"], again.json()["fresh"]) == (202, True, False)
        assert first.json()["id"] == again.json()["id"]
        (delivery,) = await deliveries(database)
        assert (delivery["lane"], delivery["status"], delivery["due_at"]) == (0, "queued", MORNING)

    @pytest.mark.parametrize(
        ("change", "status", "code"),
        [
            ({"template": "nothing"}, 404, "unknown_template"),
            ({"template": "certified"}, 409, "not_on_request"),
            ({"variables": {"program": "高龄津贴"}}, 422, "malformed"),
            ({"variables": {**NOTICE["variables"], "reason": "张三341602199001011234"}}, 422, "malformed"),
            ({"variables": {**NOTICE["variables"], "reason": "点击 www.x.cn 核实"}}, 422, "malformed"),
            ({"key": "short"}, 422, "malformed"),
        ],
    )
    async def test_what_does_not_fit_is_refused_without_an_echo(self, http, manager, change, status, code):
        answer = await http.post("/v1/messages", json={**NOTICE, **change}, headers=manager)
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert "341602" not in answer.text

    async def test_reading_rights_do_not_allow_writing(self, http, reader):
        assert (await http.post("/v1/messages", json=NOTICE, headers=reader)).status_code == 403


class TestTexts:
    async def test_templates_and_channels_are_listed(self, http, reader):
        templates = (await http.get("/v1/templates", headers=reader)).json()["items"]
        assert "certified" in {each["code"] for each in templates}
        channels = {each["code"]: each for each in (await http.get("/v1/channels", headers=reader)).json()["items"]}
        assert channels["sms"]["on"]
        assert channels["inbox"]["on"]

    async def test_a_preview_shows_every_wording(self, http, reader):
        body = {"variables": {"valid_until": "2024-10-31", "programs": 3}}
        items = (await http.post("/v1/templates/certified:preview", json=body, headers=reader)).json()["items"]
        shown = {each["channel"]: each for each in items}
        assert set(shown) >= {"inbox", "sms", "sms:family"}
        assert "2024年10月31日" in shown["sms"]["text"]
        assert shown["sms"]["parts"] == 1
        assert (await http.post("/v1/templates/certified:preview", json={}, headers=reader)).status_code == 200
        wrong = await http.post(
            "/v1/templates/certified:preview", json={"variables": {"programs": "x"}}, headers=reader
        )
        assert wrong.status_code == 422
        assert {each["pointer"] for each in wrong.json()["errors"]} == {
            "/body/variables/programs", "/body/variables/valid_until",
        }  # fmt: skip
        body = {"variables": {"programs": ["old_age_allow"], "reason": "death", "deadline": "2023-12-01"}}
        items = (await http.post("/v1/templates/notice_suspended:preview", json=body, headers=reader)).json()["items"]
        assert any("您的高龄津贴已暂停发放，原因：登记信息显示已去世" in item["text"] for item in items)
        items = (await http.post("/v1/templates/notice_suspended:preview", json={}, headers=reader)).json()["items"]
        assert max(len(item["text"]) for item in items) < 400
        missing = await http.post("/v1/templates/certified:preview", json={"version": 9}, headers=reader)
        assert missing.status_code == 404


class TestReceipts:
    async def test_a_signed_receipt_is_taken_and_another_is_not(self, http, deps, database):
        await hear(deps, table_message(CONTACTS_CHANGED, contacts([(subject(1), "phone")])))
        await hear(deps, table_message(CERTIFICATES_ISSUED, certificates([(subject(1), uuid4(), YEAR, None)])))
        async with database.write() as tx:
            await tx.run("UPDATE delivery SET status = 'handed'")
        (delivery,) = await deliveries(database)
        told = {"id": str(delivery["message_id"]), "status": "delivered", "at": "2023-11-01T09:00:00+08:00"}
        body = orjson.dumps({"receipts": [told, {**told, "status": "unheard_of"}]})
        headers = sign([RECEIPT_SECRET], message_id="m1", timestamp=int(wall()), body=body)
        answer = await http.post("/v1/receipts/sms", content=body, headers=headers)
        assert (answer.status_code, answer.json()) == (200, {"taken": 1, "new": 1})
        assert (await http.post("/v1/receipts/sms", content=body + b" ", headers=headers)).status_code == 401
        assert (await http.post("/v1/receipts/sms", content=body)).status_code == 401
        assert (await http.post("/v1/receipts/inbox", content=body, headers=headers)).status_code == 404
        assert (await deliveries(database))[0]["status"] == "delivered"

    async def test_without_a_secret_nobody_is_believed(self, http, deps):
        body = b'{"receipts": []}'
        headers = sign([RECEIPT_SECRET], message_id="m1", timestamp=int(wall()), body=body)
        deps.channels["sms"] = type(deps.channels["sms"])(
            channel=deps.channels["sms"].channel, settings=sms_settings(receipt_secret=""), off=None
        )
        assert (await http.post("/v1/receipts/sms", content=body, headers=headers)).status_code == 401


class TestPreferences:
    async def test_information_can_be_opted_out_of_and_legal_notices_not(self, http, deps, database, manager, reader):
        who = {"subject": str(subject(1))}
        before = (await http.post("/v1/preferences:search", json=who, headers=reader)).json()
        assert before == {**who, "information": True, "large_print": False, "language": "zh-CN", "changed_at": None}
        await hear(deps, table_message(CONTACTS_CHANGED, contacts([(subject(1), "phone")])))
        await hear(deps, table_message(CERTIFICATES_ISSUED, certificates([(subject(1), uuid4(), YEAR, None)])))
        asked = await http.post("/v1/preferences", json={**who, "information": False}, headers=manager)
        assert asked.status_code == 200
        assert [(row["status"], row["reason"]) for row in await deliveries(database)] == [("refused", "opted_out")]
        later = (subject(1), uuid4(), YEAR + timedelta(days=31), YEAR)
        tomorrow = (TODAY + timedelta(days=1)).isoformat()
        await hear(deps, table_message(CERTIFICATES_ISSUED, certificates([later]), issued_on=tomorrow))
        await http.post("/v1/messages", json=NOTICE, headers=manager)
        found = await rows_of(
            database,
            "SELECT m.template, m.in_inbox, d.status FROM message m LEFT JOIN delivery d ON m.id = d.message_id",
        )
        assert sorted((row["template"], row["in_inbox"], row["status"]) for row in found if row["status"]) == [
            ("certified", True, "refused"), ("stop_notice", True, "queued"),
        ]  # fmt: skip
        assert len(found) == 3
        after = (await http.post("/v1/preferences:search", json=who, headers=reader)).json()
        assert not after["information"]
        assert (await http.post("/v1/preferences", json=who, headers=reader)).status_code == 403


async def test_figures_count_messages_deliveries_and_refusals(http, deps, issuer):
    people = [subject(number) for number in range(1, 4)]
    await hear(deps, table_message(CONTACTS_CHANGED, contacts([(who, "phone") for who in people])))
    await hear(deps, table_message(SUSPICION_RAISED, suspicions([(people[0], uuid4(), "suspected_death", 1)])))
    rows = [(who, uuid4(), YEAR, None) for who in people]
    await hear(deps, table_message(CERTIFICATES_ISSUED, certificates(rows)))
    found = (await http.get("/v1/figures", headers=issuer.headers("operate"))).json()
    assert found["contacts"] == 3
    assert found["messages"] == {"certified": 3, "suspicion_opened": 1}
    assert found["deliveries"]["inbox"] == 3
    assert found["states"] == {"sms.queued": 2}
    assert (found["failed"], found["refused_dead"]) == (0, 1)
