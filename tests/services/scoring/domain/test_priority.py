"""The order of visits by example: each pair differs in one thing."""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pytest

from services.scoring.domain.priority import Candidates, spoken, visit_risks
from services.scoring.domain.signals import Kind, among, empty, union
from services.scoring.domain.weighing import scale_of
from tests.services.scoring.people import ORIGINS, RULES, TODAY, Saw, signals_of, subject_of

SCALE = scale_of(RULES, ORIGINS, TODAY)


@dataclass(frozen=True)
class Found:
    risk: float
    reasons: tuple[str, ...]


def risk_of(saws: list[Saw], *, age: float = 78, male: float = 1) -> Found:
    people = np.frombuffer(subject_of("a").bytes, dtype="S16")
    known = among(signals_of(saws) if saws else empty(), people)
    found = visit_risks(known, ORIGINS, SCALE, Candidates(age=np.asarray([age]), male=np.asarray([male])))
    return Found(float(found.risk[0]), tuple(spoken(int(found.reasons[0]))))


def seen(source: str, *days: int) -> list[Saw]:
    return [Saw(source=source, on=TODAY - timedelta(days=day)) for day in days]


WEEKLY = seen("transport_bus_card", *range(70, 300, 7))
RARELY = seen("transport_bus_card", 70, 170, 270)
HINTED = [Saw(source="civil_cremation/5", on=TODAY - timedelta(days=20), kind=Kind.HINT)]


@pytest.mark.parametrize(
    ("sooner", "later"),
    [
        (risk_of(RARELY, age=93), risk_of(RARELY, age=68)),
        (risk_of(RARELY, age=96), risk_of(RARELY, age=94.9)),
        (risk_of(RARELY, male=1), risk_of(RARELY, male=0)),
        (risk_of(WEEKLY), risk_of(RARELY)),
        (risk_of(seen("medins_inpatient", 70)), risk_of(seen("rail_trip", 70))),
        (risk_of(seen("transport_bus_card", 200)), risk_of(seen("transport_bus_card", 20))),
        (risk_of(seen("transport_bus_card", 100)), risk_of(seen("rail_trip", 100))),
        # Weak evidence alone for two windows, as against one: by the last sight in person, or the first sight at all.
        (
            risk_of([*seen("transport_bus_card", 70, 170, 270), *seen("rail_trip", 740)]),
            risk_of([*seen("transport_bus_card", 70, 170, 270), *seen("rail_trip", 370)]),
        ),
        (risk_of(seen("transport_bus_card", 70, 170, 270, 800)), risk_of(RARELY)),
        (risk_of(HINTED + RARELY), risk_of(RARELY)),
        (risk_of(HINTED + RARELY), risk_of(HINTED + seen("transport_bus_card", 2, 70, 170, 270))),
        (risk_of([]), risk_of(seen("rail_trip", 30))),
    ],
)
def test_who_is_visited_sooner(sooner: Found, later: Found) -> None:
    assert sooner.risk > later.risk


@pytest.mark.parametrize(
    ("saws", "age", "reasons"),
    [
        ([*WEEKLY, *seen("medins_inpatient", 60)], 78, ("silent_against_habit", "hospital_without_return")),
        (seen("rail_trip", 200), 96, ("unseen_half_year", "oldest")),
        (seen("transport_bus_card", 20), 78, ("weak_only",)),
        ([], 78, ("never_seen",)),
        (HINTED, float("nan"), ("unidentified_record", "never_seen")),
        (seen("rail_trip", 20), 78, ()),
    ],
)
def test_reasons_stand_beside_the_risk(saws: list[Saw], age: float, reasons: tuple[str, ...]) -> None:
    assert risk_of(saws, age=age).reasons == reasons


def test_a_risk_without_age_or_sex_lies_between_those_with() -> None:
    assert risk_of(RARELY, male=0).risk < risk_of(RARELY, male=float("nan")).risk < risk_of(RARELY, male=1).risk
    assert risk_of(RARELY, age=float("nan")).risk == risk_of(RARELY, age=70).risk


def test_risks_are_weights_between_nought_and_one_and_the_same_for_one_as_for_many() -> None:
    parts = [signals_of([Saw(who=who, source=saw.source, on=saw.on) for saw in saws])
             for who, saws in (("a", WEEKLY), ("b", RARELY), ("c", seen("medins_inpatient", 60)))]  # fmt: skip
    many = union(parts, ORIGINS)
    ages = Candidates(age=np.full(3, 78.0), male=np.ones(3))
    found = visit_risks(many, ORIGINS, SCALE, ages)
    assert ((found.risk > 0) & (found.risk < 1)).all()
    one = Candidates(age=np.full(1, 78.0), male=np.ones(1))
    alone = [visit_risks(many.take(many.subjects[[place]]), ORIGINS, SCALE, one).risk[0] for place in range(3)]
    assert found.risk.tolist() == alone
