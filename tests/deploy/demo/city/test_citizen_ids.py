"""Ids carry their check digit, and each spoilt form is spoilt in the way it should be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.demo.city.chance import stream
from deploy.demo.city.citizen_ids import (
    check_digit,
    is_valid,
    make_ids,
    malformed,
    other_form,
    sequences,
    with_wrong_check_digit,
)

# The first is the example of GB 11643 itself.
EXAMPLES = ["11010519491231002X", "440524188001010014"]
chances = st.floats(0, 0.999)


@pytest.mark.parametrize("text", EXAMPLES)
def test_the_check_digit_is_the_standards(text):
    assert check_digit(text) == text[17]
    assert is_valid(text)


@given(chance=chances)
def test_a_wrong_check_digit_is_always_wrong(chance):
    assert not is_valid(with_wrong_check_digit(EXAMPLES[0], chance))


@given(chance=chances)
def test_a_malformed_id_is_never_valid(chance):
    assert not is_valid(malformed(EXAMPLES[0], chance))


@given(chance=chances)
def test_another_form_is_the_same_number(chance):
    wide = str.maketrans("０１２３４５６７８９Ｘx", "0123456789XX")
    text = other_form(EXAMPLES[0], chance).strip().translate(wide)
    if len(text) == 15:
        text = f"{text[:6]}19{text[6:]}"
        text += check_digit(text)
    assert text == EXAMPLES[0]


def test_people_of_one_village_birthday_and_sex_have_different_ids():
    count = 400
    prefix, born = np.full(count, 341602), np.full(count, -9000)
    male = np.arange(count) % 2 == 0
    sequence = sequences(stream(1, "ids"), prefix, born, male)
    ids = make_ids(prefix, born, sequence)
    assert ids.n_unique() == count
    assert all(is_valid(text) for text in ids)
    assert all(int(text[16]) % 2 == is_male for text, is_male in zip(ids, male, strict=True))
