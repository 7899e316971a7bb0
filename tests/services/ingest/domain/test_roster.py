"""Rosters: amounts to the fen, one row a person, and reasons for the rest."""

from datetime import date

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain.catalogue import UNEVEN
from services.ingest.domain.places import first_begun
from services.ingest.domain.roster import COLUMNS, NOBODY, judge_roster, match
from tests.services.ingest.world import VILLAGE, make_id

TODAY = date(2023, 11, 1)


def judged(**columns):
    base = {"citizen_id": [make_id(1)], "name": ["张三"], "division": [VILLAGE], "amount_yuan": ["1.00"]}
    return judge_roster(pl.DataFrame({**base, **columns}), today=TODAY)


@given(st.integers(0, 10**12))
def test_amounts_are_exact_to_the_fen(fen):
    assert judged(amount_yuan=[f"{fen // 100}.{fen % 100:02d}"]).good["amount_fen"].to_list() == [fen]


@pytest.mark.parametrize(
    ("text", "fen"),
    [("220.1", 22010), ("220", 22000), ("1,234.50", 123450), ("￥0.29元", 29), ("1.100", 110), (" 5 ", 500), ("0", 0)],
)
def test_amounts_come_in_many_writings(text, fen):
    good = judged(amount_yuan=[text], phone=["'+8613800000000"]).good
    assert (good["amount_fen"].to_list(), good["phone"].to_list()) == ([fen], ["+8613800000000"])


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"amount_yuan": ["1.005"]}, "wrong_code"),
        ({"amount_yuan": ["-3"]}, "wrong_code"),
        ({"amount_yuan": ["1e5"]}, "wrong_code"),
        ({"amount_yuan": ["约二百"]}, "wrong_code"),
        ({"amount_yuan": [""]}, "missing_field"),
        ({"amount_yuan": pl.Series([None], dtype=pl.String)}, "missing_field"),
        ({"name": [" "]}, "missing_field"),
        ({"division": ["3416"]}, "wrong_code"),
        ({"citizen_id": [""]}, "missing_field"),
        ({"citizen_id": ["341602"]}, "bad_citizen_id"),
        ({UNEVEN: [True]}, "uneven_row"),
        ({"started": ["abc"]}, "impossible_date"),
        ({"due_on": ["2024-13-30"]}, "impossible_date"),
        ({"group_no": ["99999"]}, "wrong_code"),
        ({"group_no": ["东头组"]}, "wrong_code"),
    ],
)
def test_a_row_that_cannot_be_used_says_why_and_whom_it_names(columns, reason):
    made = judged(**columns)
    assert made.counts == {"accepted": 0, reason: 1}
    assert made.reasons.rows() == [(0, reason)]
    assert made.named.to_list() == ([] if "citizen_id" in columns else [make_id(1)])


@pytest.mark.parametrize(
    ("text", "number"), [("3", 3), ("第12组", 12), ("三组", 3), ("第二十一村民组", 21), ("３组", 3), (" ", None)]
)
def test_groups_come_in_many_writings(text, number):
    assert judged(group_no=[text]).good["group_no"].to_list() == [number]


def test_a_person_twice_in_a_roster_counts_once():
    twice = judged(citizen_id=[make_id(1), f" {make_id(1)}"], name=["张三"] * 2, division=[VILLAGE] * 2,
                   amount_yuan=["1.00", "2.00"])  # fmt: skip
    assert twice.counts == {"accepted": 1, "duplicate": 1}
    assert twice.good["amount_fen"].to_list() == [100]
    assert twice.again["amount_fen"].to_list() == [200]


def test_an_open_row_counts_whatever_rows_of_history_stand_before_it():
    rows = judged(citizen_id=[make_id(1)] * 2, name=["张三"] * 2, division=[VILLAGE] * 2, amount_yuan=["", "2.00"],
                  ended=["2021-03", ""])  # fmt: skip
    assert (rows.counts, rows.good["amount_fen"].to_list()) == ({"accepted": 2}, [200])


@pytest.mark.parametrize(("amount", "enrolled"), [("2.00", [(200, date(2023, 12, 1))]), ("", [])])
def test_an_end_to_come_ends_nothing_yet_and_beside_an_amount_is_a_row_like_any_other(amount, enrolled):
    made = judged(amount_yuan=[amount], ended=["2023-12"])
    assert (made.counts, made.good.select("amount_fen", "ends_on").rows()) == ({"accepted": 1}, enrolled)
    assert made.leaving.filter("ahead")["number"].to_list() == ([] if enrolled else [make_id(1)])


def test_a_household_has_one_payee_over_all_parts_of_a_roster():
    def part(numbers, households, seen=NOBODY, ends=""):
        count = len(numbers)
        frame = pl.DataFrame({
            "citizen_id": [make_id(number) for number in numbers], "name": ["张三"] * count,
            "division": [VILLAGE] * count, "amount_yuan": ["1.00"] * count, "household_no": households,
            "ended": [ends] * count,
        })  # fmt: skip
        return judge_roster(frame, today=TODAY, seen=seen, by_household=True)

    first = part([1, 2, 3, 1], ["H1", "H1 ", "", "H2"], ends="2023-12")
    assert first.good["household_no"].to_list() == ["H1"]
    assert first.reasons.rows() == [(1, "second_payee"), (2, "missing_field"), (3, "duplicate")]
    second = part([4, 5, 1], ["H1", "H2", "H1"], first.seen)
    assert (second.good["household_no"].to_list(), second.reasons.rows()) == (
        ["H2"], [(0, "second_payee"), (2, "duplicate")],
    )  # fmt: skip
    # Of one household the row that goes on counts; of another one nobody becomes a second payee.
    for part_again, ends_on in ((first.again, date(2023, 12, 1)), (second.again, None)):
        kept, beside = first_begun(first.good, part_again, by_household=True)
        assert (kept["ends_on"].to_list(), kept["household_no"].to_list(), len(beside)) == ([ends_on], ["H1"], 0)


@pytest.mark.parametrize(("name", "alias"), [(name, alias) for name, aliases in COLUMNS.items() for alias in aliases])
def test_every_alias_of_a_column_is_known(name, alias):
    found, _ = match([alias, "其他"])
    assert found == {alias: name}
    assert list(match([*reversed(COLUMNS[name])])[0].items()) == [(COLUMNS[name][0], name)]


def test_missing_columns_are_named_with_their_aliases():
    _, missing = match(["身份证号", "姓名"])
    assert [text.split(" ")[0] for text in missing] == ["division", "amount_yuan"]
