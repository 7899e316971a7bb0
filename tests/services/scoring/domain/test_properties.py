"""What must hold for any evidence: order, repetition and split change nothing; weak evidence of one never certifies."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.scoring.domain.assessment import assess
from services.scoring.domain.changes import Stored, difference, divide
from services.scoring.domain.opinions import Opinions
from services.scoring.domain.signals import (
    BY_PEOPLE,
    Kind,
    Origin,
    Rows,
    Signals,
    day_number,
    empty,
    from_rows,
    origins_of,
    union,
)
from services.scoring.domain.standing import standing
from services.scoring.domain.suspicions import consequence
from services.scoring.domain.weighing import scale_of
from shared.contracts.vocabulary import CaseConclusion, SuspicionKind
from tests.services.scoring.people import (
    ORIGINS,
    RULES,
    STRONG,
    TODAY,
    WEAK,
    Saw,
    by_subject,
    in_words,
    rows_of,
)

SCALE = scale_of(RULES, ORIGINS, TODAY)
FALSE_DEATH, CONFIRMED = CaseConclusion.FALSE_DEATH, CaseConclusion.CONFIRMED
# Days that decide: side by side, at the edges of what is recent and of the window, and outside.
BACK = (0, 1, 2, 30, 60, 89, 90, 91, 182, 240, 300, 363, 364, 365, 366, 420)
# Half of what registers say is no sight. Of nobody who is seen by two strong sources and a weak one anything else is
# known, and on few days: what a sweep leaves out, it leaves out of such people.
KINDS = [*[Kind.SEEN] * len(Kind), *Kind]


def saws_of(
    sources: tuple[str, ...], kinds: Sequence[Kind] = KINDS, back: Sequence[int] = BACK
) -> st.SearchStrategy[Saw]:
    """Any record of these sources, on these days, of strong ones of these kinds.

    Two numbers are drawn and taken apart: to draw a record piece by piece takes longer than to weigh it.
    """

    def made(what: int, when: int) -> Saw:
        what, kind = divmod(what, len(kinds))
        what, unsure = divmod(what, 2)
        source, who = divmod(what, 3)
        day, again = divmod(when, 3)
        return Saw(
            who="abc"[who],
            source=sources[source],
            on=TODAY - timedelta(days=back[day]),
            kind=kinds[kind] if sources[source] in STRONG else Kind.SEEN,
            full=not unsure,
            evidence=(
                # People conclude at an instant, about one day or several, in a case or by a request.
                -(again + 1)
                if sources[source] in BY_PEOPLE
                # An evidence id is of one record: of one person, source and day, each of which may come more than once.
                else ((who * len(sources) + source) * len(back) + day) * 3 + again + 1
            ),
        )

    what = st.integers(0, len(sources) * 3 * 2 * len(kinds) - 1)
    return st.builds(made, what, st.integers(0, len(back) * 3 - 1))


ANY_SAW = saws_of((*WEAK, *STRONG))
PLAIN_SAW = saws_of(("rail_trip", "police_hotel", "transport_bus_card"), (Kind.SEEN,), (0, 363, 364))
some_saws = st.lists(ANY_SAW, min_size=1, max_size=40)


def signals(saws: list[Saw]) -> Signals:
    return from_rows([rows_of(saws)], ORIGINS) if saws else empty()


def same(left: Signals, right: Signals) -> bool:
    return all(
        np.array_equal(getattr(left, name), getattr(right, name))
        for name in ("subjects", "starts", "origin", "day", "kind", "full", "evidence")
    )


def opinions_by_subject(opinions: Opinions) -> dict[bytes, tuple[int, dict[str, Any]]]:
    """All opinions as readable values, with their fingerprints."""
    words = (in_words(opinions, person) for person in range(len(opinions)))
    return dict(zip(opinions.subjects.tolist(), zip(opinions.digests().tolist(), words, strict=True), strict=True))


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
@given(st.lists(ANY_SAW, max_size=40), st.randoms(use_true_random=False), st.data())
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
@given(st.lists(ANY_SAW, min_size=1, max_size=60))
def test_assessing_many_is_assessing_each_alone(saws) -> None:
    together = by_subject(assess(signals(saws), ORIGINS, SCALE))
    alone: dict[bytes, dict[str, Any]] = {}
    for who in {saw.who for saw in saws}:
        alone |= by_subject(assess(signals([saw for saw in saws if saw.who == who]), ORIGINS, SCALE))
    assert together == alone


# One source by several origins, as its strength or department was corrected in the catalogue between two deliveries.
VARIANTS = (
    Origin(source="transport_bus_card", department="transport", strong=False),
    Origin(source="transport_bus_card", department="transport", strong=True),
    Origin(source="transport_bus_card", department="rail", strong=False),
    Origin(source="medins_outpatient", department="medins", strong=False),
    Origin(source="medins_outpatient", department="health", strong=True),
    Origin(source="police_hukou_cancel", department="police", strong=True),
    Origin(source="police_hukou_cancel", department="health", strong=True),
)


def said_of(records: Sequence[tuple[Origin, int, bool]], met: Sequence[Origin]) -> dict[str, Any]:
    """The opinion of one person on records (origin, days ago, in full), whose origins were met in this order."""
    origins = origins_of(met)
    rows = Rows(
        subjects=np.repeat(np.asarray([b"a" * 16], dtype="S16"), len(records)),
        origin=np.asarray([met.index(origin) for origin, _, _ in records], dtype=np.uint16),
        day=np.asarray([day_number(TODAY - timedelta(days=back)) for _, back, _ in records], dtype=np.uint16),
        kind=np.asarray([origin.source.startswith("police") for origin, _, _ in records], dtype=np.uint8),
        full=np.asarray([full for _, _, full in records], dtype=bool),
        evidence=np.arange(1, len(records) + 1, dtype=np.int64),
    )
    words = in_words(assess(from_rows([rows], origins), origins, scale_of(RULES, origins, TODAY)))
    return words | {"evidence": sorted(words["evidence"])}


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(VARIANTS), st.sampled_from((1, 2, 30)), st.booleans()), min_size=1, max_size=12),
    st.permutations(VARIANTS),
)
def test_which_origin_was_met_first_changes_nothing(records, met) -> None:
    assert said_of(records, met) == said_of(records, VARIANTS)


def test_of_one_fact_told_weakly_and_strongly_the_strong_telling_counts() -> None:
    weak, strong = VARIANTS[:2]
    for met in ((weak, strong), (strong, weak)):
        said = said_of([(weak, 2, True), (strong, 2, True)], met)
        assert (said["decision"], said["evidence"]) == ("certifiable", [2])


def batches_of(saws: st.SearchStrategy[Saw]) -> st.SearchStrategy[list[tuple[int, list[Saw]]]]:
    """What is heard between sweeps, each with the days that have passed."""
    return st.lists(st.tuples(st.sampled_from((0, 0, 1, 40)), st.lists(saws, max_size=12)), min_size=1, max_size=5)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from((ANY_SAW, PLAIN_SAW)).flatmap(batches_of))
def test_sweeping_in_any_split_ends_in_the_opinions_of_all_signals_at_once(batches) -> None:
    today, kept, everyone = TODAY, empty(), assess(empty(), ORIGINS, SCALE)
    for days, batch in batches:
        # A day may begin between two sweeps: what is stored then holds for the day before.
        today += timedelta(days=days)
        scale, new, stored = scale_of(RULES, ORIGINS, today), signals(batch), stored_as(everyone)
        work = divide(new, stored, scale)
        assert not set(work.own.tolist()) & set(work.whole.tolist())
        whole = union([kept.take(work.whole), new.take(work.whole)], ORIGINS)
        held = opinions_by_subject(everyone)
        for some in (new.take(work.own), whole):
            held |= opinions_by_subject(assess(some, ORIGINS, scale)) if some.people else {}
        kept = union([kept, new], ORIGINS)
        everyone = assess(kept, ORIGINS, scale)
        wanted = opinions_by_subject(everyone)
        touched = wanted if not days else set(new.subjects.tolist())
        assert {each: held[each] for each in touched} == {each: wanted[each] for each in touched}


@settings(deadline=None)
@given(st.lists(ANY_SAW, min_size=1, max_size=40))
def test_opinions_that_did_not_change_are_not_said_again(saws) -> None:
    opinions = assess(signals(saws), ORIGINS, SCALE)
    differs = difference(opinions, opinions.digests(), stored_as(opinions))
    assert len(differs.changed) == len(differs.said) == 0


ONE_DEPARTMENT = (
    *(
        Origin(source=source, department="hrss", strong=True)
        for source in ("face_auth", "counter", "card_issue", "class")
    ),
    Origin(source="hrss_card_consume", department="hrss", strong=False),
)
ENOUGH_BUT_OF_ONE = [(origin, back, False) for origin in ONE_DEPARTMENT for back in range(6)]


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(ONE_DEPARTMENT), st.integers(0, 364), st.just(False)), min_size=20))
@example(ENOUGH_BUT_OF_ONE)
def test_weak_evidence_of_one_department_never_certifies(records) -> None:
    """Nor strong acts that fit the number alone: four sources of them have points, sources and days enough."""
    said = said_of(records, ONE_DEPARTMENT)
    assert said["decision"] == "insufficient"
    if records == ENOUGH_BUT_OF_ONE:
        assert said["reasons"] == ["missing:departments:2"]


@settings(deadline=None)
@given(st.lists(ANY_SAW, min_size=1, max_size=60))
def test_whoever_has_a_standing_negative_is_never_certifiable(saws) -> None:
    for said in by_subject(assess(signals(saws), ORIGINS, SCALE)).values():
        blocked = any(each.blocks for each in said["suspicions"])
        assert (said["decision"] == "suspected") == blocked


@settings(deadline=None)
@given(st.lists(ANY_SAW, min_size=1, max_size=60))
def test_every_certification_rests_on_evidence_of_the_window(saws) -> None:
    ids = {saw.evidence for saw in saws}
    for said in by_subject(assess(signals(saws), ORIGINS, SCALE)).values():
        if said["decision"] == "certifiable":
            assert said["evidence"]
            assert set(said["evidence"]) <= ids
            assert date(2022, 11, 1) < said["as_of"] <= TODAY


def corrected(saw: Saw) -> Saw:
    """The correction of a record."""
    return Saw(who=saw.who, source="evidence_correction", on=saw.on, kind=Kind.TAKEN_BACK, evidence=saw.evidence)


def numbered(saws: list[Saw]) -> list[Saw]:
    """As ingest numbers them: no evidence id twice."""
    kinds = [kind for kind in Kind if kind is not Kind.TAKEN_BACK]
    return [replace(saw, evidence=place + 1) for place, saw in enumerate(saws) if saw.kind in kinds]


@settings(max_examples=200, deadline=None)
@given(st.lists(ANY_SAW, min_size=1, max_size=30), st.data(), st.randoms(use_true_random=False))
def test_a_correction_leaves_what_would_be_if_the_record_had_never_come(saws, data, random) -> None:
    records = [saw for saw in numbered(saws) if not saw.kind.name.startswith("REFUTED")]
    wrong = data.draw(st.lists(st.sampled_from(records), unique=True) if records else st.just([]))
    right = [saw for saw in records if saw not in wrong]
    every = records + [corrected(saw) for saw in wrong] + [corrected(saw) for saw in wrong[:2]]
    random.shuffle(every)
    cut = data.draw(st.integers(0, len(every)))
    signed = union([signals(every[cut:]), signals(every[:cut])], ORIGINS)
    said, wanted = (by_subject(assess(each, ORIGINS, SCALE)) for each in (signed, signals(right)))
    nothing = {"level": "low", "decision": "insufficient", "reasons": ["no_evidence"]}
    for subject, words in said.items():
        expected = wanted.get(subject)
        if expected is None:
            assert {name: words[name] for name in nothing} == nothing
        else:
            assert words == expected


@settings(deadline=None)
@given(st.lists(ANY_SAW, min_size=1, max_size=30))
def test_what_counts_is_each_fact_once_in_order(saws) -> None:
    counted = standing(signals(saws), ORIGINS)
    raw = counted.subjects.view(np.uint8).reshape(-1, 16)
    facts = [
        (raw[person].tobytes(), int(ORIGINS.source_numbers[origin]), day, kind, min(evidence, 0))
        for person, origin, day, kind, evidence in zip(
            counted.person_rows().tolist(),
            counted.origin.tolist(),
            counted.day.tolist(),
            counted.kind.tolist(),
            counted.evidence.tolist(),
            strict=True,
        )
        if kind != Kind.HINT
    ]
    assert len(facts) == len(set(facts))
    assert [fact[:4] for fact in facts] == sorted(fact[:4] for fact in facts)


CONCLUSIONS = st.tuples(
    st.sampled_from(sorted(BY_PEOPLE)),
    st.sampled_from((FALSE_DEATH, CONFIRMED)),
    st.sampled_from(BACK),
    st.integers(1, 5),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(CONCLUSIONS, min_size=1, max_size=8), st.data())
def test_of_what_people_conclude_the_latest_stands_and_a_sighting_refutes_no_later_day(conclusions, data) -> None:
    facts = [
        Saw(source=source, on=TODAY - timedelta(days=back), kind=kind, evidence=-said)
        for source, conclusion, back, said in conclusions
        for follows in [consequence(SuspicionKind.DEATH, conclusion)]
        if follows is not None
        for kind in (*follows.refuted, *follows.explained, *follows.found)
    ]
    trip = Saw(source="rail_trip", on=TODAY - timedelta(days=2), evidence=1)
    shuffled = data.draw(st.permutations([trip, *facts, *facts[:2]]))
    cut = data.draw(st.integers(0, len(shuffled)))
    [words] = by_subject(
        assess(union([signals(shuffled[cut:]), signals(shuffled[:cut])], ORIGINS), ORIGINS, SCALE)
    ).values()
    alive = {(back, said) for _, conclusion, back, said in conclusions if conclusion is FALSE_DEATH}
    dead = [
        said
        for _, conclusion, died, said in conclusions
        if conclusion is CONFIRMED and not any(seen <= died and after >= said for seen, after in alive)
    ]
    deaths = [each.episode for each in words["suspicions"] if each.kind is SuspicionKind.DEATH]
    assert deaths == ([sum(said <= max(dead) for _, said in alive)] if dead else [])
    assert (words["decision"] == "suspected") == bool(deaths)


def test_the_second_record_of_a_fact_counts_when_the_first_is_taken_back() -> None:
    first, second = (Saw(source="rail_trip", on=TODAY - timedelta(days=9), evidence=number) for number in (1, 2))
    for saws in ([first, second, corrected(first)], [corrected(first), second, first]):
        [said] = by_subject(assess(signals(saws), ORIGINS, SCALE)).values()
        assert (said["decision"], said["evidence"]) == ("certifiable", [2])
    [said] = by_subject(assess(signals([first, second, corrected(first), corrected(second)]), ORIGINS, SCALE)).values()
    assert said["decision"] == "insufficient"


def test_conclusions_of_people_cannot_be_taken_back_by_a_department() -> None:
    death = Saw(source="civil_cremation", on=TODAY - timedelta(days=90), kind=Kind.DIED, evidence=1)
    refuted = Saw(source="case_conclusion", on=TODAY - timedelta(days=9), kind=Kind.REFUTED_DEATH, evidence=0)
    [said] = by_subject(assess(signals([death, refuted, corrected(refuted)]), ORIGINS, SCALE)).values()
    assert said["suspicions"] == ()
