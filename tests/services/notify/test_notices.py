"""Legal notices: told by two channels at least, proof kept, never to somebody recorded as dead."""

from datetime import timedelta
from importlib import import_module
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest

from services.notify import templates as template_files
from services.notify.channels import discover as discover_channels
from services.notify.domain import facts
from services.notify.domain.delivery import Result
from services.notify.domain.template import LEGAL_LANE, fill, read_values, wrong_variables
from services.notify.domain.words import ENDINGS, KINDS, contact_values
from services.notify.usecases import send
from services.recognition.domain.programs import EndingEvent
from shared.contracts.events import CONTACTS_CHANGED, MESSAGE_DELIVERED, SUSPICION_RAISED
from shared.contracts.events.notify import MESSAGE_FAILED
from shared.contracts.events.recognition import NoticeGiven
from shared.contracts.vocabulary import NoticeKind
from tests.services.notify.world import (
    MORNING,
    behave,
    contacts,
    deliveries,
    drain,
    hear,
    notice,
    receipt,
    rows_of,
    said,
    sealed,
    subject,
    suspicions,
    table_message,
)

NOTICE = UUID(int=77)
_KNOWN = (
    "SELECT m.id, m.given_up, d.channel, d.status = 'merged' AS merged FROM message m"
    " LEFT JOIN delivery d ON d.message_id = m.id ORDER BY 1, 3"
)
LABELS = {"dibao": "最低生活保障", "old_age_allow": "高龄津贴"}


async def death(deps, who: UUID) -> None:
    await hear(deps, table_message(SUSPICION_RAISED, suspicions([(who, uuid4(), "suspected_death", 1)])))


@pytest.mark.db
class TestProof:
    async def test_a_notice_goes_out_by_every_channel_and_says_what_it_is_about(self, deps, database, sandbox):
        await hear(deps, table_message(CONTACTS_CHANGED, contacts([(subject(1), "phone")])))
        for _ in range(2):
            await hear(deps, notice(77, subject(1)))
        await drain(deps)
        await drain(deps, "letter")
        assert [(row["channel"], row["status"]) for row in await deliveries(database)] == [
            ("letter", "handed"), ("sms", "handed"),
        ]  # fmt: skip
        (sent,) = sandbox.state.keep.list_sms(to=None, limit=9)
        assert sent["text"] == (
            "【亳州人社】张建国您好！您的高龄津贴拟暂停发放，原因：登记信息显示已去世。如情况不符，请2023年12月1日前致电12333，"
            "可上门核实，不用开证明。"
        )
        (message,) = await rows_of(database, "SELECT id, about, lane FROM message")
        assert (message["about"], message["lane"]) == (NOTICE, LEGAL_LANE)
        async with database.write() as tx:
            await send.take_receipts(tx, deps, "sms", [receipt(message["id"])])
        told = await said(database, MESSAGE_DELIVERED)
        assert [(row["channel"], row["about"]) for row in told] == [("sms", NOTICE.bytes)]

    async def test_a_notice_in_the_inbox_is_told_once_its_person_has_looked_at_it(self, http, deps, database, issuer):
        await hear(deps, table_message(CONTACTS_CHANGED, contacts([(subject(1), "phone")])))
        await hear(deps, notice(77, subject(1)))
        body, seen = {"subject": str(subject(1))}, []
        citizen = issuer.headers("notify.read", role="citizen", user=str(subject(1)))
        for headers in (issuer.headers("notify.read", role="officer"), citizen, citizen):
            (item,) = (await http.post("/v1/messages:search", json=body, headers=headers)).json()["items"]
            told = [(row["channel"], row["about"]) for row in await said(database, MESSAGE_DELIVERED)]
            seen.append((item["status"], item["read_at"] is not None, told))
        read = ("delivered", True, [("inbox", NOTICE.bytes)])
        assert seen == [("open", False, []), read, read]

    @pytest.mark.parametrize(("card", "words"), [("6789", "打入您尾号6789的一卡通"), (None, "打入您一卡通")])
    async def test_a_payment_is_told_with_its_amount_and_the_tail_of_the_card(
        self, http, deps, sandbox, issuer, card, words
    ):
        await hear(deps, table_message(CONTACTS_CHANGED, contacts([(subject(1), "phone")])))
        async with deps.database.write() as tx:
            await tx.run("UPDATE contact SET sealed = $1", sealed(subject(1), card=card))
        await hear(deps, notice(77, subject(1), NoticeKind.ARREARS, reason="certified"))
        await drain(deps)
        (sent,) = sandbox.state.keep.list_sms(to=None, limit=9)
        assert "将补发123.45元" in sent["text"]
        assert words in sent["text"]
        # Whoever only looks sees no card: it is opened to send.
        asked = await http.post(
            "/v1/messages:search", json={"subject": str(subject(1))}, headers=issuer.headers("notify.read")
        )
        assert "6789" not in asked.text

    async def test_an_attempt_that_reached_nobody_is_said_once_with_its_reason(self, deps, database, sandbox):
        behave(sandbox, answer="reject")
        await hear(deps, table_message(CONTACTS_CHANGED, contacts([(subject(1), "phone")])))
        await hear(deps, notice(77, subject(1)))
        await drain(deps)
        await drain(deps)
        (missed,) = await said(database, MESSAGE_FAILED)
        assert (missed["channel"], missed["about"], missed["reason"]) == ("sms", NOTICE.bytes, "rejected")

    @pytest.mark.parametrize(
        ("answer", "attempts"), [("refuse", []), ("busy", []), ("error", ["sms"]), ("reject", ["sms"])]
    )
    async def test_a_gateway_that_never_took_it_has_tried_nothing(
        self, deps, database, clock, sandbox, answer, attempts
    ):
        behave(sandbox, answer=answer)
        await hear(deps, table_message(CONTACTS_CHANGED, contacts([(subject(1), "phone")])))
        await hear(deps, notice(77, subject(1)))
        for _ in range(8):
            await drain(deps)
            clock.move(timedelta(hours=1))
        assert [row["status"] for row in await deliveries(database) if row["channel"] == "sms"][-1] == "failed"
        assert [row["channel"] for row in await said(database, MESSAGE_FAILED)] == attempts

    async def test_where_there_was_nobody_to_send_to_nothing_is_proved(self, deps, database):
        await hear(deps, table_message(CONTACTS_CHANGED, contacts([(subject(1), "phone")])))
        await hear(deps, notice(77, subject(1)))
        async with database.write() as tx:
            await tx.run("UPDATE contact SET sealed = '\\x00'")
        await drain(deps)
        assert ("sms", "failed", "seal_broken") in [
            (row["channel"], row["status"], row["reason"]) for row in await deliveries(database)
        ]
        assert await said(database, MESSAGE_FAILED) == []

    async def test_a_gateway_that_never_answers_ends_as_an_attempt_and_a_letter_nobody_brought_is_none(
        self, deps, database, clock
    ):
        await hear(deps, table_message(CONTACTS_CHANGED, contacts([(subject(1), "phone")])))
        await hear(deps, notice(77, subject(1)))
        await drain(deps)
        await drain(deps, "letter")
        ended = []
        for days in (2, 2, 30):
            clock.move(timedelta(days=days))
            async with database.write() as tx:
                await send.tidy(tx, deps)
            ended.append([row["channel"] for row in await said(database, MESSAGE_FAILED)])
        assert ended == [[], ["sms"], ["sms"]]
        assert {row["reason"] for row in await said(database, MESSAGE_FAILED)} == {"no_receipt"}
        assert "loudspeaker" not in {row["channel"] for row in await deliveries(database)}  # silence is no dead phone
        # It stays on the village's list, until somebody says what became of it.
        assert ("letter", "handed") in [(row["channel"], row["status"]) for row in await deliveries(database)]
        (message,) = await rows_of(database, "SELECT id FROM message")
        for channel, reached in (("sms", True), ("letter", False)):
            async with database.write() as tx:
                told = [receipt(message["id"], delivered=reached)]
                assert await send.take_receipts(tx, deps, channel, told) == 1
        assert [row["channel"] for row in await said(database, MESSAGE_FAILED)] == ["sms", "letter"]

    @pytest.mark.parametrize("why", ["dead", "bounced"])
    async def test_whom_no_phone_reaches_the_village_brings_it_and_calls_out(self, deps, database, why):
        """His own phone is no way to the family of the dead, and a phone that bounces is none: two ways are left."""
        await hear(deps, table_message(CONTACTS_CHANGED, contacts([(subject(1), "phone")])))
        async with database.write() as tx:
            await tx.run("UPDATE contact SET sealed = $1", sealed(subject(1)))
        if why == "dead":
            await death(deps, subject(1))
        await hear(deps, notice(77, subject(1)))
        (message,) = await rows_of(database, "SELECT id FROM message WHERE lane = 0")
        for channel in ("sms", "letter", "loudspeaker"):
            await drain(deps, channel)
            async with database.write() as tx:
                told = [receipt(message["id"], delivered=channel != "sms")]
                await send.take_receipts(tx, deps, channel, told)
        assert {row["channel"] for row in await said(database, MESSAGE_DELIVERED)} == {"letter", "loudspeaker"}

    @pytest.mark.parametrize(
        ("told", "left"),
        [
            ("intended_stop:death withdrawn:not_so", {"withdrawn"}),
            ("intended_stop:death other_stands:not_so", {"other_stands"}),
            ("suspended:overdue resumed:certified", {"resumed"}),
            ("refund:death instalment_due:death not_owed:false_death resumed:false_death", {"not_owed", "resumed"}),
            ("refund:detention not_owed:written_off_in_part", {"refund", "not_owed"}),
            (
                "plan_agreed:death repaid:repaid_in_part instalment_due:death",
                {"plan_agreed", "repaid", "instalment_due"},
            ),
            ("refund:death referred:referred_to_court repaid:repaid_in_full", {"repaid"}),
            ("repaid:repaid_in_full refund:death", {"repaid", "refund"}),  # more was paid since
            ("refund:imprisonment resumed:released", {"refund", "resumed"}),
            # By another decision: what fell with the end above it does, and what is only announced, or came later, not.
            ("suspended:overdue:4 terminated:death resumed:false_death", {"resumed"}),
            (
                "intended_stop:overdue:4 resumed:certified suspended:detention:3",
                {"intended_stop", "resumed", "suspended"},
            ),
        ],
    )
    @pytest.mark.parametrize("turn", [1, -1])
    async def test_what_has_been_given_up_is_not_brought_any_more_whichever_is_heard_first(
        self, deps, database, told, left, turn
    ):
        await hear(deps, table_message(CONTACTS_CHANGED, contacts([(subject(1), "none")])))
        await hear(deps, notice(9, subject(1), NoticeKind.TERMINATED, decision_id=UUID(int=6)))
        for number, (kind, reason, *other) in list(enumerate(each.split(":") for each in told.split()))[::turn]:
            of = UUID(int=int(*other) or 5)
            await hear(deps, notice(number, subject(1), NoticeKind(kind), reason=reason, decision_id=of))
            await drain(deps, "letter")
        still = await rows_of(
            database,
            "SELECT DISTINCT template FROM delivery WHERE status IN ('handed', 'queued', 'waiting') ORDER BY 1",
        )
        assert {row["template"] for row in still} == {f"notice_{each}" for each in {"terminated", *left}}
        # What the version of before had heard is given up by the migration, and nothing else.
        kept = await rows_of(database, _KNOWN)
        async with database.write() as tx:
            await tx.run("UPDATE message SET given_up = false")
            await tx.run("UPDATE delivery SET status = 'queued', ended_at = NULL WHERE status = 'merged'")
            await tx.run(import_module("services.notify.migrations.versions.0013_before").GIVEN_UP)
        assert await rows_of(database, _KNOWN) == kept

    @pytest.mark.parametrize("how", ["under way", "failed", "bounced"])
    async def test_what_has_been_given_up_is_not_tried_again_by_any_way(self, deps, database, clock, sandbox, how):
        decision: dict[str, Any] = {"reason": "death", "decision_id": UUID(int=5)}
        ready, results = send.Ready(outgoing=[], results=[], attempts={}), list[Result]()
        behave(sandbox, answer="accept" if how == "bounced" else "busy")
        await hear(deps, table_message(CONTACTS_CHANGED, contacts([(subject(1), "phone")])))
        await hear(deps, notice(1, subject(1), **decision))
        if how == "under way":
            # Claimed, and not yet answered when it is given up.
            async with database.write() as tx:
                claimed, _ = await send.claim(tx, deps, "sms", legal_only=False)
            ready = send.make_ready(deps, "sms", claimed)
            results = list(await deps.senders["sms"](ready.outgoing))
        for _ in range(9 if how == "failed" else 1):
            await drain(deps)
            clock.move(timedelta(hours=how == "failed"))
        await hear(deps, notice(2, subject(1), NoticeKind.WITHDRAWN, **decision))
        (stop,) = await rows_of(database, "SELECT id FROM message WHERE template = 'notice_intended_stop'")
        behave(sandbox)
        async with database.write() as tx:
            if how == "under way":
                await send.record(tx, deps, "sms", results, ready)
            elif how == "failed":
                await send.redrive(tx, deps, "sms", since=MORNING, reason=None)
            else:
                await send.take_receipts(tx, deps, "sms", [receipt(stop["id"], delivered=False)])
        clock.move(timedelta(minutes=10))
        for channel in ("sms", "letter", "loudspeaker"):
            await drain(deps, channel)
        sent = [row["text"] for row in sandbox.state.keep.list_sms(to=None, limit=9)]
        assert len(sent) == (2 if how == "bounced" else 1)
        assert sum("不再执行" in text for text in sent) == 1
        rows = await rows_of(
            database,
            "SELECT channel FROM delivery WHERE message_id = $1 AND status IN ('queued', 'waiting', 'handed', 'sending')",
            stop["id"],
        )
        assert rows == []

    async def test_a_legal_notice_waits_for_no_morning_and_no_opting_out(self, deps, database, clock, sandbox):
        clock.move(timedelta(hours=14))
        await hear(deps, table_message(CONTACTS_CHANGED, contacts([(subject(1), "phone")])))
        async with database.write() as tx:
            await tx.run("INSERT INTO preference VALUES ($1, false, false, now(), 'app')", subject(1))
        await hear(deps, notice(77, subject(1)))
        await hear(deps, notice(78, subject(1), NoticeKind.SUSPENDED))
        await drain(deps)
        assert sandbox.state.keep.count_sms()["messages"] == 2


@pytest.mark.db
class TestTheDead:
    @pytest.mark.parametrize("when", ["before", "queued", "failed once"])
    async def test_the_family_is_told_instead_of_a_person_recorded_as_dead(self, deps, database, clock, sandbox, when):
        await hear(deps, table_message(CONTACTS_CHANGED, contacts([(subject(1), "phone")])))
        if when == "before":
            await death(deps, subject(1))
        await hear(deps, notice(77, subject(1)))
        if when == "failed once":
            behave(sandbox, answer="error")
            await drain(deps)
            behave(sandbox)
            clock.move(timedelta(minutes=1))
        if when != "before":
            await death(deps, subject(1))
        await drain(deps)
        await drain(deps, "letter")
        (sent,) = sandbox.state.keep.list_sms(to=None, limit=9)
        assert sent["to"] == "13800000001"
        assert "您家人张建国的高龄津贴" in sent["text"]
        (message,) = await rows_of(
            database, "SELECT audience, in_inbox, refused FROM message WHERE template ~ 'notice'"
        )
        assert message["refused"] is None
        if when == "before":
            assert (message["audience"], message["in_inbox"]) == ("family", False)
            assert await said(database, MESSAGE_DELIVERED) == []
        assert ("letter", "handed") in [(row["channel"], row["status"]) for row in await deliveries(database)]

    async def test_without_a_phone_in_the_family_the_village_hands_a_letter_out(self, deps, database, sandbox):
        await hear(deps, table_message(CONTACTS_CHANGED, contacts([(subject(1), "none")])))
        await death(deps, subject(1))
        await hear(deps, notice(77, subject(1)))
        await drain(deps)
        await drain(deps, "letter")
        assert sandbox.state.keep.count_sms()["messages"] == 0
        assert [(row["channel"], row["status"]) for row in await deliveries(database)] == [
            ("letter", "handed"), ("loudspeaker", "queued"), ("sms", "waiting"),
        ]  # fmt: skip


class TestWords:
    TEMPLATES = template_files.discover(set(discover_channels()))

    @pytest.mark.parametrize("kind", list(NoticeKind))
    @pytest.mark.parametrize("empty", [False, True])
    def test_every_kind_fills_its_template(self, kind, empty):
        fact = NoticeGiven(
            notice_id=NOTICE, subject=subject(1), kind=kind, programs=["old_age_allow", "dibao"], reason="overdue",
            amount_fen=None if empty else 100, deadline_on=None if empty else MORNING.date(), decision_id=None,
            given_at=MORNING,
        )  # fmt: skip
        drafted = facts.notice(fact)
        template = self.TEMPLATES[drafted.template]
        assert (template.legal, set(template.versions[0].channels)) == (
            True, {"inbox", "sms", "letter"} | ({"loudspeaker"} if kind is NoticeKind.INTENDED_STOP else set()),
        )  # fmt: skip
        values = orjson.loads(drafted.rows["variables"][0].as_py())
        version = template.versions[-1]
        assert wrong_variables(version, values) == {}
        texts = read_values(version, {**values, **contact_values({"name": "张建国"})}, LABELS)
        for code, each in version.channels.items():
            if code == "loudspeaker":
                continue
            assert "高龄津贴等2项待遇" in fill(each.text, texts)
            if each.family_text:
                assert "您家人张建国" in fill(each.family_text, texts)

    def test_reasons_are_those_recognition_has(self):
        assert {each.value for each in EndingEvent} <= set(ENDINGS)

    @pytest.mark.parametrize(
        ("kind", "value", "text"),
        [
            ("programs", ["dibao"], "最低生活保障"),
            ("programs", ["dibao", "newer"], "最低生活保障等2项待遇"),
            ("programs", ["newer", "dibao"], "最低生活保障等2项待遇"),
            ("programs", ["newer"], "一项待遇"),
            ("programs", ["newer", "newest"], "2项待遇"),
            ("ending", "newer_code", "情况发生变化"),
            ("ending", "本人来电说明", "本人来电说明"),
            ("ending", "请点击abc.io核实", "情况发生变化"),
            ("ending", "长" * 31, "情况发生变化"),
            ("code_or_text", "请报验证码", "见申请"),
            ("amount", None, "金额待核定"),
            ("deadline", None, "收到后尽快"),
        ],
    )
    def test_values_read_in_plain_words(self, kind, value, text):
        assert KINDS[kind].text(value, LABELS) == text
