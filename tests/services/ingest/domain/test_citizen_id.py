"""Identity numbers: one number whatever its writing, and no slip of a digit goes through."""

import re
from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.domain import citizen_id
from services.ingest.domain.citizen_id import BAD_CHECK, GOOD, MALFORMED, MISSING
from tests.services.ingest.world import make_id

WIDE = str.maketrans("0123456789X", "０１２３４５６７８９Ｘ")
BORN = st.dates(date(1900, 1, 1), date(2022, 12, 31))
IDS = st.builds(lambda number, born: make_id(number, born=f"{born:%Y%m%d}"), st.integers(0, 99_999), BORN)


def check(*texts):
    return citizen_id.check(pl.Series(texts, dtype=pl.String), this_year=2023)


def weighted_check_digit(body: str) -> str:
    """As the standard writes it: weights 2^(18-i) mod 11."""
    return "10X98765432"[sum(int(digit) * (2 ** (17 - place) % 11) for place, digit in enumerate(body)) % 11]


@given(IDS)
def test_the_check_digit_is_that_of_the_standard(number):
    assert weighted_check_digit(number[:17]) == number[17]
    assert check(number).fault.tolist() == [GOOD]


@given(IDS)
def test_cleaning_a_clean_number_changes_nothing(number):
    once = check(f" {number.lower()}\t").numbers
    assert once.to_list() == [number]
    assert check(*once).numbers.to_list() == [number]


@given(IDS, st.sampled_from([str.lower, lambda text: text.translate(WIDE), lambda text: f"\u3000{text} ", lambda text: f"'{text}",
                             lambda text: f"{text[:6]} {text[6:14]} {text[14:]}", lambda text: f"{text[:6]}-{text[6:]}",
                             lambda text: text.translate(WIDE).lower()]))  # fmt: skip
def test_every_writing_gives_the_same_number(number, written):
    checked = check(written(number), number)
    assert checked.numbers.to_list() == [number, number]
    assert checked.fault.tolist() == [GOOD, GOOD]


@given(st.integers(0, 99_999), st.dates(date(1900, 1, 1), date(1999, 12, 31)))
def test_an_old_fifteen_digit_number_is_the_same_person(number, born):
    new = make_id(number, born=f"{born:%Y%m%d}")
    old = new[:6] + new[8:17]
    assert check(old).numbers.to_list() == [new]


@given(IDS, st.integers(0, 17), st.integers(1, 9))
def test_any_one_wrong_digit_is_caught(number, place, step):
    digits = "0123456789X" if place == 17 else "0123456789"
    wrong = digits[(digits.index(number[place]) + step) % len(digits)]
    assert check(number[:place] + wrong + number[place + 1 :]).fault[0] in {MALFORMED, BAD_CHECK}


@given(IDS.filter(lambda number: number[5] != number[6]))
def test_two_swapped_digits_are_caught(number):
    assert check(number[:5] + number[6] + number[5] + number[7:]).fault[0] in {MALFORMED, BAD_CHECK}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (None, MISSING),
        ("", MISSING),
        ("   ", MISSING),
        ("\u3000", MISSING),
        ("341602", MALFORMED),
        ("34160219500505001", MALFORMED),
        ("3416021950050500123", MALFORMED),
        ("A" * 18, MALFORMED),
        ("身份证号码无", MALFORMED),
        ("34160219501305001X", MALFORMED),  # month 13
        ("34160219500230001X", MALFORMED),  # 30 February
        ("341602190002290012", MALFORMED),  # 1900 was no leap year
        ("341602209901010015", MALFORMED),  # not born yet
        ("３４１６０２", MALFORMED),
        ("3.41602195005E+17", MALFORMED),  # what a spreadsheet makes of it
    ],
)
def test_what_is_no_number_is_told_apart(text, fault):
    assert check(text).fault.tolist() == [fault]


def test_a_day_in_a_leap_year_is_good():
    assert check(make_id(1, born="20000229"), make_id(1, born="19040229")).fault.tolist() == [GOOD, GOOD]


@given(st.lists(st.text(max_size=20) | st.none(), max_size=30))
def test_any_text_is_judged_without_an_error(texts):
    checked = check(*texts)
    assert len(checked.numbers) == len(texts)
    for number, fault in zip(checked.numbers, checked.fault, strict=True):
        if fault == GOOD:
            assert re.fullmatch(r"[0-9]{17}[0-9X]", number)


@given(st.lists(IDS, min_size=1, max_size=20))
def test_codes_are_the_first_seventeen_digits(numbers):
    assert citizen_id.codes_of(pl.Series(numbers)).tolist() == [int(number[:17]) for number in numbers]
    assert citizen_id.codes_of(pl.Series(numbers)).dtype == np.uint64


def test_birth_and_sex_are_read_from_the_number():
    frame = citizen_id.birth_and_sex(pl.Series([make_id(1), make_id(2, born="19991231")]))
    assert frame.rows() == [(date(1950, 5, 5), "male"), (date(1999, 12, 31), "female")]
