"""Citizen ids: one form, whatever the writing."""

import pytest

from services.recognition.domain.citizen_id import check_digit, normalise

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
