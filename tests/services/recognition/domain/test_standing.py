"""Standing: any order of what is heard leads to the same."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from services.recognition.domain.standing import (
    Finding,
    Opinion,
    Standing,
    finding_of,
    with_finding,
    with_opinion,
)
from shared.contracts.vocabulary import CaseConclusion, Decision

START = datetime(2023, 11, 1, tzinfo=UTC)
instants = st.integers(0, 5).map(lambda hours: START + timedelta(hours=hours))
opinions = st.builds(Opinion, decision=st.sampled_from(Decision), said_at=instants, said_id=st.uuids(version=4))
findings = st.tuples(st.sampled_from(Finding), instants)


def folded(heard):
    standing = Standing()
    for each in heard:
        standing = with_opinion(standing, each) if isinstance(each, Opinion) else with_finding(standing, *each)
    return standing


@given(
    st.lists(opinions | findings, max_size=8).flatmap(lambda heard: st.tuples(st.just(heard), st.permutations(heard)))
)
def test_any_order_gives_the_same_standing(both):
    heard, shuffled = both
    assert folded(heard) == folded(shuffled)


@given(st.lists(opinions | findings, max_size=8))
def test_hearing_everything_twice_changes_nothing(heard):
    assert folded(heard) == folded([*heard, *heard])


def suspicion(hours: int) -> Opinion:
    return Opinion(decision=Decision.SUSPECTED, said_at=START + timedelta(hours=hours), said_id=UUID(int=hours))


def test_a_suspicion_opens_a_review_and_a_clearance_ends_it():
    standing = with_opinion(Standing(), suspicion(1))
    assert standing.under_review
    assert not with_finding(standing, Finding.CLEARS, START + timedelta(hours=2)).under_review


def test_a_new_suspicion_after_a_clearance_opens_it_again():
    standing = with_finding(with_opinion(Standing(), suspicion(1)), Finding.CLEARS, START + timedelta(hours=2))
    assert with_opinion(standing, suspicion(3)).under_review


def test_a_confirmed_case_answers_the_suspicion_and_a_later_one_asks_again():
    standing = with_finding(with_opinion(Standing(), suspicion(1)), Finding.CONFIRMS, START + timedelta(hours=2))
    assert not standing.under_review
    assert with_opinion(standing, suspicion(3)).under_review


def test_what_conclusions_mean():
    assert {each: finding_of(each) for each in CaseConclusion} == {
        CaseConclusion.UNFOUNDED: Finding.CLEARS,
        CaseConclusion.FALSE_DEATH: Finding.CLEARS,
        CaseConclusion.CONFIRMED: Finding.CONFIRMS,
        CaseConclusion.CONFIRMED_NO_OVERPAYMENT: Finding.CONFIRMS,
        CaseConclusion.INCONCLUSIVE: Finding.NEITHER,
    }
