"""The answer: the same in the domain and in the database."""

from datetime import date, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.recognition.domain.answers import View, answer, evidence_class, hints
from services.recognition.domain.enrolments import Status
from services.recognition.domain.months import valid_until
from shared.contracts.vocabulary import Answer, Channel, Claim

TODAY = date(2023, 11, 1)
DAYS = [None, TODAY - timedelta(days=400), TODAY - timedelta(days=30), TODAY, TODAY + timedelta(days=1)]


@given(
    st.builds(
        View,
        enrolled=st.booleans(),
        status=st.sampled_from(Status),
        under_review=st.booleans(),
        valid_until=st.none() | st.dates(date(2022, 1, 1), date(2025, 1, 1)),
        as_of=st.none() | st.dates(date(2022, 1, 1), TODAY),
    )
)
def test_only_a_valid_certificate_of_a_listed_person_nobody_looks_into_is_recognised(view):
    recognised = answer(view, TODAY) is Answer.RECOGNISED
    good = view.enrolled and view.status in {Status.ACTIVE, Status.NOTICE} and not view.under_review
    assert recognised == bool(good and view.as_of and view.valid_until and view.valid_until >= TODAY)


def test_a_caller_may_ask_for_fresher_evidence():
    view = View(
        enrolled=True,
        status=Status.ACTIVE,
        under_review=False,
        valid_until=TODAY,
        as_of=TODAY - timedelta(days=31),
    )
    assert answer(view, TODAY, 31) is Answer.RECOGNISED
    assert answer(view, TODAY, 30) is Answer.NOT_YET


@pytest.mark.db
async def test_the_database_says_what_the_domain_says(world):
    cases = [
        case
        for case in product([True, False, None], Status, [True, False], DAYS, DAYS, [None, 30, 365])
        if (case[3] is None) == (case[4] is None)
    ]
    listed, status, review, until, as_of, age = map(list, zip(*cases, strict=True))
    rows = await world.rows(
        "SELECT answer(l, s, r, u, a, $1::date, m) AS said FROM unnest($2::bool[], $3::text[], $4::bool[], $5::date[], "
        "$6::date[], $7::int[]) WITH ORDINALITY AS c (l, s, r, u, a, m, ord) ORDER BY ord",
        TODAY, listed, [str(each) for each in status], review, until, as_of, age,
    )  # fmt: skip
    expected = [
        answer(View(enrolled=bool(on), status=s, under_review=r, valid_until=u, as_of=a), TODAY, m)
        for on, s, r, u, a, m in cases
    ]
    assert [row["said"] for row in rows] == expected


@pytest.mark.db
async def test_the_database_counts_months_as_the_domain_does(world):
    days = [date(2022, 1, 1) + timedelta(days=step) for step in range(0, 900, 7)]
    cases = list(product(days, [1, 6, 12], [None, 3, 12]))
    rows = await world.rows(
        "SELECT valid_until(d, c, p) AS until FROM unnest($1::date[], $2::int[], $3::int[]) WITH ORDINALITY "
        "AS t (d, c, p, ord) ORDER BY ord",
        *map(list, zip(*cases, strict=True)),
    )
    assert [row["until"] for row in rows] == [valid_until(*case) for case in cases]


def test_a_partner_learns_a_class_and_a_hint_only():
    assert {str(evidence_class(channel)) for channel in Channel} == {"in_person", "data"}
    assert hints(Channel.HOME) == {Claim.NOT_IN_CUSTODY}
    assert hints(Channel.DATA) == hints(None) == frozenset()
