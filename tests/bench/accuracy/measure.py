"""What a method gets right and wrong on a replayed year."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from services.scoring.domain.signals import Signals, among
from tests.bench.accuracy.methods import Method, Verdicts
from tests.bench.accuracy.replay import NOT, TODAY, Array, Replay

WITHIN = (30, 60, 90)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """People, on the last day of a year unless said.

    Attributes:
        certified: by data alone, of `people`.
        dead_at_as_of: of them, dead before the newest evidence they were certified by.
        dead_today: of them, dead by the last day; data may have seen them alive before.
        told: the dead that a register had told of by the last day.
        told_suspected: of them, suspected on the day the file came.
        dead: by the last day.
        within_30: of them, suspected within 30 days of the death, of those who died as long ago; 60 and 90 alike.
        dead_30: died as long ago.
        living_suspected: suspected though nothing was lost.
        visits: neither certified nor suspected.
        visits_lost: of them, dead, missing or in custody.
    """

    people: int
    certified: int
    dead_at_as_of: int
    dead_today: int
    told: int
    told_suspected: int
    dead: int
    within_30: int
    dead_30: int
    within_60: int
    dead_60: int
    within_90: int
    dead_90: int
    living_suspected: int
    visits: int
    visits_lost: int


def measure(found: Replay, method: Method) -> tuple[Counts, Verdicts]:
    """The counts of a method on a year, and its verdicts of the last day."""
    everybody = np.arange(found.people)
    verdicts = method(found, found.known(TODAY), TODAY, everybody)
    truth = found.truth
    dead = truth.died <= TODAY
    certified, suspected = verdicts.certified & ~verdicts.suspected, verdicts.suspected
    visits = ~certified & ~suspected
    places = np.flatnonzero(dead)
    first = _first_suspected(found, method, places)
    died, told = truth.died[places], truth.told[places]
    known = told <= TODAY
    # Whoever had been dead before the year began was told of, if ever, before it; the year cannot show how soon.
    soon = {days: _within(died, first, days) for days in WITHIN}
    counts = Counts(
        people=found.people,
        certified=int(certified.sum()),
        dead_at_as_of=int((certified & (truth.died < verdicts.as_of)).sum()),
        dead_today=int((certified & dead).sum()),
        told=int(known.sum()),
        told_suspected=int((known & (first <= told)).sum()),
        dead=len(places),
        **{f"within_{days}": each[0] for days, each in soon.items()},
        **{f"dead_{days}": each[1] for days, each in soon.items()},
        living_suspected=int((suspected & ~truth.lost).sum()),
        visits=int(visits.sum()),
        visits_lost=int((visits & truth.lost).sum()),
    )
    return counts, verdicts


def _first_suspected(found: Replay, method: Method, places: Array) -> Array:
    """The first day of a delivery on which each of these people is suspected, `NOT` for never."""
    first = np.full(len(places), NOT, dtype=np.int64)
    mask = np.zeros(found.people, dtype=bool)
    mask[places] = True
    for day in sorted({*found.negative_days, TODAY}):
        suspected = method(found, found.known(day, mask), day, places).suspected
        # Before his death nobody is suspected rightly.
        new = suspected & (first == NOT) & (found.truth.died[places] <= day)
        first[new] = day
    return first


def _within(died: Array, first: Array, days: int) -> tuple[int, int]:
    """Suspected within so many days of the death, and those who died as long ago within the year."""
    old = (died + days <= TODAY) & (died > TODAY - 365)
    return int((old & (first - died <= days)).sum()), int(old.sum())


def added(parts: list[Counts]) -> Counts:
    """The counts of several cities together."""
    total: dict[str, int] = {}
    for part in parts:
        for name, value in asdict(part).items():
            total[name] = total.get(name, 0) + value
    return Counts(**total)


# ---- visits ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Visits:
    """The people one has to visit, and how many of the lost each part of the visits finds, by order."""

    lost: int
    found: Mapping[str, Array]

    def share(self, order: str, visits: float = 0.1) -> float:
        """The share of the lost that the first part of the visits finds; random finds as large a share."""
        curve = self.found[order]
        return float(curve[max(int(len(curve) * visits) - 1, 0)]) / max(self.lost, 1)


def visits(found: Replay, chosen: Array, orders: Mapping[str, Array]) -> Visits:
    """The same people visited in several orders; `orders` hold a weight for each of the chosen, the largest first."""
    lost = found.truth.lost[chosen]
    return Visits(
        lost=int(lost.sum()),
        found={name: np.cumsum(lost[np.argsort(-weight, kind="stable")]) for name, weight in orders.items()},
    )


def of(found: Replay, chosen: Array) -> Signals:
    """The signals of the chosen people on the last day."""
    return among(found.known(TODAY), found.subjects[chosen])
