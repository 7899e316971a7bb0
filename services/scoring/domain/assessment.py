"""The assessment: from signals, rule set and day to an opinion of every person, the same for one as for a million.

Strong evidence decides from its own row; weak evidence must come together; any standing negative makes people look.
"""

import numpy as np

from services.scoring.domain.classes import class_of
from services.scoring.domain.negatives import Judgement, Sighting, judge
from services.scoring.domain.opinions import (
    CERTIFIABLE,
    CONFLICT,
    INSUFFICIENT,
    LOW,
    MEDIUM,
    STRONG,
    STRONG_EVIDENCE,
    SUSPECTED,
    WEAK_EVIDENCE,
    Lists,
    Opinions,
    concatenated,
    lists,
)
from services.scoring.domain.signals import Array, Kind, Origins, Signals, day_number
from services.scoring.domain.standing import standing, taken_back
from services.scoring.domain.weighing import (
    MILLI,
    Combination,
    Scale,
    Strongest,
    beyond_positive,
    newest_strong,
    positive_rows,
    weigh,
)

PIECE_ROWS = 500_000
STRONG_REASON, WEAK_REASON, NOTHING_REASON = "strong_evidence", "weak_combination", "no_evidence"


def assess(signals: Signals, origins: Origins, scale: Scale) -> Opinions:
    """Opinions of all people in `signals`, in their order."""
    parts = [_assess_piece(piece, origins, scale) for piece in signals.pieces(PIECE_ROWS)]
    return concatenated(parts) if parts else _assess_piece(signals, origins, scale)


def _assess_piece(signals: Signals, origins: Origins, scale: Scale) -> Opinions:
    marked, counted = np.zeros(signals.people, dtype=bool), standing(signals, origins)
    others = _others(signals, scale)
    marked[others] = True
    seen = positive_rows(counted, scale)
    strongest = newest_strong(counted, scale, seen)
    weak = weigh(counted, scale, seen, strongest.row < 0)
    judged = _judged(counted, origins, scale, others if counted is signals else _others(counted, scale))
    return _Draft(counted, origins, scale, strongest, weak).opinions(judged, marked, _unfounded(signals, counted))


def _others(signals: Signals, scale: Scale) -> Array:
    """Positions of the people of whom more than positive evidence is known."""
    known = (signals.day <= scale.until) | (signals.kind == Kind.TAKEN_BACK)  # whichever clock is a day ahead
    rows = np.flatnonzero(beyond_positive(signals, scale) & known)
    return np.unique(np.searchsorted(signals.starts, rows, side="right") - 1)


def _judged(counted: Signals, origins: Origins, scale: Scale, people: Array) -> dict[int, Judgement]:
    """Judgements of the people of whom more than positive evidence counts."""
    return {
        person: judge(sightings_of(counted, origins, scale, person), scale.rules, scale.today)
        for person in people.tolist()
    }


def _unfounded(signals: Signals, counted: Signals) -> dict[int, frozenset[int]]:
    """Evidence that a suspicion may have rested on before: taken back since, or a hint, which counts by the day."""
    found = taken_back(signals)
    rows = np.flatnonzero(counted.kind == Kind.HINT)
    persons = np.searchsorted(counted.starts, rows, side="right") - 1
    for person, evidence in zip(persons.tolist(), counted.evidence[rows].tolist(), strict=True):
        found[person] = found.get(person, frozenset()) | {evidence}
    return found


def sightings_of(signals: Signals, origins: Origins, scale: Scale, person: int) -> list[Sighting]:
    """The signals of one person known by the day of the scale."""
    rows = slice(int(signals.starts[person]), int(signals.starts[person + 1]))
    columns = (signals.kind, signals.day, signals.origin, signals.full, signals.evidence)
    return [
        Sighting(
            kind=Kind(kind),
            day=day,
            source=origins.items[origin].source,
            department=origins.items[origin].department,
            strong=origins.items[origin].strong,
            full=full,
            monthly=bool(scale.monthly[origin]),
            evidence=evidence,
            candidates=origins.items[origin].candidates,
        )
        for kind, day, origin, full, evidence in zip(*(column[rows].tolist() for column in columns), strict=True)
        if day <= scale.until
    ]


class _Draft:
    """Opinions in the making: positives first, judgements over them."""

    def __init__(
        self, signals: Signals, origins: Origins, scale: Scale, strongest: Strongest, weak: Combination
    ) -> None:
        self.signals, self.scale, self.strongest, self.weak = signals, scale, strongest, weak
        limits = scale.rules.thresholds
        self.lacking = {
            "points": -(-(limits.points * MILLI - weak.points) // MILLI),
            "sources": limits.sources - weak.sources,
            "departments": limits.departments - weak.departments,
            "days": limits.days - weak.days,
            "recent": (scale.until - limits.newest_days) - weak.newest,
        }
        self.strong = strongest.row >= 0
        self.together = ~self.strong & np.logical_and.reduce([each <= 0 for each in self.lacking.values()])
        self.classes_of_origin = np.asarray([1 << class_of(item.department) for item in origins.items], dtype=np.uint16)
        self.words: dict[str, int] = {}

    def opinions(self, judged: dict[int, Judgement], marked: Array, unfounded: dict[int, frozenset[int]]) -> Opinions:
        """The finished columns."""
        signals, weak, strong, together = self.signals, self.weak, self.strong, self.together
        passed = strong | together
        suspected = {person: each for person, each in judged.items() if each.blocks}
        blocked = np.zeros(signals.people, dtype=bool)
        blocked[list(suspected)] = True
        as_of = np.where(strong, self.strongest.day, np.where(together, weak.newest, 0))
        for person, each in suspected.items():
            as_of[person] = min(day_number(one.event_on) for one in each.suspicions if one.blocks)
        level = np.where(strong, STRONG, np.where(weak.points > 0, MEDIUM, LOW))
        clear_weak = together & ~blocked
        return Opinions(
            subjects=signals.subjects,
            level=np.where(blocked, CONFLICT, level),
            decision=np.where(blocked, SUSPECTED, np.where(passed, CERTIFIABLE, INSUFFICIENT)),
            strength=np.where(blocked, 0, np.where(strong, STRONG_EVIDENCE, np.where(together, WEAK_EVIDENCE, 0))),
            as_of=as_of,
            points=np.minimum(weak.points // MILLI, np.iinfo(np.int16).max),
            valid_months=np.where(clear_weak, self.scale.rules.weak_valid_months, 0),
            marked=marked,
            classes=self._classes(blocked),
            evidence=self._evidence(blocked, suspected),
            reasons=self._reasons(blocked, judged),
            words=list(self.words),
            suspicions={person: each.suspicions for person, each in judged.items() if each.suspicions},
            unfounded=unfounded,
        )

    def _classes(self, blocked: Array) -> Array:
        classes = np.zeros(self.signals.people, dtype=np.uint16)
        by_strong = np.flatnonzero(self.strong & ~blocked)
        classes[by_strong] = self.classes_of_origin[self.signals.origin[self.strongest.row[by_strong]]]
        chosen = (self.together & ~blocked)[self.weak.person]
        np.bitwise_or.at(classes, self.weak.person[chosen], self.classes_of_origin[self.weak.origin[chosen]])
        return classes

    def _evidence(self, blocked: Array, suspected: dict[int, Judgement]) -> Lists:
        by_strong = np.flatnonzero(self.strong & ~blocked)
        owner = np.searchsorted(self.signals.starts, self.weak.row, side="right") - 1
        chosen = (self.together & ~blocked)[owner]
        pairs = [
            (person, evidence)
            for person, each in suspected.items()
            for evidence in sorted({one for found in each.suspicions if found.blocks for one in found.evidence})
        ]
        person = [by_strong, owner[chosen], np.asarray([pair[0] for pair in pairs], dtype=np.int64)]
        evidence = [
            self.strongest.evidence[by_strong],
            self.signals.evidence[self.weak.row[chosen]],
            np.asarray([pair[1] for pair in pairs], dtype=np.int64),
        ]
        return lists(self.signals.people, np.concatenate(person), np.concatenate(evidence))

    def _reasons(self, blocked: Array, judged: dict[int, Judgement]) -> Lists:
        pairs: list[tuple[Array, Array]] = []
        free = ~blocked

        def give(people: Array, word: str) -> None:
            pairs.append((people, np.full(len(people), self._code(word), dtype=np.int64)))

        give(np.flatnonzero(free & self.strong), STRONG_REASON)
        give(np.flatnonzero(free & self.together), WEAK_REASON)
        short = free & ~self.strong & ~self.together
        give(np.flatnonzero(short & (self.weak.points == 0)), NOTHING_REASON)
        pairs.extend(self._missing(short & (self.weak.points > 0)))
        for person, each in judged.items():
            words = [f"{one.kind}:{one.confidence}" for one in each.suspicions]
            words += [word for one in each.suspicions for word in one.reasons if word.startswith("hypothesis:")]
            for word in (*words, *each.notes):
                give(np.asarray([person], dtype=np.int64), word)
        people, codes = (np.concatenate(column) for column in zip(*pairs, strict=True))
        return lists(self.signals.people, people, codes)

    def _missing(self, short: Array) -> list[tuple[Array, Array]]:
        """Reasons `missing:<what>:<how much>` of those whose records do not come together."""
        pairs = []
        for what, lack in self.lacking.items():
            people = np.flatnonzero(short & (lack > 0))
            amounts, places = np.unique(lack[people], return_inverse=True)
            codes = np.asarray([self._code(f"missing:{what}:{amount}") for amount in amounts.tolist()], dtype=np.int64)
            if len(people):
                pairs.append((people, codes[places]))
        return pairs

    def _code(self, word: str) -> int:
        return self.words.setdefault(word, len(self.words))
