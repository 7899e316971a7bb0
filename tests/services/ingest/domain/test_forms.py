"""Days, names and amounts in every form in which they come."""

from datetime import date

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain import dates, names
from services.ingest.domain.evidence import window_start

DAYS = st.dates(date(1970, 1, 1), date(2099, 12, 31))
FORMS = [
    "{0:%Y-%m-%d}", "{0:%Y/%m/%d}", "{0:%Y.%m.%d}", "{0:%Y%m%d}", "{0:%Y年%m月%d日}", "{0.year}年{0.month}月{0.day}日",
    "{0.year}/{0.month}/{0.day}", "{0.year}-{0.month}-{0.day} 09:30:00", "{0:%Y-%m-%dT%H:%M:%S}", "{0:%Y%m%d}093000",
    " {0:%Y-%m-%d} ", "{0:%Y-%m-%d} 00:00:00.000000",
]  # fmt: skip


@given(DAYS, st.sampled_from(FORMS))
def test_a_day_is_the_same_in_every_form(day, form):
    assert dates.parse(pl.Series([form.format(day)])).to_list() == [day]


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2023-05", date(2023, 5, 1)),
        ("202305", date(2023, 5, 1)),
        ("2023年5月", date(2023, 5, 1)),
        ("２０２３－０５－０９", date(2023, 5, 9)),
        ("2023 年 5 月 9 日", date(2023, 5, 9)),
        ("2023-02-29", None),
        ("2023-13-01", None),
        ("2023-00-10", None),
        ("2023-05-32", None),
        ("2023-05-123", None),
        ("2023050", None),
        ("20231", None),
        ("45055", None),  # a spreadsheet's own number of a day: not guessed
        ("05/09/2023", None),
        ("9 May 2023", None),
        ("昨天", None),
        ("", None),
        (None, None),
        ("0000-00-00", None),
    ],
)
def test_what_is_no_day_is_not_guessed(text, day):
    assert dates.parse(pl.Series([text], dtype=pl.String)).to_list() == [day]


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2023-04-30T17:00:00Z", date(2023, 5, 1)),
        ("2023-04-30T15:59:59.999Z", date(2023, 4, 30)),
        ("2023-04-30 17:00:00+00:00", date(2023, 5, 1)),
        ("2023/4/30 17:00 UTC", date(2023, 5, 1)),
        ("20230430T170000Z", date(2023, 5, 1)),
        ("2023-05-01T00:30:00+0800", date(2023, 5, 1)),
        ("2023-05-01T00:30+08:00", date(2023, 5, 1)),
        ("2023-05-01T01:00:00+09:30", date(2023, 4, 30)),
        ("2023-04-30T12:29:59-03:30", date(2023, 4, 30)),
        ("2023-04-30T12:30:00-03:30", date(2023, 5, 1)),
        ("2023-04-30T17:00+00", date(2023, 5, 1)),
        ("2023-04-30 17:00+00", date(2023, 5, 1)),
        ("2023-05-01 09:00-11:00", date(2023, 5, 1)),
        ("2023年5月1日 22:00-06:00", date(2023, 5, 1)),
        ("2023-05-01 14:00:00-16:00", date(2023, 5, 1)),
    ],
)
def test_a_time_with_its_zone_is_of_the_day_it_was_here(text, day):
    assert dates.parse(pl.Series([text])).to_list() == [day]


@given(st.lists(st.text(max_size=14) | st.none(), max_size=20))
def test_any_text_is_parsed_without_an_error(texts):
    assert len(dates.parse(pl.Series(texts, dtype=pl.String))) == len(texts)


@pytest.mark.parametrize(
    ("today", "months", "first"),
    [
        (date(2023, 11, 1), 12, date(2022, 11, 2)),
        (date(2024, 2, 29), 12, date(2023, 3, 1)),
        (date(2023, 3, 31), 1, date(2023, 3, 1)),
        (date(2023, 1, 15), 1, date(2022, 12, 16)),
        (date(2023, 12, 31), 12, date(2023, 1, 1)),
        (date(2024, 1, 31), 24, date(2022, 2, 1)),
    ],
)
def test_the_window_starts_the_day_after_the_same_day_before(today, months, first):
    assert window_start(today, months) == first


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("张三", " 张 三 "),
        ("张三", "张\u3000三"),
        ("买买提·艾力", "买买提艾力"),
        ("买买提·艾力", "买买提•艾力"),
        ("劉德華", "刘德华"),
        ("TOM LI", "tom li"),
        ("ＴＯＭ　ｌｉ", "TOM LI"),
        ("黃許", "黄许"),
        ("為裏", "为里"),
        ("閻邱", "闫丘"),
        ("李\ufa10", "李塚"),
    ],
)
def test_writings_of_one_name_compare_equal(one, other):
    left, right = names.normalise(pl.Series([one, other])).to_list()
    assert left == right


def test_different_names_stay_different_and_no_name_is_none():
    assert names.normalise(pl.Series(["张三", "张叁", "", " ", None])).to_list() == ["张三", "张叁", None, None, None]


@given(st.text(max_size=12))
def test_a_normalised_name_stays_as_it_is(text):
    once = names.normalise(pl.Series([text], dtype=pl.String))
    assert names.normalise(once).to_list() == once.to_list()
