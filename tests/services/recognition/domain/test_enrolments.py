"""Enrolments: every transition there is, and that no machine stops anybody."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.recognition.domain.effects import ANNOUNCES, STEPS
from services.recognition.domain.enrolments import (
    STOPPED,
    TRANSITIONS,
    Decision,
    Status,
    Step,
    TransitionError,
    after,
)
from services.recognition.domain.programs import Effect

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
    assert reached not in STOPPED | {Status.NOTICE}


@pytest.mark.parametrize(("status", "step"), sorted(product(Status, Step)))
def test_two_people_reach_what_the_table_names_and_nothing_else(status, step):
    if (status, step) in TRANSITIONS:
        assert after(status, step, TWO) is TRANSITIONS[status, step]
    else:
        with pytest.raises(TransitionError):
            after(status, step, TWO)


@dataclass(frozen=True)
class Benefit:
    """A benefit and the decisions on it: the one that holds it, those announced beside, a suspension beneath an end."""

    status: Status = Status.ACTIVE
    holder: Effect | None = None
    announced: frozenset[Effect] = frozenset()
    beneath: bool = False


def goes_on(benefit: Benefit, step: Step, announced: frozenset[Effect]) -> Benefit:
    """As `let_go_on`."""
    status, effect = after(benefit.status, step, TWO), next(iter(sorted(announced)), None)
    if effect:
        status = after(status, ANNOUNCES[effect], TWO)
    return Benefit(status, effect, announced)


def ways(benefit: Benefit) -> Iterator[tuple[Effect | None, Benefit]]:
    """Every step officers can take, and which announced decision it concludes; None for the one in effect."""
    for effect, step in ANNOUNCES.items():
        with suppress(TransitionError):
            status = after(benefit.status, step, TWO)
            holder = effect if status is Status.NOTICE else benefit.holder
            yield None, replace(benefit, status=status, holder=holder, announced=benefit.announced | {effect})
    for effect in benefit.announced:
        left = benefit.announced - {effect}
        with suppress(TransitionError):
            status = after(benefit.status, STEPS[effect], TWO)
            yield effect, Benefit(status, effect, left, beneath=benefit.status is Status.SUSPENDED)
        if benefit.holder is effect and benefit.status is Status.NOTICE:
            yield effect, goes_on(benefit, Step.WITHDRAW, left)
        else:
            yield effect, replace(benefit, announced=left)
    if benefit.beneath:
        status = after(benefit.status, Step.SUSPEND_AGAIN, TWO)
        yield None, Benefit(status, Effect.SUSPEND, benefit.announced)
    with suppress(TransitionError):
        step = Step.REINSTATE if benefit.status is Status.TERMINATED else Step.RESUME
        yield None, goes_on(benefit, step, benefit.announced)


def test_whatever_is_decided_on_a_benefit_has_a_way_out():
    seen, waiting = set(), [Benefit()]
    while waiting:
        benefit = waiting.pop()
        if benefit in seen:
            continue
        seen.add(benefit)
        found = list(ways(benefit))
        waiting += [reached for _, reached in found]
        if benefit.status in STOPPED:
            assert any(reached.status not in STOPPED for _, reached in found), benefit
        elif benefit.announced:
            # Whoever is paid while a stop is announced can be stopped by it, and by nothing nobody told him of.
            assert benefit.status is Status.NOTICE, benefit
            assert benefit.holder is not None
            assert after(benefit.status, STEPS[benefit.holder], TWO) in STOPPED
        # What is announced over a suspension can be carried out over it.
        if benefit.status is Status.SUSPENDED:
            assert benefit.announced <= {Effect.TERMINATE}
    assert {each.status for each in seen} == set(Status)


@given(st.lists(st.sampled_from(Step)))
def test_every_way_to_a_stop_passes_a_notice(steps):
    status, noticed = Status.ACTIVE, False
    for step in steps:
        try:
            reached = after(status, step, TWO)
        except TransitionError:
            continue
        noticed = noticed or step in ANNOUNCES.values()
        assert reached not in STOPPED or noticed
        noticed = noticed and reached is not Status.ACTIVE
        status = reached
