"""No id number, phone or name leaves in a log line, wherever it stands."""

import io
import logging

import orjson
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from shared.kit.telemetry import MASK, configure_logging, mask_processor, mask_text, mask_value

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


def test_ordinary_numbers_stay_readable():
    assert mask_text("rows=383698 fen=60300000000 batch 9007199254740993") == (
        "rows=383698 fen=60300000000 batch 9007199254740993"
    )


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
