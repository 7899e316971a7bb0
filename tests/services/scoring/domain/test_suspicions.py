"""Suspicions: what negatives weigh, one by one."""

from datetime import date
from uuid import UUID

import pytest

from services.scoring.domain.signals import Kind
from services.scoring.domain.suspicions import suspicion_id
from shared.contracts.vocabulary import Confidence, SuspicionKind
from tests.services.scoring.people import Saw, in_words, opinions_of

DAY = date(2023, 5, 1)


@pytest.mark.parametrize(
    ("saws", "kind", "confidence"),
    [
        ([Saw(source="civil_cremation", on=DAY, kind=Kind.DIED)], SuspicionKind.DEATH, Confidence.PROBABLE),
        ([Saw(source="court_judgment", on=DAY, kind=Kind.DECLARED_DEAD)], SuspicionKind.DEATH, Confidence.PROBABLE),
        ([Saw(source="prison_custody", on=DAY, kind=Kind.DETAINED)], SuspicionKind.INCARCERATION, Confidence.HINT),
        ([Saw(source="prison_custody", on=DAY, kind=Kind.CUSTODY)], SuspicionKind.INCARCERATION, Confidence.PROBABLE),
        (
            [Saw(source="court_judgment", on=DAY, kind=Kind.DECLARED_MISSING)],
            SuspicionKind.MISSING,
            Confidence.PROBABLE,
        ),
        (
            # One register twice is one register.
            [
                Saw(source="police_hukou_cancel", on=DAY, kind=Kind.DIED),
                Saw(source="police_hukou_cancel", on=date(2023, 5, 9), kind=Kind.DIED),
            ],
            SuspicionKind.DEATH,
            Confidence.PROBABLE,
        ),
        (
            # A hint beside a register does not make two registers.
            [
                Saw(source="health_inpatient_emr", on=DAY, kind=Kind.HOSPITAL_DEATH),
                Saw(source="police_hukou_cancel", on=DAY, kind=Kind.DIED),
            ],
            SuspicionKind.DEATH,
            Confidence.PROBABLE,
        ),
        (
            [
                Saw(source="civil_cremation", on=DAY, kind=Kind.DIED, full=False),
                Saw(source="police_hukou_cancel", on=DAY, kind=Kind.DIED),
            ],
            SuspicionKind.DEATH,
            Confidence.PROBABLE,
        ),
    ],
)
def test_what_a_negative_weighs(saws: list[Saw], kind: SuspicionKind, confidence: Confidence) -> None:
    [found] = in_words(opinions_of(saws))["suspicions"]
    assert (found.kind, found.confidence, found.blocks) == (kind, confidence, True)


def test_a_positive_between_two_disagreeing_death_dates_supports_the_later_one() -> None:
    saws = [
        Saw(source="civil_cremation", on=date(2023, 1, 1), kind=Kind.DIED),
        Saw(source="police_hukou_cancel", on=date(2023, 6, 1), kind=Kind.DIED),
        Saw(source="hrss_face_auth", on=date(2023, 3, 1)),
    ]
    assert [each.kind for each in in_words(opinions_of(saws))["suspicions"]] == [SuspicionKind.DEATH]


def test_custody_after_a_release_is_custody() -> None:
    saws = [
        Saw(source="prison_custody", on=date(2022, 12, 1), kind=Kind.CUSTODY),
        Saw(source="prison_custody", on=date(2023, 2, 1), kind=Kind.RELEASED),
        Saw(source="prison_custody", on=date(2023, 7, 1), kind=Kind.CUSTODY),
        Saw(source="hrss_face_auth", on=date(2023, 9, 1)),
    ]
    said = in_words(opinions_of(saws))
    [found] = said["suspicions"]
    assert (said["decision"], found.event_on, found.reasons) == (
        "suspected",
        date(2023, 7, 1),
        ("in_custody", "seen_in_person_since"),
    )


def test_a_release_long_ago_is_nothing_to_look_into() -> None:
    saws = [
        Saw(source="prison_custody", on=date(2015, 12, 1), kind=Kind.CUSTODY),
        Saw(source="prison_custody", on=date(2018, 2, 1), kind=Kind.RELEASED),
    ]
    assert in_words(opinions_of(saws))["suspicions"] == ()


def test_the_id_of_a_suspicion_follows_from_person_kind_and_episode() -> None:
    one, other = UUID(int=1), UUID(int=2)
    ids = {suspicion_id(person, kind, number) for person in (one, other) for kind in SuspicionKind for number in (0, 1)}
    assert len(ids) == 2 * len(SuspicionKind) * 2
    assert suspicion_id(one, SuspicionKind.DEATH, 0) == suspicion_id(one, SuspicionKind.DEATH, 0)
