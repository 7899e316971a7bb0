"""Handlers on a real PostgreSQL: everyone is told once, whatever comes first and however often."""

import random
from datetime import UTC, date, datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.notify.handlers import on_contacts_changed
from shared.contracts.events import (
    BATCH_COMPLETED,
    CASE_CONCLUDED,
    CERTIFICATE_REVOKED,
    CERTIFICATES_ISSUED,
    CERTIFICATIONS_DUE,
    CONTACTS_CHANGED,
    SUSPICION_RAISED,
    BatchCompleted,
    CaseConcluded,
    CertificateRevoked,
)
from shared.contracts.vocabulary import CaseConclusion, SuspicionKind
from shared.kit.bus import Message, PoisonError
from shared.kit.clock import FixedClock
from tests.services.notify.world import (
    MORNING,
    TODAY,
    YEAR,
    certificates,
    contacts,
    deliveries,
    due,
    fact_message,
    hear,
    make_deps,
    messages,
    rows_of,
    said,
    sms_settings,
    subject,
    suspicions,
    table_message,
)

pytestmark = pytest.mark.db


@pytest.fixture
def deps(database):
    return make_deps(database, sms=sms_settings())


def issued(*rows: Any) -> Message:
    return table_message(CERTIFICATES_ISSUED, certificates(rows))


def known(*rows: Any, received_at: str = "2023-10-01T00:00:00+00:00") -> Message:
    return table_message(CONTACTS_CHANGED, contacts(rows), received_at=received_at)


def suspected(*rows: Any, at: datetime = MORNING) -> Message:
    return table_message(SUSPICION_RAISED, suspicions(rows), at=at)


async def test_contacts_of_several_shards_hold_each_of_them(deps, database):
    people = [UUID(f"{shard}{0:031x}") for shard in "4cd"]
    heard = known(*((each, "phone") for each in people))
    async with database.write() as tx:
        await on_contacts_changed(deps, tx, heard)
        rows = await tx.fetch(
            "SELECT count(*) AS n FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
        )
    assert rows[0]["n"] == 3
    assert len(await rows_of(database, "SELECT FROM contact")) == 3


class TestCertificates:
    async def test_a_certified_person_is_told_in_the_inbox_and_by_text_message(self, deps, database):
        await hear(deps, known((subject(1), "phone")))
        await hear(deps, issued((subject(1), uuid4(), YEAR, None)))
        (message,) = await messages(database)
        assert (message["template"], message["in_inbox"], message["audience"]) == ("certified", True, "citizen")
        (delivery,) = await deliveries(database)
        assert (delivery["channel"], delivery["status"], delivery["due_at"]) == ("sms", "queued", MORNING)
        (told,) = await said(database)
        assert told["subject"] == subject(1).bytes
        assert (told["channel"], told["template"]) == ("inbox", "certified")

    async def test_heard_twice_it_is_told_once(self, deps, database):
        await hear(deps, known((subject(1), "phone")))
        message = issued((subject(1), uuid4(), YEAR, None))
        await hear(deps, message)
        await hear(deps, message)
        assert len(await messages(database)) == 1
        assert len(await said(database)) == 1

    async def test_a_contact_that_comes_later_sends_what_waited(self, deps, database):
        await hear(deps, issued((subject(1), uuid4(), YEAR, None)))
        (delivery,) = await deliveries(database)
        assert (delivery["status"], delivery["reason"]) == ("waiting", "no_contact")
        await hear(deps, known((subject(1), "none")))
        letter, delivery = await deliveries(database)
        assert (letter["channel"], letter["status"], delivery["status"]) == ("letter", "queued", "waiting")
        await hear(deps, known((subject(1), "family"), received_at="2023-10-02T00:00:00+00:00"))
        _, delivery = await deliveries(database)
        assert (delivery["status"], delivery["reason"]) == ("queued", None)

    async def test_an_older_roster_does_not_take_a_phone_away(self, deps, database):
        await hear(deps, known((subject(1), "phone"), received_at="2023-10-02T00:00:00+00:00"))
        await hear(deps, known((subject(1), "none"), received_at="2023-10-01T00:00:00+00:00"))
        (contact,) = await rows_of(database, "SELECT * FROM contact")
        assert contact["reachable"] == "phone"

    @pytest.mark.parametrize("order", list(permutations(["none", "family", "phone"])), ids="-".join)
    async def test_of_several_contacts_in_one_roster_the_one_that_reaches_further_counts(self, deps, database, order):
        await hear(deps, known(*((subject(1), reachable) for reachable in order)))
        await hear(deps, known(*((subject(2), reachable) for reachable in order if reachable != "phone")))
        rows = await rows_of(database, "SELECT reachable FROM contact ORDER BY subject")
        assert [row["reachable"] for row in rows] == ["phone", "family"]

    async def test_of_several_that_wait_only_the_newest_goes_by_text_message(self, deps, database):
        await hear(deps, known((subject(1), "phone")))
        await hear(deps, issued((subject(1), UUID(int=1), YEAR, None)))
        later = YEAR + timedelta(days=61)
        await hear(deps, issued((subject(1), UUID(int=2), later, YEAR)))
        middle = YEAR + timedelta(days=30)
        await hear(deps, issued((subject(1), UUID(int=3), middle, YEAR)))
        assert len(await messages(database)) == 1  # one a person and day, and it tells the furthest end
        queued = [row for row in await deliveries(database) if row["status"] == "queued"]
        assert len(queued) == 1
        (sent,) = [row for row in await messages(database) if row["id"] == queued[0]["message_id"]]
        assert sent["variables"]["valid_until"] == later.isoformat()

    async def test_at_night_text_messages_wait_for_the_morning(self, database):
        night = datetime(2023, 11, 1, 15, 0, tzinfo=UTC)  # 23:00 in Shanghai
        deps = make_deps(database, sms=sms_settings(), clock=FixedClock(night))
        await hear(deps, known((subject(1), "phone")))
        await hear(deps, issued((subject(1), uuid4(), YEAR, None)))
        (delivery,) = await deliveries(database)
        assert delivery["due_at"] == datetime(2023, 11, 2, 0, 0, tzinfo=UTC)

    async def test_with_text_messages_off_the_inbox_still_tells(self, database):
        deps = make_deps(database)
        await hear(deps, issued((subject(1), uuid4(), YEAR, None)))
        assert len(await messages(database)) == 1
        assert await deliveries(database) == []


class TestDeath:
    async def test_a_person_recorded_as_dead_is_refused_with_the_reason(self, deps, database):
        await hear(deps, known((subject(1), "phone")))
        await hear(deps, suspected((subject(1), uuid4(), "suspected_death", 1)))
        await hear(deps, issued((subject(1), uuid4(), YEAR, None)))
        citizen = [row for row in await messages(database) if row["audience"] == "citizen"]
        assert [(row["refused"], row["in_inbox"]) for row in citizen] == [("recorded_dead", False)]
        assert await deliveries(database) == []
        assert await said(database) == []

    async def test_what_was_queued_before_the_record_is_refused_by_it(self, deps, database):
        await hear(deps, known((subject(1), "phone"), (subject(2), "phone")))
        await hear(deps, issued((subject(1), uuid4(), YEAR, None), (subject(2), uuid4(), YEAR, None)))
        await hear(deps, suspected((subject(1), uuid4(), "suspected_death", 1)))
        assert [(row["status"], row["reason"]) for row in await deliveries(database)] == [
            ("refused", "recorded_dead"),
            ("queued", None),
        ]

    async def test_other_suspicions_stop_no_message(self, deps, database):
        await hear(deps, suspected((subject(1), uuid4(), "suspected_incarceration", 1)))
        await hear(deps, issued((subject(1), uuid4(), YEAR, None)))
        assert [row["refused"] for row in await messages(database)] == [None, None]

    async def test_the_officer_is_told_once_and_learns_more(self, deps, database):
        suspicion = uuid4()
        await hear(deps, suspected((subject(1), suspicion, "suspected_death", 2)))
        await hear(deps, suspected((subject(1), suspicion, "conflict", 3)))
        await hear(deps, suspected((subject(1), suspicion, "suspected_death", 1)))
        (message,) = await messages(database)
        assert (message["audience"], message["revision"]) == ("officer", 3)
        assert message["variables"]["kind"] == "conflict"

    @pytest.mark.parametrize("lifted_first", [True, False])
    async def test_somebody_found_alive_is_written_to_again(self, deps, database, lifted_first):
        record = suspected((subject(1), uuid4(), "suspected_death", 1), at=MORNING - timedelta(days=3))
        lift = case(CaseConclusion.FALSE_DEATH, MORNING - timedelta(days=1))
        for message in (lift, record) if lifted_first else (record, lift):
            await hear(deps, message)
        await hear(deps, issued((subject(1), uuid4(), YEAR, None)))
        assert [row["refused"] for row in await messages(database) if row["audience"] == "citizen"] == [None]

    async def test_a_new_record_after_that_counts_again(self, deps, database):
        await hear(deps, case(CaseConclusion.FALSE_DEATH, MORNING - timedelta(days=2)))
        await hear(deps, suspected((subject(1), uuid4(), "suspected_death", 1), at=MORNING - timedelta(days=1)))
        (row,) = await rows_of(database, "SELECT blocked FROM do_not_write")
        assert row["blocked"]

    async def test_a_confirmed_death_stands_without_any_suspicion_heard(self, deps, database):
        await hear(deps, case(CaseConclusion.CONFIRMED, MORNING))
        await hear(deps, issued((subject(1), uuid4(), YEAR, None)))
        (message,) = await messages(database)
        assert message["refused"] == "recorded_dead"


def case(conclusion: CaseConclusion, at: datetime) -> Message:
    return fact_message(
        CASE_CONCLUDED,
        CaseConcluded(
            case_id=uuid4(), subject=subject(1), kind=SuspicionKind.DEATH, conclusion=conclusion,
            event_on=date(2023, 10, 1), concluded_at=at, verified_by="w1", concluded_by="o1",
        ),
    )  # fmt: skip


class TestOthers:
    async def test_a_person_due_is_told_that_somebody_will_call(self, deps, database):
        message = table_message(CERTIFICATIONS_DUE, due([(subject(1), TODAY + timedelta(days=60))]))
        await hear(deps, message)
        later = table_message(CERTIFICATIONS_DUE, due([(subject(1), TODAY + timedelta(days=60))]), run_on="2023-12-05")
        await hear(deps, later)
        await hear(deps, later)
        assert [row["template"] for row in await messages(database)] == ["due_30", "due_60"]

    @pytest.mark.parametrize("order", list(permutations(["early", "middle", "late"])), ids="-".join)
    async def test_of_several_days_that_wait_the_latest_is_told(self, deps, database, order):
        days = {"early": 50, "middle": 55, "late": 60}
        for number in range(1, 4):
            for name in order:
                row = (subject(number), TODAY + timedelta(days=days[name]))
                await hear(deps, table_message(CERTIFICATIONS_DUE, due([row])))
        waiting = await rows_of(
            database,
            "SELECT m.variables->>'due_on' AS day FROM delivery d JOIN message m ON m.id = d.message_id"
            " WHERE d.status = 'waiting' AND d.channel = 'sms'",
        )
        assert [row["day"] for row in waiting] == [(TODAY + timedelta(days=60)).isoformat()] * 3

    async def test_a_revocation_is_told_to_the_officer(self, deps, database):
        fact = CertificateRevoked(
            certificate_id=uuid4(), subject=subject(1), claim="alive", reason="false_evidence", successor_id=None,
            revoked_at=MORNING,
        )  # fmt: skip
        await hear(deps, fact_message(CERTIFICATE_REVOKED, fact))
        (message,) = await messages(database)
        assert (message["template"], message["audience"]) == ("certificate_revoked", "officer")

    async def test_a_department_is_told_of_rows_that_could_not_be_used(self, deps, database):
        fact = BatchCompleted(
            batch_id=uuid4(), batch_no=7, source="medins_inpatient", department="medins", sha256="0" * 64, rows=10,
            accepted=9, duplicate=0, out_of_window=0, quarantined=1, quarantine_reasons={"future_date": 1},
            received_at=MORNING,
        )  # fmt: skip
        await hear(deps, fact_message(BATCH_COMPLETED, fact))
        await hear(deps, fact_message(BATCH_COMPLETED, fact))
        (message,) = await messages(database)
        assert (message["template"], message["recipient"], message["subject"]) == ("batch_quarantined", "medins", None)

    async def test_a_message_without_its_time_is_poison(self, deps):
        message = table_message(CONTACTS_CHANGED, contacts([(subject(1), "phone")]), received_at="yesterday")
        with pytest.raises(PoisonError):
            await hear(deps, message)

    async def test_no_name_phone_or_number_is_kept_with_a_message(self, deps, database):
        await hear(deps, known((subject(1), "phone")))
        await hear(deps, issued((subject(1), uuid4(), YEAR, None)))
        kept = await rows_of(database, "SELECT row_to_json(m)::text AS t FROM message m")
        kept += await rows_of(database, "SELECT row_to_json(d)::text AS t FROM delivery d")
        for row in kept:
            assert "张" not in row["t"]
            assert "139000" not in row["t"]


class TestAnyOrder:
    @pytest.mark.parametrize("seed", range(6))
    async def test_any_order_and_repetition_gives_the_same_set_of_messages(self, deps, database, seed):
        chance = random.Random(seed)
        people = [subject(number) for number in range(1, 9)]
        events = [
            *(known((who, chance.choice(["phone", "family", "none"]))) for who in people),
            *(issued((who, UUID(int=who.int), YEAR, None)) for who in people),
            *(issued((who, UUID(int=who.int + 100), YEAR + timedelta(days=31), YEAR)) for who in people[:4]),
            *(suspected((who, UUID(int=who.int + 200), "suspected_death", 1)) for who in people[:3]),
            # Beyond what they are certified for: nearer days would be reminded of no more.
            table_message(
                CERTIFICATIONS_DUE,
                due([(who, YEAR + timedelta(days=62)) for who in people]),
                run_on=(YEAR + timedelta(days=2)).isoformat(),
            ),
        ]
        shuffled = events * 2
        chance.shuffle(shuffled)
        for message in shuffled:
            await hear(deps, message)
        found = await messages(database)
        expected = (
            {("certified", who) for who in people}
            | {("suspicion_opened", who) for who in people[:3]}
            | {("due_60", who) for who in people}
        )
        assert {(row["template"], row["subject"]) for row in found} == expected
        assert len(found) == 8 + 3 + 8
        reachable = {row["subject"]: row["reachable"] for row in await rows_of(database, "SELECT * FROM contact")}
        for row in await deliveries(database):
            assert row["attempt"] == 1
            dead = row["subject"] in people[:3]
            if dead:
                assert row["status"] in {"refused", "merged"}
            elif row["channel"] == "letter":
                assert reachable[row["subject"]] == "none"
            elif row["channel"] == "loudspeaker":
                assert row["status"] == ("queued" if reachable[row["subject"]] == "none" else "merged")
            elif row["status"] != "merged":
                assert row["status"] == ("waiting" if reachable[row["subject"]] == "none" else "queued")
        aloud = {
            row["subject"]
            for row in await deliveries(database)
            if (row["channel"], row["status"]) == ("loudspeaker", "queued")
        }
        assert aloud == {who for who in people[3:] if reachable[who] == "none"}


@pytest.mark.parametrize("order", list(permutations(["contacts", "first", "second"])), ids="-".join)
async def test_only_who_has_no_phone_is_announced_whatever_comes_first(deps, database, order):
    people = [(subject(1), "phone"), (subject(2), "none"), (subject(3), "family"), (subject(4), "none")]
    told = [(who, TODAY + timedelta(days=25)) for who, _ in people]
    events = {
        "contacts": known(*people),
        "first": table_message(CERTIFICATIONS_DUE, due(told)),
        "second": table_message(CERTIFICATIONS_DUE, due([(who, day + timedelta(days=1)) for who, day in told[:2]])),
    }
    await hear(deps, suspected((subject(4), uuid4(), "suspected_death", 1)))
    for name in order:
        await hear(deps, events[name])
        await hear(deps, events[name])
    rows = await rows_of(database, "SELECT subject, status FROM delivery WHERE channel = 'loudspeaker'")
    assert {row["subject"] for row in rows} == {subject(2)}
    assert [row["status"] for row in rows].count("queued") == 1
    assert "sms" in {row["channel"] for row in await rows_of(database, "SELECT DISTINCT channel FROM delivery")}
