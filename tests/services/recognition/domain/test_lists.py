"""Lists by columns say the same as ids one by one."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.demo.city.citizen_ids import make_ids
from services.recognition.domain.citizen_id import normalise
from services.recognition.domain.lists import fen_of_fen, fen_of_yuan, normalise_many, repeated

GOOD = "11010519491231002X"
ODD = ["11010519491231002x", "110105491231002", " 11010519491231002Ｘ", "１１010519491231002X", "", "x", None, "1" * 18,
       "110105194902300021", "11010519490229002X", "01010519491231002X", "身份证号码身份证", "110105194912310021"]  # fmt: skip


@given(st.lists(st.one_of(st.sampled_from([GOOD, *ODD]), st.from_regex(r"[0-9]{17}[0-9X]", fullmatch=True), st.text())))
def test_columns_and_single_ids_agree(written):
    said = normalise_many(pl.Series(written, dtype=pl.String)).to_list()
    assert said == [normalise(each) if each is not None else None for each in written]


def test_invented_ids_are_all_good():
    ids = make_ids(np.full(500, 341602), np.arange(500) - 9000, np.arange(500))
    assert normalise_many(ids).to_list() == ids.to_list()


@pytest.mark.parametrize(
    ("yuan", "fen"),
    [("182.50", 18250), ("182.5", 18250), ("182", 18200), (" 3.01 ", 301), ("0.01", 1), ("0", None), ("-3", None),
     ("1.005", None), ("1e3", None), ("", None), (None, None), ("1,000", None)],
)  # fmt: skip
def test_yuan_become_fen_exactly(yuan, fen):
    assert fen_of_yuan(pl.Series([yuan], dtype=pl.String)).to_list() == [fen]


@pytest.mark.parametrize(("written", "fen"), [("18250", 18250), ("0", None), ("1.0", None), (None, None), ("-1", None)])
def test_fen_are_whole(written, fen):
    assert fen_of_fen(pl.Series([written], dtype=pl.String)).to_list() == [fen]


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans())))
def test_only_later_lines_of_a_person_are_repeated(lines):
    subjects = np.array([[number] * 16 for number, _ in lines], dtype=np.uint8).reshape(-1, 16)
    known = np.array([has for _, has in lines], dtype=bool)
    before: set[int] = set()
    expected = []
    for number, has in lines:
        expected.append(has and number in before)
        before |= {number} if has else set()
    assert repeated(subjects, known).tolist() == expected
