"""What must hold for any evidence: order, repetition and split change nothing; weak evidence of one never certifies."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from services.scoring.domain.assessment import assess
from services.scoring.domain.changes import Stored, difference, divide
from services.scoring.domain.opinions import Opinions
from services.scoring.domain.signals import Kind, Signals, empty, from_rows, union
from services.scoring.domain.weighing import scale_of
from tests.services.scoring.people import (
    ORIGINS,
    RULES,
    STRONG,
    TODAY,
    WEAK,
    Saw,
    by_subject,
    rows_of,
)

SCALE = scale_of(RULES, ORIGINS, TODAY)
DAYS = st.integers(0, 420).map(lambda back: TODAY - timedelta(days=back))
NEGATIVES = [kind for kind in Kind if kind is not Kind.SEEN]


@st.composite
def weak_saws(draw: st.DrawFn, sources: tuple[str, ...] = tuple(WEAK)) -> Saw:
    return Saw(
        who=draw(st.sampled_from("abc")),
        source=draw(st.sampled_from(sources)),
        on=draw(DAYS),
        full=draw(st.booleans()),
        evidence=draw(st.integers(1, 50)),
    )


@st.composite
def any_saws(draw: st.DrawFn) -> Saw:
    saw = draw(weak_saws(sources=(*WEAK, *STRONG)))
    if saw.source in STRONG and draw(st.booleans()):
        return replace(saw, kind=draw(st.sampled_from(NEGATIVES)))
    return saw


some_saws = st.lists(any_saws(), min_size=1, max_size=40)


def signals(saws: list[Saw]) -> Signals:
    return from_rows([rows_of(saws)], ORIGINS) if saws else empty()


def same(left: Signals, right: Signals) -> bool:
    return all(
        np.array_equal(getattr(left, name), getattr(right, name))
        for name in ("subjects", "starts", "origin", "day", "kind", "full", "evidence")
    )


def stored_as(opinions: Opinions) -> Stored:
    order = np.argsort(opinions.subjects)
    opinions = opinions.take(order)
    first = [
        int(opinions.evidence.of(person)[0]) if len(opinions.evidence.of(person)) else 2**63 - 1
        for person in range(len(opinions))
    ]
    return Stored(
        subjects=opinions.subjects,
        level=opinions.level.astype(np.int64),
        decision=opinions.decision.astype(np.int64),
        strength=opinions.strength.astype(np.int64),
        as_of=opinions.as_of.astype(np.int64),
        evidence=np.asarray(first, dtype=np.int64),
        marked=opinions.marked,
        digest=opinions.digests(),
    )


@settings(deadline=None)
@given(st.lists(any_saws(), max_size=40), st.randoms(use_true_random=False), st.data())
def test_any_order_repetition_and_split_gives_the_same_signals(saws, random, data) -> None:
    whole = signals(saws)
    shuffled = saws + data.draw(st.lists(st.sampled_from(saws), max_size=10) if saws else st.just([]))
    random.shuffle(shuffled)
    cut = data.draw(st.integers(0, len(shuffled)))
    left, right = signals(shuffled[:cut]), signals(shuffled[cut:])
    assert same(union([left, right], ORIGINS), whole)
    assert same(union([right, left, left], ORIGINS), whole)
    assert same(union([whole, whole], ORIGINS), whole)


@settings(deadline=None)
@given(st.lists(any_saws(), min_size=1, max_size=60))
def test_assessing_many_is_assessing_each_alone(saws) -> None:
    together = by_subject(assess(signals(saws), ORIGINS, SCALE))
    alone: dict[bytes, dict[str, Any]] = {}
    for who in {saw.who for saw in saws}:
        alone |= by_subject(assess(signals([saw for saw in saws if saw.who == who]), ORIGINS, SCALE))
    assert together == alone


@settings(max_examples=200, deadline=None)
@given(st.lists(st.lists(any_saws(), max_size=12), min_size=1, max_size=5))
def test_sweeping_in_any_split_ends_in_the_opinions_of_all_signals_at_once(batches) -> None:
    kept, stored = empty(), stored_as(assess(empty(), ORIGINS, SCALE))
    opinions: dict[bytes, dict[str, Any]] = {}
    digests: dict[bytes, int] = {}
    for batch in batches:
        new = signals(batch)
        work = divide(new, stored, SCALE)
        whole = union([kept.take(work.whole), new.take(work.whole)], ORIGINS)
        for formed in (assess(new.take(work.own), ORIGINS, SCALE), assess(whole, ORIGINS, SCALE)):
            opinions |= by_subject(formed)
            digests |= dict(zip(by_subject(formed), formed.digests().tolist(), strict=True))
        kept = union([kept, new], ORIGINS)
        # What the rows would hold now: the opinions kept so far, not those of all signals.
        everyone = assess(kept, ORIGINS, SCALE)
        assert by_subject(everyone) == opinions
        assert dict(zip(by_subject(everyone), everyone.digests().tolist(), strict=True)) == digests
        stored = stored_as(everyone)


@settings(deadline=None)
@given(st.lists(any_saws(), min_size=1, max_size=40))
def test_opinions_that_did_not_change_are_not_said_again(saws) -> None:
    opinions = assess(signals(saws), ORIGINS, SCALE)
    differs = difference(opinions, opinions.digests(), stored_as(opinions))
    assert len(differs.changed) == len(differs.said) == 0


@settings(deadline=None)
@given(st.sampled_from(sorted(set(WEAK.values()))), st.data())
def test_weak_evidence_of_one_department_never_certifies(department, data) -> None:
    sources = tuple(source for source, owner in WEAK.items() if owner == department)
    saws = data.draw(st.lists(weak_saws(sources=sources), min_size=1, max_size=120))
    for said in by_subject(assess(signals(saws), ORIGINS, SCALE)).values():
        assert said["decision"] == "insufficient"


@settings(deadline=None)
@given(st.lists(any_saws(), min_size=1, max_size=60))
def test_whoever_has_a_standing_negative_is_never_certifiable(saws) -> None:
    for said in by_subject(assess(signals(saws), ORIGINS, SCALE)).values():
        blocked = any(each.blocks for each in said["suspicions"])
        assert (said["decision"] == "suspected") == blocked


@settings(deadline=None)
@given(st.lists(any_saws(), min_size=1, max_size=60))
def test_every_certification_rests_on_evidence_of_the_window(saws) -> None:
    ids = {saw.evidence for saw in saws}
    for said in by_subject(assess(signals(saws), ORIGINS, SCALE)).values():
        if said["decision"] == "certifiable":
            assert said["evidence"]
            assert set(said["evidence"]) <= ids
            assert date(2022, 11, 1) < said["as_of"] <= TODAY
