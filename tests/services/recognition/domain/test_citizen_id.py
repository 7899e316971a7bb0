"""Citizen ids: one form, whatever the writing."""

import pytest

from services.recognition.domain.citizen_id import check_digit, holds_id, normalise

GOOD = "11010519491231002X"  # the example of GB 11643


@pytest.mark.parametrize(
    "written",
    [
        GOOD,
        GOOD.lower(),
        f" {GOOD} ",
        "１１０１０５１９４９１２３１００２ｘ",
        "110105 19491231 002X",
        "110105491231002",
    ],
)
def test_every_writing_gives_one_form(written):
    assert normalise(written) == GOOD


@pytest.mark.parametrize(
    "written",
    ["", "1", "110105194912310021", "110105194913310026", "01010519491231002X", "11010519491231002Y", "x" * 18],
)
def test_what_is_no_citizen_id_gives_none(written):
    assert normalise(written) is None


def test_the_check_digit_is_that_of_the_standard():
    assert check_digit("11010519491231002") == "X"


@pytest.mark.parametrize(
    ("reference", "held"),
    [
        (GOOD, True),
        ("PAY-110105194912310021", True),  # mistyped, and somebody's all the same
        ("110105-19491231-002x", True),
        ("a:110105491231002", True),
        ("202311040000000001", False),
        ("2023-11/341602001001/00017", False),
        ("6b0f1c2e-110105194912310021123", False),
    ],
)
def test_a_reference_with_somebodys_id_in_it_is_known(reference, held):
    assert holds_id(reference) is held
