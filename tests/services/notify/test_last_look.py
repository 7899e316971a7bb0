"""Between writing and sending things change: nobody is told what is no longer so, nor what he no longer wants."""

from datetime import date, timedelta
from uuid import UUID

import httpx
import pytest

from services.notify.channels.push import PushSettings
from services.notify.domain.delivery import Outcome, Result
from services.notify.usecases import send
from shared.contracts.events import (
    CERTIFICATE_REVOKED,
    CERTIFICATES_ISSUED,
    CERTIFICATIONS_DUE,
    CONTACTS_CHANGED,
    CertificateRevoked,
)
from shared.kit.bus import Message
from tests.services.notify.world import (
    MORNING,
    TODAY,
    YEAR,
    certificates,
    certify,
    contacts,
    deliveries,
    drain,
    due,
    fact_message,
    hear,
    make_deps,
    notice,
    receipt,
    rows_of,
    sms_settings,
    states,
    subject,
    switched_on,
    table_message,
)

pytestmark = pytest.mark.db

OFF = {"subject": str(subject(1)), "information": False}
SOON = TODAY + timedelta(days=25)


async def warn(deps, *people: UUID, day=SOON) -> None:
    await hear(deps, table_message(CERTIFICATIONS_DUE, due([(who, day) for who in people])))


async def issue(deps, who: UUID, until=YEAR) -> None:
    await hear(deps, table_message(CERTIFICATES_ISSUED, certificates([(who, UUID(int=7), until, None)])))


@pytest.fixture
async def pushing(database, clock, sandbox):
    """A notify that tries the app before the text message."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(sandbox)) as client:
        made = make_deps(database, clock=clock, client=client, sms=sms_settings())
        yield switched_on(made, "push", PushSettings(url="http://sandbox/push"), client)


class TestCertifiedSince:
    async def test_a_reminder_that_waits_for_the_morning_is_withdrawn_and_the_good_news_leaves(
        self, deps, clock, sandbox
    ):
        clock.move(timedelta(hours=13))
        await hear(deps, table_message(CONTACTS_CHANGED, contacts([(subject(1), "phone")])))
        await warn(deps, subject(1))
        await issue(deps, subject(1))
        clock.move(timedelta(hours=11))
        await drain(deps)
        (sent,) = sandbox.state.keep.list_sms(to=None, limit=9)
        assert "健在认证" in sent["text"]

    async def test_what_a_village_was_to_bring_goes_from_its_list(self, http, deps, database, issuer):
        await hear(deps, table_message(CONTACTS_CHANGED, contacts([(subject(1), "none")])))
        await warn(deps, subject(1))
        for channel in ("letter", "loudspeaker"):
            await drain(deps, channel)
        await issue(deps, subject(1))
        headers = issuer.headers("notify.village", role="village", divisions=["341602001001"])
        listed = await http.post("/v1/villages/341602001001/announcements:list", json={}, headers=headers)
        assert listed.json()["items"] == []
        ended = {(row["channel"], row["status"], row["reason"]) for row in await deliveries(database)}
        assert ended >= {("letter", "merged", "certified_since"), ("loudspeaker", "merged", "certified_since")}

    @pytest.mark.parametrize(("until", "sent"), [(SOON + timedelta(days=1), 1), (SOON, 2)])
    async def test_only_a_certificate_that_reaches_beyond_the_day_ends_its_reminder(
        self, deps, clock, sandbox, until, sent
    ):
        """Whichever is heard first; one that reaches no further leaves the reminder as true as it was."""
        await hear(deps, table_message(CONTACTS_CHANGED, contacts([(subject(1), "phone")])))
        await issue(deps, subject(1), until)
        await warn(deps, subject(1))
        for _ in range(3):
            await drain(deps)
            clock.move(timedelta(days=1))
        assert sandbox.state.keep.count_sms()["messages"] == sent

    async def test_one_that_is_tried_again_is_looked_at_again(self, deps, database, clock, sandbox):
        await hear(deps, table_message(CONTACTS_CHANGED, contacts([(subject(1), "phone")])))
        await warn(deps, subject(1))
        async with database.write() as tx:
            claimed, _ = await send.claim(tx, deps, "sms", legal_only=False)
        ready = send.make_ready(deps, "sms", claimed)
        await issue(deps, subject(1))
        async with database.write() as tx:
            busy = [Result(id=ready.outgoing[0].id, outcome=Outcome.AGAIN, reason="busy")]
            await send.record(tx, deps, "sms", busy, ready)
        clock.move(timedelta(minutes=1))
        await drain(deps)
        assert ["健在认证" in each["text"] for each in sandbox.state.keep.list_sms(to=None, limit=9)] == [True]


def certificate(number: int, until: date, hours: int, day: date = TODAY) -> Message:
    """What recognition says of the first person by a certificate, some hours after the morning."""
    rows = certificates([(subject(1), UUID(int=number), until, None)])
    at = MORNING + timedelta(hours=hours)
    return table_message(CERTIFICATES_ISSUED, rows, at=at, issued_on=day.isoformat())


def revoked(number: int) -> Message:
    fact = CertificateRevoked(
        certificate_id=UUID(int=number), subject=subject(1), claim="alive", reason="mistake", successor_id=None,
        revoked_at=MORNING,
    )  # fmt: skip
    return fact_message(CERTIFICATE_REVOKED, fact)


MARCH, NOVEMBER = date(2024, 3, 1), date(2024, 11, 30)
SAID = {
    "october": certificate(7, YEAR, 0),
    "november": certificate(8, NOVEMBER, 1),
    "march": certificate(9, MARCH, 2),
    "march_tomorrow": certificate(9, MARCH, 24, TODAY + timedelta(days=1)),
    "october_again": certificate(7, YEAR, 3),
    "november_tomorrow": certificate(8, NOVEMBER, 24, TODAY + timedelta(days=1)),
    "october_later": certificate(7, YEAR, 48, TODAY + timedelta(days=2)),
    "no_october": revoked(7),
    "no_november": revoked(8),
    "no_other": revoked(6),
    "phone": table_message(CONTACTS_CHANGED, contacts([(subject(1), "phone")])),
}


class TestRevoked:
    @pytest.mark.parametrize(("reachable", "way"), [("phone", "sms"), ("none", "loudspeaker")])
    async def test_whose_certificate_was_revoked_is_reminded_and_what_it_told_is_not_brought(
        self, http, deps, clock, issuer, reachable, way
    ):
        await hear(deps, table_message(CONTACTS_CHANGED, contacts([(subject(1), reachable)])))
        await hear(deps, SAID["october"])
        for _ in range(2):
            for channel in ("sms", "letter", "loudspeaker"):
                await drain(deps, channel)
            await hear(deps, SAID["no_october"])
            clock.move(timedelta(days=1))
            await warn(deps, subject(1))
        brought = await rows_of(deps.database, "SELECT channel, template FROM delivery WHERE status = 'handed'")
        assert {row["channel"] for row in brought if row["template"] == "due_30"} == {"letter", way}
        assert [row["template"] for row in brought if row["channel"] == "letter"] == ["due_30"]
        asked = {"subject": str(subject(1))}
        shown = await http.post("/v1/messages:search", json=asked, headers=issuer.headers("notify.read"))
        assert {item["template"]: item["given_up"] for item in shown.json()["items"]} == {
            "certified": True, "due_30": False,
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("said", "sent"),
        [
            ("october no_october march", [MARCH]),
            ("october march no_october", [MARCH]),
            ("no_october october march", [MARCH]),
            ("october march_tomorrow no_october", [MARCH]),
            ("october send no_october march", [YEAR, MARCH]),
            ("october send march no_october", [YEAR, MARCH]),
            ("october november no_november october_again", [YEAR]),
            ("october send november send no_november october_again", [YEAR, NOVEMBER, YEAR]),
            ("october send november no_november october_again", [YEAR]),
            ("october send by_before november no_other no_november october_again", [YEAR, YEAR]),
            ("october send november_tomorrow send no_november october_later phone", [YEAR]),
            ("no_october october", []),
        ],
    )
    async def test_of_what_certifies_him_instead_he_is_told_the_true_end(
        self, deps, database, clock, sandbox, said, sent
    ):
        steps = said.split()
        for step in [*(() if "phone" in steps else ("phone",)), *steps, "send", "send"]:
            if step == "send":
                await drain(deps)
                clock.move(timedelta(days=1))
            elif step == "by_before":  # as the version of before had kept what was told
                async with database.write() as tx:
                    await tx.run("UPDATE message SET about = NULL, said_at = NULL")
            else:
                await hear(deps, SAID[step])
                await hear(deps, SAID[step])
        texts = [row["text"] for row in reversed(sandbox.state.keep.list_sms(to=None, limit=9))]
        assert [[day for day in SPOKEN if SPOKEN[day] in text] for text in texts] == [[day] for day in sent]
        stands = await rows_of(
            database, "SELECT variables FROM message WHERE template = 'certified' AND NOT given_up ORDER BY said_at"
        )
        assert [row["variables"]["valid_until"] for row in stands[-1:]] == [day.isoformat() for day in sent[-1:]]

    @pytest.mark.parametrize("hours", [48, 49, 50])  # of ids that come as they come, some are smaller than the first
    async def test_who_turns_out_to_have_no_phone_gets_a_letter_of_what_was_told_anew(
        self, deps, database, clock, hours
    ):
        for step in ("october", "november_tomorrow", "no_november"):
            await hear(deps, SAID[step])
            clock.move(timedelta(days=1))
        await hear(deps, certificate(7, YEAR, hours, TODAY + timedelta(days=2)))
        await hear(deps, table_message(CONTACTS_CHANGED, contacts([(subject(1), "none")])))
        letters = [row for row in await deliveries(database) if row["channel"] == "letter"]
        assert [row["status"] for row in letters] == ["queued"]

    async def test_a_letter_brought_before_its_village_heard_of_it_is_known_as_brought(self, deps, database):
        await hear(deps, table_message(CONTACTS_CHANGED, contacts([(subject(1), "none")])))
        await hear(deps, SAID["october"])
        await drain(deps, "letter")
        await hear(deps, SAID["no_october"])
        told = [receipt((await deliveries(database))[0]["message_id"])]
        async with database.write() as tx:
            assert [await send.take_receipts(tx, deps, "letter", told) for _ in range(2)] == [1, 0]
        [letter] = [row for row in await deliveries(database) if row["channel"] == "letter"]
        assert (letter["status"], letter["reason"]) == ("delivered", None)


SPOKEN = {day: f"{day.year}年{day.month}月{day.day}日" for day in (MARCH, YEAR, NOVEMBER)}


class TestOptedOut:
    @pytest.mark.parametrize("when", ["before", "waiting for the village"])
    async def test_nothing_but_legal_notices_is_brought_by_the_village(self, http, deps, database, issuer, when):
        manager = issuer.headers("notify.manage")
        await hear(deps, table_message(CONTACTS_CHANGED, contacts([(subject(1), "none")])))
        if when == "before":
            await http.post("/v1/preferences", json=OFF, headers=manager)
        await warn(deps, subject(1))
        await hear(deps, notice(1, subject(1)))
        for channel in ("letter", "loudspeaker"):
            await drain(deps, channel)
        if when != "before":
            await http.post("/v1/preferences", json=OFF, headers=manager)
        rows = await rows_of(database, "SELECT lane, channel FROM delivery WHERE status = 'handed' ORDER BY channel")
        assert rows == [{"lane": 0, "channel": "letter"}, {"lane": 0, "channel": "loudspeaker"}]

    async def test_somebody_without_a_contact_yet_is_not_announced_when_it_comes(self, http, deps, database, issuer):
        await warn(deps, subject(1))
        await http.post("/v1/preferences", json=OFF, headers=issuer.headers("notify.manage"))
        await hear(deps, table_message(CONTACTS_CHANGED, contacts([(subject(1), "none")])))
        assert {row["status"] for row in await deliveries(database)} == {"refused"}

    async def test_a_channel_tried_instead_is_not_for_who_opted_out_meanwhile(
        self, pushing, http, database, clock, sandbox, issuer
    ):
        await certify(pushing, subject(1))
        await drain(pushing, "push")
        await http.post("/v1/preferences", json=OFF, headers=issuer.headers("notify.manage"))
        clock.move(timedelta(days=2))
        async with database.write() as tx:
            await send.tidy(tx, pushing)
        await drain(pushing)
        assert sandbox.state.keep.count_sms()["messages"] == 0
        assert [(row["channel"], row["status"]) for row in await deliveries(database)] == [
            ("push", "failed"), ("sms", "refused"),
        ]  # fmt: skip


class TestReachedAfterAll:
    async def test_a_late_receipt_stops_the_channel_that_was_to_be_tried_instead(
        self, pushing, database, clock, sandbox
    ):
        await certify(pushing, subject(1))
        await drain(pushing, "push")
        (row,) = await deliveries(database)
        for reached in (False, True):
            async with database.write() as tx:
                told = [receipt(row["message_id"], delivered=reached)]
                assert await send.take_receipts(tx, pushing, "push", told) == 1
        clock.move(timedelta(hours=1))
        await drain(pushing)
        assert sandbox.state.keep.count_sms()["messages"] == 0
        assert [row[1:] for row in await states(database)] == [("delivered", None), ("merged", "reached_before")]

    async def test_the_other_channels_of_a_legal_notice_go_on(self, pushing, database):
        await hear(pushing, table_message(CONTACTS_CHANGED, contacts([(subject(1), "phone")])))
        await hear(pushing, notice(1, subject(1)))
        await drain(pushing, "push")
        (row, *_) = await deliveries(database)
        async with database.write() as tx:
            await send.take_receipts(tx, pushing, "push", [receipt(row["message_id"])])
        await drain(pushing)
        assert ("sms", "handed") in [(row["channel"], row["status"]) for row in await deliveries(database)]


async def test_over_all_channels_a_person_is_disturbed_once_a_day(pushing, clock, sandbox):
    """One has no app and is told by text message; what comes to the app later that day waits for the next."""
    sandbox.state.phones.without_app = {str(subject(1))}
    await certify(pushing, subject(1), subject(2))
    await drain(pushing, "push")
    await drain(pushing)
    sandbox.state.phones.without_app = set()
    beyond = YEAR + timedelta(days=60)
    await warn(pushing, subject(1), subject(2), day=beyond)
    shown = []
    for _ in range(2):
        for channel in ("push", "sms"):
            await drain(pushing, channel)
        shown.append(sorted(each.account for each in sandbox.state.phones.shown.values()))
        clock.move(timedelta(days=1))
    one, two = str(subject(1)), str(subject(2))
    assert shown == [[two], [one, two, two]]
    assert sandbox.state.keep.count_sms()["messages"] == 1
