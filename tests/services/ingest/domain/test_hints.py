"""Whom a record without an id may mean: the same name, the same sex, the age within a year."""

from datetime import date

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingest.domain import hints, verdicts
from tests.services.ingest.domain.test_verdicts import HE, RULES, hashes, people, source

FUNERAL = source(id_may_be_blank=True, polarity="negative", kind="died", codes={})


def described(**columns):
    row = {"citizen_id": "", "name": "张三", "sex": "女", "age": "73", "occurred_on": "2023-05-09"} | columns
    frame = pl.DataFrame({name: [value] for name, value in row.items()}, schema=dict.fromkeys(row, pl.String))
    judged = verdicts.judge(frame, FUNERAL, people(), RULES)
    return hints.described(frame, judged, RULES, first_row=40)


@pytest.mark.parametrize(("text", "sex"), [("男", "male"), (" 女性 ", "female"), ("1", "male"), ("F", "female")])
def test_a_sex_is_read_in_every_writing(text, sex):
    assert described(sex=text)["sex"].to_list() == [sex]


@pytest.mark.parametrize(("text", "age"), [("73", 73), (" 73岁", 73), ("73 周岁", 73), ("73.0", 73), ("0", 0)])
def test_an_age_is_read_in_every_writing(text, age):
    assert described(age=text)["age"].to_list() == [age]


@pytest.mark.parametrize(
    "missing",
    [
        {"name": ""}, {"name": None}, {"sex": "未知"}, {"sex": None}, {"age": ""}, {"age": "约七十"}, {"age": "200"},
        {"occurred_on": "2023-13-01"}, {"occurred_on": "2023-11-02"}, {"occurred_on": ""}, {"citizen_id": HE},
    ],
)  # fmt: skip
def test_what_does_not_describe_a_person_whole_is_no_hint(missing):
    assert described(**missing).is_empty()


@pytest.mark.parametrize("number", ["", "12", "不详", HE[:-1] + ("0" if HE[-1] != "0" else "1")])
def test_a_number_that_is_nobodys_leaves_the_description(number):
    assert len(described(citizen_id=number)) == 1


def test_a_hint_keeps_its_place_in_the_file_and_its_day():
    [row] = described().rows(named=True)
    assert (row["row_no"], row["occurred_on"], row["kind"]) == (40, date(2023, 5, 9), "died")


def test_a_file_without_sex_or_age_has_no_hints():
    frame = pl.DataFrame({"citizen_id": [""], "name": ["张三"], "occurred_on": ["2023-05-09"]})
    judged = verdicts.judge(frame, FUNERAL, people(), RULES)
    assert hints.described(frame, judged, RULES, first_row=0).is_empty()


def known(*rows: tuple[str, str, date]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "subject": [bytes([place]) * 16 for place in range(len(rows))],
            "name_hash": pl.Series(hashes(name for name, _, _ in rows), dtype=pl.UInt64),
            "sex": [sex for _, sex, _ in rows],
            "born_on": [born for _, _, born in rows],
        }
    )


@pytest.mark.parametrize(
    ("name", "sex", "born", "meant"),
    [
        ("张三", "female", date(1950, 5, 9), True),  # 73 that very day
        ("张三", "female", date(1950, 5, 10), True),  # 72, one day before
        ("张三", "female", date(1949, 5, 9), True),  # 74: counted from the new year
        ("张三", "female", date(1951, 5, 10), False),  # 71
        ("张三", "female", date(1948, 5, 9), False),  # 75
        ("张三", "male", date(1950, 5, 9), False),
        ("李四", "female", date(1950, 5, 9), False),
        ("张三", "female", date(2023, 5, 10), False),
    ],
)
def test_name_sex_and_age_within_a_year_mean_a_person(name, sex, born, meant):
    found = hints.candidates(described(), known((name, sex, born)))
    assert found["row_no"].to_list() == ([40] if meant else [])


@settings(deadline=None)
@given(st.dates(date(1900, 1, 1), date(2023, 1, 1)), st.dates(date(2023, 1, 1), date(2023, 10, 31)))
def test_a_persons_own_age_in_any_way_of_counting_means_him(born, day):
    full = day.year - born.year - ((day.month, day.day) < (born.month, born.day))
    for age in (full, day.year - born.year):
        hint = described(age=str(age), occurred_on=day.isoformat())
        assert len(hints.candidates(hint, known(("张三", "female", born)))) == 1
