"""The order of visits by example: each pair differs in one thing."""

from datetime import date, timedelta

import numpy as np
import pytest

from services.scoring.domain.priority import Candidate, VisitRisk, visit_risks
from services.scoring.domain.weighing import scale_of
from tests.services.scoring.people import ORIGINS, RULES, TODAY, Saw, signals_of


def risk_of(saws: list[Saw], *, born: int = 1945, male: bool | None = True) -> VisitRisk:
    scale = scale_of(RULES, ORIGINS, TODAY)
    candidate = Candidate(born_on=date(born, 7, 1), male=male)
    return visit_risks(signals_of(saws), ORIGINS, scale, [candidate])[0]


def seen(source: str, *days: int) -> list[Saw]:
    return [Saw(source=source, on=TODAY - timedelta(days=day)) for day in days]


WEEKLY = seen("transport_bus_card", *range(70, 300, 7))
RARELY = seen("transport_bus_card", 70, 170, 270)


@pytest.mark.parametrize(
    ("sooner", "later"),
    [
        (risk_of(RARELY, born=1930), risk_of(RARELY, born=1955)),
        (risk_of(RARELY, male=True), risk_of(RARELY, male=False)),
        (risk_of(WEEKLY), risk_of(RARELY)),
        (risk_of(seen("medins_inpatient", 70)), risk_of(seen("rail_trip", 70))),
        (risk_of(seen("transport_bus_card", 200)), risk_of(seen("transport_bus_card", 20))),
        (risk_of(seen("transport_bus_card", 100)), risk_of(seen("rail_trip", 100))),
    ],
)
def test_who_is_visited_sooner(sooner: VisitRisk, later: VisitRisk) -> None:
    assert sooner.risk > later.risk


def test_reasons_stand_beside_the_risk() -> None:
    found = risk_of([*WEEKLY, *seen("medins_inpatient", 60)])
    assert found.reasons == ("silent_against_habit", "hospital_without_return", "age:78")
    assert found.silent_days == 60


def test_risks_are_weights_between_nought_and_one() -> None:
    risks = [risk_of(saws, born=born).risk for saws in (WEEKLY, RARELY) for born in (1915, 1950, 2020)]
    assert np.all((np.asarray(risks) > 0) & (np.asarray(risks) < 1))
