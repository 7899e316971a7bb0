"""Enrolments: every transition there is, and that no machine stops anybody."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.recognition.domain.enrolments import (
    STOPPED,
    TRANSITIONS,
    Decision,
    Status,
    Step,
    TransitionError,
    after,
)

TWO = Decision(decided_by="officer-1", confirmed_by="officer-2")
NOT_TWO = [
    None,
    Decision(decided_by="officer-1", confirmed_by=None),
    Decision(decided_by="officer-1", confirmed_by="officer-1"),
]


@pytest.mark.parametrize(("status", "step"), sorted(product(Status, Step)))
@pytest.mark.parametrize("decision", NOT_TWO)
def test_no_step_leads_to_a_stop_without_a_decision_of_two(status, step, decision):
    try:
        reached = after(status, step, decision)
    except TransitionError:
        return
    # Staying suspended while a further stop is given up is no stop.
    assert reached is status or reached not in STOPPED | {Status.NOTICE}


@pytest.mark.parametrize(("status", "step"), sorted(product(Status, Step)))
def test_two_people_reach_what_the_table_names_and_nothing_else(status, step):
    if (status, step) in TRANSITIONS:
        assert after(status, step, TWO) is TRANSITIONS[status, step]
    else:
        with pytest.raises(TransitionError):
            after(status, step, TWO)


@given(st.lists(st.sampled_from(Step)))
def test_every_way_to_a_stop_passes_a_notice(steps):
    status, noticed = Status.ACTIVE, False
    for step in steps:
        try:
            reached = after(status, step, TWO)
        except TransitionError:
            continue
        noticed = noticed or step is Step.GIVE_NOTICE
        assert reached not in STOPPED or noticed
        noticed = noticed and reached is not Status.ACTIVE
        status = reached
