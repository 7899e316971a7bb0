"""Draws keep their counts and their bounds."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from deploy.demo.city.chance import capped, draw_by_weight, inside, pick, split_exactly, stream

weights = arrays(np.float64, st.integers(1, 30), elements=st.floats(0.01, 100))


@given(total=st.integers(0, 10_000), parts=weights)
def test_a_split_adds_up_and_stays_within_one_of_its_share(total, parts):
    split = split_exactly(total, parts)
    assert split.sum() == total
    assert np.all(np.abs(split - parts / parts.sum() * total) <= 1 + 1e-6)


@given(count=st.integers(0, 500), odds=weights)
def test_a_draw_has_the_count_asked_for_and_follows_the_weights(count, odds):
    drawn = draw_by_weight(stream(1, "draw"), odds, count)
    assert len(drawn) == count
    times = np.bincount(drawn, minlength=len(odds))
    assert np.all(np.abs(times - odds / odds.sum() * count) <= 1 + 1e-6)


@given(odds=weights, limit=st.integers(1, 5))
def test_nobody_is_expected_more_often_than_the_limit(odds, limit):
    assert capped(odds, len(odds) * limit // 2 + 1, limit).max() <= limit


@given(first=st.integers(0, 364), length=st.integers(1, 365))
def test_days_lie_within_their_span(first, length):
    after = min(first + length, 365)
    spans = np.full(50, first, dtype=np.int16), np.full(50, after, dtype=np.int16)
    days = inside(stream(2, "days"), np.linspace(0, 1, 366), *spans)
    assert days.min() >= first
    assert days.max() < after


@given(count=st.integers(0, 40))
def test_picked_members_are_different_and_of_the_mask(count):
    mask = np.arange(30) % 2 == 0
    picked = pick(stream(3, "pick"), mask, count)
    assert len(picked) == len(set(picked.tolist())) == min(count, 15)
    assert mask[picked].all()


def test_the_same_part_draws_the_same_and_another_part_differs():
    assert stream(1, "a").integers(0, 1 << 40) == stream(1, "a").integers(0, 1 << 40)
    assert stream(1, "a").integers(0, 1 << 40) != stream(1, "b").integers(0, 1 << 40)
