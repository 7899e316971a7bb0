"""No id number, phone or name leaves in a log line, wherever it stands."""

import io
import logging

import httpx
import orjson
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from shared.kit.edge import Edge
from shared.kit.telemetry import HTTP_SECONDS, MASK, configure_logging, mask_processor, mask_text, mask_value

ID18, ID18X, ID15, PHONE = "341602194901011234", "34160219490101123X", "341602490101123", "13905671234"


@pytest.mark.parametrize("secret", [ID18, ID18X, ID18X.lower(), ID15, PHONE])
@pytest.mark.parametrize("form", ["{}", "id={} ok", '{{"a":"{}"}}', "姓名:张三,证件{}。", "/v1/people/{}/x", "({})"])
def test_ids_and_phones_are_masked_in_any_text(secret, form):
    masked = mask_text(form.format(secret))
    assert secret not in masked
    assert MASK in masked


@given(
    st.recursive(
        st.sampled_from([ID18, ID15, PHONE, int(ID18), "plain", 7]),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "name"]), inner, max_size=3),
        max_leaves=12,
    )
)
def test_nesting_hides_nothing(value):
    text = repr(mask_value(value))
    assert not any(secret in text for secret in (ID18, ID15, PHONE))


@pytest.mark.parametrize(
    "value",
    [f"a{ID18}", "341602 19490101 1234", f"+86{PHONE}", ID18.encode(), ValueError(ID18), {ID18: 1}, {"k": (PHONE,)}],
    ids=repr,
)
def test_other_forms_hide_nothing_either(value):
    text = repr(mask_value(value))
    assert MASK in text
    assert not any(secret in text for secret in (ID18, PHONE, "19490101"))


def test_keys_that_name_personal_data_lose_their_value_whole():
    event = mask_processor(None, "info", {"event": "seen", "name": "张三", "rows": 3})
    assert event == {"event": "seen", "name": MASK, "rows": 3}


@pytest.mark.parametrize(
    "secret",
    [
        "３４１６０２１９４９０１０１１２３４",
        "３４１６０２１９４９０１０１１２３Ｘ",
        "341602 ４９０１０１ 123",
        "3416 0219 4901 0112 34",
        "3416 0219 4901 0112 3X",
        "341602/19490101/1234",
        "341602-1949-01-01-1234",
        "341602_19490101_1234",
        "341602　19490101　1234",
        "341602 - 19490101 - 1234",
        "341602·19490101·123X",
        "341602–19490101–1234",
        "3 4 1 6 0 2 1 9 4 9 0 1 0 1 1 2 3 4",
        "341602\u200b19490101\u200b1234",
        "34160219490101 1234",
        "341602-490101-123",
        "008613905671234",
        "0086 139 0567 1234",
        "+86 13905671234",
        "+86-139-0567-1234",
        "＋８６１３９０５６７１２３４",
        "8613905671234",
        "１３９０５６７１２３４",
        "139-0567-1234",
        "139 0567 1234",
        "139.0567.1234",
        "139－0567－1234",
        "1390 567 1234",
        "139-05671234",
        "139 05671234",
        "1390567-1234",
    ],
)
@pytest.mark.parametrize("form", ["{}", "id={} ok", "姓名：张三，号码{}。", "/v1/{}/x", "a 5, {}; 7 b", "({})"])
def test_what_is_written_apart_or_wide_is_masked_whole_and_nothing_else(secret, form):
    assert mask_text(form.format(secret)) == form.format(MASK)


@pytest.mark.parametrize(
    "text",
    [
        "rows=383698 fen=60300000000 batch 9007199254740993",
        "signals 38,370,000 fen 603,000,000.00 share 0.51380000 amount 1390567.1234 seconds 139.05671234",
        "0190f5c2-7b1a-7d3e-9c41-139056712345 13905671-2345-4678-9012-345678901234 abcde139-0567-1234-8901-123456789012",
        "trace 0af7651916cd43dd8448eb211c80319c a13905671234a13905671234b1234567",
        "2023-11-01T08:30:00.123456+00:00 2023-11-01 00:00:00 20231101083000 1700000000123 1700000000123456789",
        "from 2023-11-01 to 2024-10-31, 139-20231101 files", "383698 2023-11-01 1234", "subject 127.0.0.1:8000 10.139.56.123",
        "evidence 123456789012 1380000 1390567 1234 of 38370000 in 16 shards 2 3 5 7 11 13 17 19",
        "第１２批 共３８３６９８行，金额６０３０００元", "tel 0558-5551234 card 6217 0012 3456 7890 123",
    ],
)  # fmt: skip
def test_ordinary_numbers_stay_readable(text):
    assert mask_text(text) == text


@pytest.mark.parametrize(
    ("number", "masked"),
    [
        (int(ID18), True),
        (int(ID15), True),
        (int(PHONE), True),
        (60_300_000_000, False),
        (-int(PHONE), False),
        (7, False),
    ],
)
def test_numbers_are_masked_when_they_can_be_somebody(number, masked):
    assert (mask_value(number) == MASK) is masked


def test_library_lines_and_tracebacks_are_masked_too():
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        configure_logging("test", "INFO")
        sink = io.StringIO()
        handler = root.handlers[0]
        assert isinstance(handler, logging.StreamHandler)
        handler.setStream(sink)
        logging.getLogger("some.library").warning("row %s failed for %s", 1, ID18)
        try:
            raise ValueError(ID15)
        except ValueError:
            structlog.get_logger("ours").exception("broke", hint=PHONE)
        lines = [orjson.loads(line) for line in sink.getvalue().splitlines()]
    finally:
        root.handlers[:] = before
        root.setLevel(level)
        structlog.reset_defaults()
    assert len(lines) == 2
    text = repr(lines)
    assert not any(secret in text for secret in (ID18, ID15, PHONE))
    assert lines[0]["service"] == "test"
    assert "ValueError" in lines[1]["exception"]


async def test_a_method_nobody_has_heard_of_is_counted_as_other():
    async def answer(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 405, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def counted() -> set[str]:
        [family] = [each for each in HTTP_SECONDS.collect() if each.name == "http_request_seconds"]
        return {sample.labels["method"] for sample in family.samples}

    before = counted()
    transport = httpx.ASGITransport(Edge(answer, max_body_bytes=1))
    async with httpx.AsyncClient(transport=transport, base_url="http://t") as client:
        for number in range(50):
            await client.request(f"X{number}", "/nowhere")
        await client.request("GET", "/nowhere")
    assert counted() - before <= {"other", "GET"}
    assert "other" in counted()
