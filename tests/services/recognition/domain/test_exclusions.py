"""Double receipt: which of two benefits that exclude each other ends."""

from datetime import date
from itertools import product

import pytest

from services.recognition.domain.exclusions import Held, pairs, which_ends
from services.recognition.domain.programs import Effect, EndingEvent
from services.recognition.policies import load as load_policies
from services.recognition.programs import load

PROGRAMS = load()
KEPT_FIRST = load_policies().on(date(2023, 11, 1)).kept_first
EARLY, LATE = date(2010, 6, 1), date(2023, 3, 1)


def ends(first: str, second: str, first_on: date | None = EARLY, second_on: date | None = LATE):
    one, other = Held(program=first, started_on=first_on), Held(program=second, started_on=second_on)
    found = which_ends(PROGRAMS, KEPT_FIRST, one, other)
    assert found == which_ends(PROGRAMS, KEPT_FIRST, other, one)
    return found


@pytest.mark.parametrize(
    ("kept", "ended", "reason", "effect"),
    [
        ("ue_pension", "resident_pension", EndingEvent.DUPLICATE_RECEIPT, Effect.TERMINATE),
        ("gi_pension", "resident_pension", EndingEvent.DUPLICATE_RECEIPT, Effect.TERMINATE),
        ("ue_pension", "unemployment", EndingEvent.OTHER_PENSION, Effect.TERMINATE),
        ("gi_pension", "vet_rural_soldier", EndingEvent.OTHER_PENSION, Effect.TERMINATE),
        ("orphan", "tekun", EndingEvent.DUPLICATE_RECEIPT, Effect.TERMINATE),
        ("orphan", "dibao", EndingEvent.DUPLICATE_RECEIPT, Effect.REDUCE),
        ("tekun", "dibao", EndingEvent.DUPLICATE_RECEIPT, Effect.REDUCE),
        ("tekun", "dis_nursing", EndingEvent.DUPLICATE_RECEIPT, Effect.TERMINATE),
    ],
)
@pytest.mark.parametrize(("kept_on", "ended_on"), [(EARLY, LATE), (LATE, EARLY)])
def test_rank_decides_whichever_began_first(kept, ended, reason, effect, kept_on, ended_on):
    found = ends(kept, ended, kept_on, ended_on)
    assert (found.kept, found.program, found.reason, found.effect, found.since) == (kept, ended, reason, effect, LATE)


def test_within_a_rank_the_one_that_began_first_is_kept():
    assert ends("ue_pension", "gi_pension").program == "gi_pension"
    assert ends("ue_pension", "gi_pension", LATE, EARLY).program == "ue_pension"
    assert ends("wi_survivor", "unit_survivor").program == "unit_survivor"


def test_a_benefit_whose_beginning_is_unknown_counts_as_the_later_one():
    assert ends("ue_pension", "gi_pension", None, LATE).program == "ue_pension"
    assert ends("ue_pension", "gi_pension", None, None).since is None


def test_what_may_be_held_together_ends_nothing():
    assert ends("resident_pension", "old_age_allow") is None


@pytest.mark.parametrize(("first", "second"), pairs(PROGRAMS))
def test_every_declared_exclusion_has_an_outcome(first, second):
    for starts in product((EARLY, LATE, None), repeat=2):
        found = ends(first, second, *starts)
        assert found is not None
        assert {found.program, found.kept} == {first, second}
        assert found.effect is not Effect.CONTINUE
