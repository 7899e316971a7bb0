"""Quiet hours, retries, plans, signatures, cursors: the small rules."""

from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.domain import cursor
from services.notify.domain.delivery import Reach, Status, Told, told
from services.notify.domain.plan import Way, next_fallback, plan
from services.notify.domain.schedule import Hours, day_begins, next_open, opening_after, retry_at
from services.notify.domain.signing import SignatureError, new_secret, sign, verify
from services.notify.domain.template import BULK_LANE, LEGAL_LANE, ChannelText, Template, Version
from shared.contracts.vocabulary import Audience

HOURS = Hours(opens=time(8), closes=time(21))
INSTANTS = st.integers(1_577_836_800, 1_893_456_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@pytest.mark.parametrize(
    ("shanghai", "opens"),
    [
        ("2023-11-01T09:30", "2023-11-01T09:30"),
        ("2023-11-01T08:00", "2023-11-01T08:00"),
        ("2023-11-01T07:59", "2023-11-01T08:00"),
        ("2023-11-01T21:00", "2023-11-02T08:00"),
        ("2023-10-31T23:30", "2023-11-01T08:00"),
    ],
)
def test_nobody_is_disturbed_at_night(shanghai, opens):
    at, then = (datetime.fromisoformat(f"{each}+08:00").astimezone(UTC) for each in (shanghai, opens))
    assert next_open(at, HOURS) == then


@given(INSTANTS)
def test_the_next_opening_is_open_and_never_in_the_past(now):
    opening = next_open(now, HOURS)
    assert now <= opening < now + timedelta(hours=12)
    assert next_open(opening, HOURS) == opening
    assert day_begins(now) <= now < opening_after(now, HOURS)


@given(INSTANTS, st.integers(1, 6), st.floats(0, 0.999))
def test_waits_grow_are_spread_and_end(now, attempt, jitter):
    waits = (5, 30, 120, 600)
    again = retry_at(now, attempt, waits, jitter)
    if attempt > len(waits):
        assert again is None
    else:
        assert again is not None
        assert 0.8 * waits[attempt - 1] <= (again - now).total_seconds() <= 1.2 * waits[attempt - 1]


def test_where_a_message_stands():
    assert told(refused=True, by_inbox=False, statuses=[]) is Told.REFUSED
    assert told(refused=False, by_inbox=True, statuses=[Status.FAILED]) is Told.DELIVERED
    assert told(refused=False, by_inbox=False, statuses=[Status.FAILED, Status.HANDED]) is Told.OPEN
    assert told(refused=False, by_inbox=False, statuses=[Status.FAILED, Status.MERGED]) is Told.FAILED


def way(code: str, *, on: bool = True, at_once: bool = False) -> Way:
    return Way(code=code, reach=Reach.PHONE, at_once=at_once, disturbs=False, on=on)


def template(*, legal: bool = False, **channels: bool) -> Template:
    texts = {code: ChannelText(title="", text="好", fallback=fallback) for code, fallback in channels.items()}
    version = Version(number=1, since=date(2023, 1, 1), approval=None, variables={}, channels=texts)
    return Template(
        code="t", label="t", reference="r", audience=Audience.CITIZEN, event="request", legal=legal, urgent=False,
        payment=False, latest_only=False, together=False, versions=[version],
    )  # fmt: skip


def test_a_plan_tries_fallbacks_one_after_the_other():
    ways = {each.code: each for each in (way("inbox", at_once=True), way("sms"), way("letter"), way("voice"))}
    given_template = template(inbox=False, sms=False, letter=True, voice=True)
    made = plan(given_template, given_template.versions[0], ways)
    assert made.in_inbox
    assert [each.code for each in made.first] == ["sms"]
    second = next_fallback(made, {"sms"})
    assert second is not None
    assert second.code == "letter"
    assert next_fallback(made, {"sms", "letter", "voice"}) is None


def test_when_nothing_else_can_send_a_fallback_is_tried_at_once():
    ways = {each.code: each for each in (way("sms", on=False), way("letter"))}
    given_template = template(sms=False, letter=True)
    made = plan(given_template, given_template.versions[0], ways)
    assert [each.code for each in made.first] == ["letter"]
    assert made.fallback == ()


def test_legal_notices_go_first():
    assert template(legal=True, sms=False).lane == LEGAL_LANE < template(sms=False).lane == BULK_LANE


SECRET, OTHER = new_secret(b"a" * 32), new_secret(b"b" * 24)


@given(st.binary(max_size=200))
def test_a_signature_holds_under_any_of_two_secrets(body):
    headers = sign([SECRET, OTHER], message_id="msg_1", timestamp=1000, body=body)
    for known in ([SECRET], [OTHER], [OTHER, SECRET]):
        assert verify(known, headers=headers, body=body, now=1100) == "msg_1"


@pytest.mark.parametrize(
    ("change", "body", "now"),
    [
        ({}, b"other", 1000),
        ({}, b"body", 1301),
        ({}, b"body", 699),
        ({"webhook-id": "msg_2"}, b"body", 1000),
        ({"webhook-timestamp": "1001"}, b"body", 1000),
        ({"webhook-timestamp": "½"}, b"body", 1000),
        ({"webhook-signature": "v1a,abc v1,"}, b"body", 1000),
        ({"webhook-signature": ""}, b"body", 1000),
        ({"webhook-id": ""}, b"body", 1000),
    ],
)
def test_anything_changed_breaks_the_signature(change, body, now):
    headers = sign([SECRET], message_id="msg_1", timestamp=1000, body=b"body") | change
    with pytest.raises(SignatureError):
        verify([SECRET], headers=headers, body=body, now=now)


@given(INSTANTS, st.uuids())
def test_a_cursor_leads_back_to_its_place_for_its_question_only(at, last):
    text = cursor.encode(b"k", "q1", (at, last))
    assert cursor.decode(b"k", "q1", text) == (at, last)
    for key, question, given_text in ((b"k", "q2", text), (b"x", "q1", text), (b"k", "q1", text[:-2] + "AA")):
        if given_text != text or (key, question) != (b"k", "q1"):
            with pytest.raises(cursor.CursorError):
                cursor.decode(key, question, given_text)


@pytest.mark.parametrize("text", ["", "A", "not base64!", "AAAA", "é"])
def test_a_made_up_cursor_is_refused(text):
    with pytest.raises(cursor.CursorError):
        cursor.decode(b"k", "q", text)


def test_the_newest_place_is_after_everything():
    assert (datetime(2100, 1, 1, tzinfo=UTC), uuid4()) < cursor.NEWEST
    assert cursor.NEWEST[1] == UUID(int=2**128 - 1)
