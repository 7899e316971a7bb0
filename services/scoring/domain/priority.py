"""The order of visits: whom to see first among those whom data cannot certify.

A risk is the yearly risk of death at that age and sex, for as long as the person has been silent, weighed by how
unlike him the silence is: somebody who was seen every week and is not seen for two months is another case than somebody
who was never seen. It orders visits and nothing else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from services.scoring.domain.rules import Risk
from services.scoring.domain.signals import Array, Origins, Signals
from services.scoring.domain.weighing import Scale, positive_rows

_YEAR = 365.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Somebody who may be visited; age and sex as far as they are known."""

    born_on: date | None
    male: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitRisk:
    """The risk of one candidate and what it comes from.

    Attributes:
        risk: probability-like weight; only its order counts.
        silent_days: since anything positive was seen, at most the window.
        reasons: reason codes, the weightiest first.
    """

    risk: float
    silent_days: int
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Habits:
    """Of each person in the window: records, first and last day seen, whether last in hospital, ever strong."""

    records: Array
    first: Array
    last: Array
    hospital: Array
    strong: Array


def visit_risks(signals: Signals, origins: Origins, scale: Scale, candidates: Sequence[Candidate]) -> list[VisitRisk]:
    """The risk of each person in `signals`, in their order; `candidates` fit them one by one."""
    habits = _habits(signals, origins, scale)
    return [_risk(scale, habits, person, candidate) for person, candidate in enumerate(candidates)]


def _habits(signals: Signals, origins: Origins, scale: Scale) -> _Habits:
    people = signals.people
    rows = np.flatnonzero(positive_rows(signals, scale))
    person = np.searchsorted(signals.starts, rows, side="right") - 1
    day = signals.day[rows].astype(np.int64)
    first, last = np.full(people, scale.until), np.zeros(people, dtype=np.int64)
    np.minimum.at(first, person, day)
    np.maximum.at(last, person, day)
    wards = np.asarray([item.source in scale.rules.risk.hospital_sources for item in origins.items], dtype=bool)
    latest = day == last[person]
    strong, hospital = np.zeros(people, dtype=bool), np.zeros(people, dtype=bool)
    strong[person[scale.strong[signals.origin[rows]]]] = True
    hospital[person[latest & wards[signals.origin[rows]]]] = True
    return _Habits(
        records=np.bincount(person, minlength=people), first=first, last=last, hospital=hospital, strong=strong
    )


def _risk(scale: Scale, habits: _Habits, person: int, candidate: Candidate) -> VisitRisk:
    rules = scale.rules.risk
    records, window = int(habits.records[person]), scale.until - scale.after
    silent = scale.until - int(habits.last[person]) if records else window
    silent = max(silent, rules.shortest_days)
    age = (scale.today - candidate.born_on).days / _YEAR if candidate.born_on else None
    factors: dict[str, float] = {}
    if records >= 2:  # noqa: PLR2004  (a habit needs two days)
        gap = max(1.0, (int(habits.last[person]) - int(habits.first[person])) / (records - 1))
        # How unlikely so long a silence is for somebody seen every `gap` days.
        factors["silent_against_habit"] = min(rules.habit_limit, float(np.exp(min(silent / gap - 1.0, 50.0))))
    elif not records:
        factors["never_seen"] = 1.0
    if habits.hospital[person] and silent > rules.shortest_days:
        factors["hospital_without_return"] = rules.hospital_factor
    if records and not habits.strong[person]:
        factors["weak_only"] = rules.weak_only_factor
    base = _yearly(rules, age, male=candidate.male) * silent / _YEAR
    weight = float(np.prod(list(factors.values()) or [1.0]))
    odds = base * max(weight, 1.0)
    spoken = sorted((name for name, value in factors.items() if value > 1 or name == "never_seen"), key=factors.get)  # type: ignore[arg-type]
    old = (f"age:{int(age)}",) if age is not None else ()
    return VisitRisk(risk=odds / (1 + odds), silent_days=silent, reasons=(*reversed(spoken), *old))


def _yearly(rules: Risk, age: float | None, *, male: bool | None) -> float:
    """Yearly risk of death; the mean of men and women, or that of seventy, where sex or age are unknown."""
    tables: list[Mapping[int, float]] = [rules.male, rules.female]
    if male is not None:
        tables = [rules.male if male else rules.female]
    years = 70.0 if age is None else max(age, 0.0)
    return float(np.mean([table[max(start for start in table if start <= years)] for table in tables])) / 1000
