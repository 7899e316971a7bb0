"""A study: every method on every city, and every order of the visits that the rules in force leave."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from services.scoring import policies
from tests.bench.accuracy import methods
from tests.bench.accuracy.measure import Counts, Visits, added, measure, of, visits
from tests.bench.accuracy.methods import Learned, Method, Verdicts, under
from tests.bench.accuracy.replay import TODAY, Replay, replay

OURS = "rule set in force"
ORDERS = ("our order", "the oldest first", "the longest unseen first", "logistic regression")


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """What was found: counts by method and seed, and visits by seed."""

    seeds: tuple[int, ...]
    learned_from: int
    scale: float
    rule_set: str
    counts: Mapping[str, Mapping[int, Counts]]
    visits: Mapping[int, Visits]

    def total(self, method: str) -> Counts:
        """All cities together."""
        return added(list(self.counts[method].values()))

    def share(self, order: str, visits: float = 0.1) -> float:
        """Of the lost whom visits could find in all cities, the share that the first visits find."""
        lost = sum(each.lost for each in self.visits.values())
        return sum(each.share(order, visits) * each.lost for each in self.visits.values()) / max(lost, 1)


def study(seeds: tuple[int, ...], learn_from: int, scale: float) -> Study:
    """Study some cities; the regression learns from another."""
    if learn_from in seeds:
        msg = "the regression must not learn from a city that it is measured on"
        raise ValueError(msg)
    learned = methods.learn(replay(learn_from, scale))
    ways = ways_with(learned)
    counts: dict[str, dict[int, Counts]] = {name: {} for name in ways}
    ordered: dict[int, Visits] = {}
    for seed in seeds:
        found = replay(seed, scale)
        for name, way in ways.items():
            counts[name][seed], verdicts = measure(found, way)
            if name == OURS:
                ordered[seed] = _visits(found, verdicts, learned)
    return Study(
        seeds=seeds,
        learned_from=learn_from,
        scale=scale,
        rule_set=methods.rules_today().name,
        counts=counts,
        visits=ordered,
    )


def ways_with(learned: Learned) -> dict[str, Method]:
    """All methods by name: ours, the other versions of our rules, the three baselines."""
    current = methods.rules_today()
    others = {each.name: under(each) for each in policies.load() if each.name != current.name}
    return {
        OURS: under(current),
        **others,
        "strong only": methods.strong_only,
        "plain point sum": methods.point_sum,
        "logistic regression": learned,
    }


def _visits(found: Replay, verdicts: Verdicts, learned: Learned) -> Visits:
    chosen = np.flatnonzero(~verdicts.certified & ~verdicts.suspected)
    signals = of(found, chosen)
    weights = (
        methods.by_rule_set(found, signals, chosen),
        methods.by_age(found, signals, chosen),
        methods.by_silence(found, signals, chosen),
        learned.risk(found, signals, TODAY, chosen),
    )
    return visits(found, chosen, dict(zip(ORDERS, weights, strict=True)))
