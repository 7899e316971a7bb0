"""Ways to decide on the same signals: the rule set, and three baselines; and ways to order visits."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from services.scoring import policies
from services.scoring.domain.assessment import assess
from services.scoring.domain.opinions import CERTIFIABLE, SUSPECTED
from services.scoring.domain.priority import Candidates, visit_risks
from services.scoring.domain.rules import RuleSet
from services.scoring.domain.signals import Kind, Signals
from services.scoring.domain.weighing import Scale, positive_rows, scale_of
from tests.bench.accuracy.replay import TODAY, Array, Replay, on

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

_ENDS = (Kind.DIED, Kind.HOSPITAL_DEATH, Kind.DECLARED_DEAD, Kind.CUSTODY, Kind.SENTENCED_CUSTODY, Kind.DETAINED,
         Kind.DECLARED_MISSING)  # fmt: skip
_ALIVE = 0.9995
_NEVER = 500


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Verdicts:
    """Masks over people, and the day number of the newest evidence a certification rests on."""

    certified: Array
    suspected: Array
    as_of: Array


Method = Callable[[Replay, Signals, int, Array], Verdicts]
"""Of a replay, signals of the people at these positions, known by a day: what is decided of them."""


@cache
def rules_today() -> RuleSet:
    """The rule set in force on the last day."""
    return policies.in_force(policies.load(), "standard", on(TODAY))


def under(rules: RuleSet) -> Method:
    """Ours, under any rule set."""

    def decide(found: Replay, signals: Signals, day: int, _people: Array) -> Verdicts:
        opinions = assess(signals, found.origins, scale_of(rules, found.origins, on(day)))
        return Verdicts(
            certified=opinions.decision == CERTIFIABLE, suspected=opinions.decision == SUSPECTED, as_of=opinions.as_of
        )

    return decide


def strong_only(found: Replay, signals: Signals, day: int, _people: Array) -> Verdicts:
    """Any strong act within the window certifies, any negative record suspects; weak evidence is ignored."""
    scale = scale_of(rules_today(), found.origins, on(day))
    rows = positive_rows(signals, scale) & scale.strong[signals.origin]
    ended = _any(signals, _ends(signals, scale))
    return Verdicts(certified=_any(signals, rows) & ~ended, suspected=ended, as_of=_newest(signals, rows))


def point_sum(found: Replay, signals: Signals, day: int, _people: Array) -> Verdicts:
    """All points added up, strong ones worth the threshold of the rules: no caps, no decay, no other condition."""
    enough = rules_today().thresholds.points
    scale = scale_of(rules_today(), found.origins, on(day))
    rows = positive_rows(signals, scale)
    points = np.where(scale.strong, enough, scale.points // 1000)[signals.origin]
    total = np.bincount(signals.person_rows()[rows], weights=points[rows], minlength=signals.people)
    ended = _any(signals, _ends(signals, scale))
    return Verdicts(certified=(total >= enough) & ~ended, suspected=ended, as_of=_newest(signals, rows))


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """A logistic regression on counts, silence, age and sex, fitted on a city whose truth it may see.

    Attributes:
        model: predicts that a person is dead, missing or in custody.
        certify_below: on the fitted city, of those below, 99.95 % are alive.
        suspect_from: half.
    """

    model: "Pipeline"
    certify_below: float
    suspect_from: float = 0.5

    def risk(self, found: Replay, signals: Signals, day: int, people: Array) -> Array:
        risk: Array = self.model.predict_proba(_features(found, signals, day, people))[:, 1]
        return risk

    def __call__(self, found: Replay, signals: Signals, day: int, people: Array) -> Verdicts:
        risk = self.risk(found, signals, day, people)
        scale = scale_of(rules_today(), found.origins, on(day))
        return Verdicts(
            certified=risk < self.certify_below,
            suspected=risk >= self.suspect_from,
            as_of=_newest(signals, positive_rows(signals, scale)),
        )


def learn(found: Replay) -> Learned:
    """Fit on the last day of a city."""
    # Loaded here: every worker of the suite collects what imports this module.
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415

    signals, everybody = found.known(TODAY), np.arange(found.people)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    model.fit(_features(found, signals, TODAY, everybody), found.truth.lost)
    learned = Learned(model=model, certify_below=0.0)
    risk = learned.risk(found, signals, TODAY, everybody)
    order = np.argsort(risk, kind="stable")
    wrong = np.cumsum(found.truth.died[order] <= TODAY)
    enough = np.flatnonzero(wrong <= (1 - _ALIVE) * np.arange(1, len(order) + 1))
    return replace(learned, certify_below=float(risk[order[enough[-1]]]) if len(enough) else 0.0)


# ---- orders of visits ------------------------------------------------------------------------------------------------


def by_rule_set(found: Replay, signals: Signals, people: Array) -> Array:
    """Ours, from what grid would send: age and sex."""
    scale = scale_of(rules_today(), found.origins, on(TODAY))
    ages = Candidates(age=found.truth.age[people], male=found.truth.male[people].astype(np.float64))
    return visit_risks(signals, found.origins, scale, ages).risk


def by_age(found: Replay, _signals: Signals, people: Array) -> Array:
    """The oldest first, as a village would."""
    oldest: Array = found.truth.age[people]
    return oldest


def by_silence(found: Replay, signals: Signals, _people: Array) -> Array:
    """Who was seen longest ago first; never seen is longest."""
    scale = scale_of(rules_today(), found.origins, on(TODAY))
    return -_newest(signals, positive_rows(signals, scale))


# ---- columns ---------------------------------------------------------------------------------------------------------


def _ends(signals: Signals, scale: Scale) -> Array:
    ends: Array = np.isin(signals.kind, _ENDS) & (signals.day <= scale.until)
    return ends


def _any(signals: Signals, rows: Array) -> Array:
    return np.bincount(signals.person_rows()[rows], minlength=signals.people) > 0


def _newest(signals: Signals, rows: Array) -> Array:
    newest = np.zeros(signals.people, dtype=np.int64)
    np.maximum.at(newest, signals.person_rows()[rows], signals.day[rows].astype(np.int64))
    return newest


def _features(found: Replay, signals: Signals, day: int, people: Array) -> Array:
    """Shape (people, features): counts and silence by strength, each weak source, negatives, what came after, age, sex."""
    scale = scale_of(rules_today(), found.origins, on(day))
    person, seen, strong = signals.person_rows(), positive_rows(signals, scale), scale.strong[signals.origin]

    def count(rows: Array) -> Array:
        logs: Array = np.log1p(np.bincount(person[rows], minlength=signals.people))
        return logs

    def silence(rows: Array) -> Array:
        silent: Array = np.minimum(day - _newest(signals, rows), _NEVER) / _NEVER
        return silent

    weak_sources = [number for number, item in enumerate(found.origins.items) if not item.strong]
    ends = _ends(signals, scale)
    first_end = np.full(signals.people, np.iinfo(np.int64).max)
    np.minimum.at(first_end, person[ends], signals.day[ends].astype(np.int64))
    truth = found.truth
    columns = [
        count(seen & strong),
        count(seen & ~strong),
        silence(seen & strong),
        silence(seen & ~strong),
        silence(seen),
        *(count(seen & (signals.origin == number)) for number in weak_sources),
        *(count((signals.kind == kind) & (signals.day <= scale.until)) for kind in (*_ENDS, Kind.RELEASED)),
        count(seen & (signals.day > first_end[person])),
        truth.age[people] / 100,
        (truth.age[people] / 100) ** 2,
        truth.male[people],
    ]
    return np.column_stack(columns)
