"""What more would certify a person whom his data do not: a few further records, proven by assessing them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np

from services.scoring.domain.assessment import assess
from services.scoring.domain.opinions import CERTIFIABLE
from services.scoring.domain.signals import BY_PEOPLE, Kind, Origins, Rows, Signals, day_number, from_rows, union
from services.scoring.domain.weighing import Combination, Scale, scale_of

_AHEAD = 10
"""Days that are tried: enough to fill the cap of a source that counts once a day."""
_Record = tuple[int, int]
"""Number of an origin, and days from today."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """Further weak records of the coming days that would certify.

    Attributes:
        records: source and days from today.
        given_by: department of each source among them.
        sources: how many of their sources have given nothing so far.
        departments: how many of their departments have given nothing so far.
    """

    records: tuple[tuple[str, int], ...]
    given_by: Mapping[str, str]
    sources: int
    departments: int

    @property
    def days(self) -> int:
        """On how many days they lie."""
        return len({ahead for _, ahead in self.records})


def outlook(signals: Signals, origins: Origins, scale: Scale, weak: Combination) -> Outlook | None:
    """What would certify the one person in `signals`, with as few further sources as can be; None where nothing would.

    `weak` is what his weak evidence comes to today.
    """
    met = [origins.items[origin] for origin in weak.origin.tolist()]
    own, departments = {each.source for each in met}, {each.department for each in met}
    known, others = _sources(origins, scale, own, departments)
    trial = _Trial(signals=signals, origins=origins, scale=scale)
    plans = ([*known, *others[:count]] for count in range(len(others) + 1))
    chosen = next((plan for plan in plans if trial.certifies(_spread(plan, _AHEAD, scale))), None)
    if chosen is None:
        return None
    days = next(days for days in range(1, _AHEAD + 1) if trial.certifies(_spread(chosen, days, scale)))
    records = trial.pruned(_spread(chosen, days, scale))
    used = [origins.items[origin] for origin, _ in records]
    return Outlook(
        records=tuple((item.source, ahead) for item, (_, ahead) in zip(used, records, strict=True)),
        given_by={item.source: item.department for item in used},
        sources=len({each.source for each in used} - own),
        departments=len({each.department for each in used} - departments),
    )


def _sources(origins: Origins, scale: Scale, own: set[str], departments: set[str]) -> tuple[list[int], list[int]]:
    """Origins of weak sources: his own, and the others in the order in which they help most."""
    first: dict[str, int] = {}
    for number, item in enumerate(origins.items):
        if not item.strong and item.source not in BY_PEOPLE and scale.points[number] > 0:
            first.setdefault(item.source, number)
    known = [number for source, number in first.items() if source in own]
    others = sorted(
        (number for source, number in first.items() if source not in own),
        key=lambda number: (-min(int(scale.cap[number]), _most(scale, number)), origins.items[number].source),
    )
    # Points of one more source do not help whom a department is missing.
    fresh: dict[str, int] = {}
    for number in others:
        if origins.items[number].department not in departments:
            fresh.setdefault(origins.items[number].department, number)
    needed = list(fresh.values())[: max(scale.rules.thresholds.departments - len(departments), 0)]
    return known, [*needed, *(number for number in others if number not in needed)]


def _most(scale: Scale, number: int) -> int:
    return int(scale.points[number]) * (1 if scale.monthly[number] else _AHEAD)


def _spread(plan: Sequence[int], days: int, scale: Scale) -> list[_Record]:
    """Records of these sources over so many days, one source's after the other's: on one day they would count as one.

    Of each as many as its cap takes, and one more for what they lose with age.
    """
    records, place = [], 0
    for origin in plan:
        wanted = 1 if scale.monthly[origin] else -(-int(scale.cap[origin]) // int(scale.points[origin])) + 1
        count = min(wanted, days)
        records += [(origin, (place + turn) % days + 1) for turn in range(count)]
        place += count
    return sorted(records, key=lambda record: record[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trial:
    """A person on whom further records are tried."""

    signals: Signals
    origins: Origins
    scale: Scale

    def certifies(self, records: Sequence[_Record]) -> bool:
        """Whether he is certifiable on the day of the last of these records."""
        if not records:
            return False
        last = self.scale.today + timedelta(days=max(ahead for _, ahead in records))
        rows = Rows(
            subjects=np.repeat(self.signals.subjects[:1], len(records)),
            origin=np.asarray([origin for origin, _ in records], dtype=np.uint16),
            day=np.asarray([day_number(self.scale.today + timedelta(days=ahead)) for _, ahead in records], np.uint16),
            kind=np.full(len(records), Kind.SEEN, dtype=np.uint8),
            full=np.ones(len(records), dtype=bool),
            # No batch has negative numbers.
            evidence=-np.arange(1, len(records) + 1, dtype=np.int64),
        )
        whole = union([self.signals, from_rows([rows], self.origins)], self.origins)
        found = assess(whole, self.origins, scale_of(self.scale.rules, self.origins, last))
        return bool(found.decision[0] == CERTIFIABLE)

    def pruned(self, records: list[_Record]) -> list[_Record]:
        """These records without those that are not needed beside the others, the latest first."""
        for each in reversed(records.copy()):
            fewer = [one for one in records if one != each]
            if self.certifies(fewer):
                records = fewer
        return records
