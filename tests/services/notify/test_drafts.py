"""Which messages an event makes."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.channels import discover as discover_channels
from services.notify.domain import drafts, facts
from services.notify.domain.template import wrong_variables
from services.notify.templates import discover
from shared.contracts.events import BatchCompleted, CertificateRevoked
from shared.contracts.events.grid import WorkdayPlanned, WorkerDay
from tests.services.notify import world
from tests.services.notify.world import TODAY, certificates, due, subject, suspicions

TEMPLATES = discover(set(discover_channels()))
YEAR = date(2024, 10, 31)


def test_a_certificate_that_reaches_further_is_told_once():
    first, longer, same, shorter = (UUID(int=n) for n in range(1, 5))
    told = drafts.certified(
        certificates(
            [
                (subject(1), first, YEAR, None),
                (subject(2), longer, YEAR, YEAR - timedelta(days=31)),
                (subject(3), same, YEAR, YEAR),
                (subject(4), shorter, YEAR, YEAR + timedelta(days=31)),
                (subject(1), first, YEAR, None),
                (subject(5), uuid4(), None, None),
            ]
        ),
        TODAY,
    ).rows
    by_subject = dict(zip(map(bytes, told["subject"].to_pylist()), told["variables"].to_pylist(), strict=True))
    assert set(by_subject) == {subject(1).bytes, subject(2).bytes}
    assert orjson.loads(by_subject[subject(1).bytes]) == {"valid_until": "2024-10-31", "programs": 3}


def test_only_the_certificate_of_life_is_told():
    assert (
        drafts.certified(certificates([(subject(1), uuid4(), YEAR, None)], claim="not_in_custody"), TODAY).rows.num_rows
        == 0
    )


def test_several_certificates_of_a_day_are_one_message_that_tells_the_furthest_end():
    ends = [YEAR, YEAR + timedelta(days=31), YEAR + timedelta(days=61)]
    alone = [drafts.certified(certificates([(subject(1), uuid4(), end, None)]), TODAY).rows for end in ends]
    together = drafts.certified(certificates([(subject(1), uuid4(), end, None) for end in ends]), TODAY).rows
    assert len({row["id"][0].as_py() for row in alone}) == 1
    assert together.num_rows == 1
    assert orjson.loads(together["variables"][0].as_py())["valid_until"] == ends[-1].isoformat()
    tomorrow = drafts.certified(certificates([(subject(1), uuid4(), YEAR, None)]), TODAY + timedelta(days=1)).rows
    assert tomorrow["id"][0].as_py() != alone[0]["id"][0].as_py()


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 5), st.booleans()), max_size=20), st.randoms())
def test_order_and_repetition_of_certificates_make_the_same_messages(rows, chance):
    table = [(subject(who), UUID(int=cert), YEAR, None if new else YEAR) for who, cert, new in rows]
    # One certificate is of one person and says one thing.
    unique = list({row[1]: row for row in table}.values())
    shuffled = unique * 2
    chance.shuffle(shuffled)
    one, other = (drafts.certified(certificates(each), TODAY).rows.to_pylist() for each in (unique, shuffled))
    assert sorted(one, key=lambda row: row["id"]) == sorted(other, key=lambda row: row["id"])


@pytest.mark.parametrize(
    ("days", "template"),
    [(90, "due_90"), (61, "due_90"), (60, "due_60"), (31, "due_60"), (30, "due_30"), (0, "due_30"), (-1, "due_past")],
)
def test_the_step_follows_the_days_left(days, template):
    (made,) = drafts.due(due([(subject(1), TODAY + timedelta(days=days))]), TODAY)
    assert made.template == template


def test_a_step_is_told_once_however_often_it_runs():
    day = TODAY + timedelta(days=60)
    (first,) = drafts.due(due([(subject(1), day), (subject(1), day)]), TODAY)
    (again,) = drafts.due(due([(subject(1), day)]), TODAY + timedelta(days=5))
    assert first.rows.num_rows == 1
    assert first.rows["id"] == again.rows["id"]


def test_a_substitute_is_told_his_day_in_each_town():
    days = [
        facts.workday(WorkdayPlanned(division=town, day=TODAY, workers=[WorkerDay(worker_id="w1", tasks=3, overdue=0)]))
        for town in ("341602001", "341602002", "341602001")
    ]
    one, other, again = (day.rows["id"][0] for day in days)
    assert one == again != other


def test_a_suspicion_is_one_message_with_the_newest_of_it():
    suspicion = uuid4()
    rows = drafts.suspicions(
        suspicions([(subject(1), suspicion, "suspected_death", 1), (subject(1), suspicion, "suspected_death", 3)])
    ).rows
    assert rows["revision"].to_pylist() == [3]


def test_deaths_and_contradictions_are_records_of_a_death_and_others_are_not():
    table = suspicions(
        [
            (subject(1), uuid4(), "suspected_death", 1),
            (subject(2), uuid4(), "conflict", 1),
            (subject(3), uuid4(), "suspected_incarceration", 1),
            (subject(1), uuid4(), "conflict", 1),
        ]
    )
    dead = drafts.recorded_dead(table).to_pylist()
    assert sorted((UUID(bytes=row["subject"]).int, row["reason"], row["stands"]) for row in dead) == [
        (1, "conflict", True), (1, "suspected_death", True), (2, "conflict", True),
    ]  # fmt: skip


def test_a_batch_without_quarantine_tells_nobody():
    batch = BatchCompleted(
        batch_id=uuid4(), batch_no=7, source="medins_inpatient", department="medins", sha256="0" * 64, rows=10,
        accepted=10, duplicate=0, out_of_window=0, quarantined=0, quarantine_reasons={},
        received_at=datetime(2023, 11, 1, tzinfo=UTC),
    )  # fmt: skip
    assert facts.quarantined(batch) is None
    faulty = batch.model_copy(update={"quarantined": 3, "quarantine_reasons": {"bad_check_digit": 2, "future_date": 1}})
    made = facts.quarantined(faulty)
    assert made is not None
    row = made.rows.to_pylist()[0]
    assert row["recipient"] == "medins"
    assert orjson.loads(row["variables"])["reason"] == "bad_check_digit"


def test_what_events_fill_in_fits_the_templates():
    revoked = CertificateRevoked(
        certificate_id=uuid4(), subject=subject(1), claim="alive", reason="false_evidence", successor_id=None,
        revoked_at=world.MORNING,
    )  # fmt: skip
    batch = BatchCompleted(
        batch_id=uuid4(), batch_no=7, source="medins_inpatient", department="medins", sha256="0" * 64, rows=10,
        accepted=9, duplicate=0, out_of_window=0, quarantined=1, quarantine_reasons={"future_date": 1},
        received_at=world.MORNING,
    )  # fmt: skip
    made = [
        drafts.certified(certificates([(subject(1), uuid4(), YEAR, None)]), TODAY),
        *drafts.due(due([(subject(1), TODAY + timedelta(days=days)) for days in (-20, 20, 50, 80)]), TODAY),
        drafts.suspicions(suspicions([(subject(1), uuid4(), "suspected_death", 1)])),
        facts.revoked(revoked),
        facts.quarantined(batch),
    ]
    assert len(made) == 8
    for each in made:
        assert each is not None
        for text in each.rows["variables"].to_pylist():
            assert wrong_variables(TEMPLATES[each.template].versions[0], orjson.loads(text)) == {}


def test_ids_do_not_tell_the_subject():
    (made,) = drafts.due(due([(subject(1), TODAY)]), TODAY)
    assert made.rows["id"][0].as_py() != made.rows["subject"][0].as_py()
    assert UUID(bytes=made.rows["id"][0].as_py()) == drafts.message_id(
        "due_30", subject(1).bytes + (TODAY - date(1970, 1, 1)).days.to_bytes(4, "big")
    )
