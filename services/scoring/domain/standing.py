"""What counts of a person's signals: each fact once, and nothing that its department took back.

Signals only grow, so that a correction may come before, with or after what it corrects, once or ten times; which of
them stand is worked out when they are weighed.
"""

import numpy as np

from services.scoring.domain.signals import BY_PEOPLE, Array, Kind, Origins, Signals

# People's own conclusions are not a department's to take back.
_FIRM = (Kind.TAKEN_BACK, Kind.REFUTED_DEATH, Kind.REFUTED_INCARCERATION, Kind.REFUTED_MISSING, Kind.REFUTED_CONFLICT)


def standing(signals: Signals, origins: Origins) -> Signals:
    """The signals that count; people of whom nothing counts keep their place with no rows."""
    back = signals.kind == Kind.TAKEN_BACK
    if back.any():
        signals = signals.where(~(back | _taken_back(signals, back)))
    repeats = _repeats(signals, origins)
    return signals.where(~repeats) if repeats.any() else signals


def taken_back(signals: Signals) -> dict[int, frozenset[int]]:
    """By position, the evidence ids of people of whom anything was taken back."""
    rows = np.flatnonzero(signals.kind == Kind.TAKEN_BACK)
    found: dict[int, set[int]] = {}
    for person, evidence in zip(_persons(signals, rows).tolist(), signals.evidence[rows].tolist(), strict=True):
        found.setdefault(person, set()).add(evidence)
    return {person: frozenset(ids) for person, ids in found.items()}


def _persons(signals: Signals, rows: Array) -> Array:
    return np.searchsorted(signals.starts, rows, side="right") - 1


def _taken_back(signals: Signals, back: Array) -> Array:
    """Mask of the rows whose evidence id is named by a correction of the same person."""
    corrections = np.flatnonzero(back)
    owners = _persons(signals, corrections)
    touched = np.zeros(signals.people, dtype=bool)
    touched[owners] = True
    rows = np.flatnonzero(np.repeat(touched, np.diff(signals.starts)) & ~np.isin(signals.kind, _FIRM))
    ids, ranks = np.unique(np.concatenate((signals.evidence[corrections], signals.evidence[rows])), return_inverse=True)
    named = owners * len(ids) + ranks[: len(corrections)]
    mask = np.zeros(len(signals), dtype=bool)
    mask[rows] = np.isin(_persons(signals, rows) * len(ids) + ranks[len(corrections) :], named)
    return mask


def _repeats(signals: Signals, origins: Origins) -> Array:
    """Mask of rows that tell a fact told better beside them: same person, source, day and kind."""
    mask = np.zeros(len(signals), dtype=bool)
    rows = np.flatnonzero((signals.day[1:] == signals.day[:-1]) & (signals.kind[1:] == signals.kind[:-1])) + 1
    if not len(rows):
        return mask
    source = origins.source_numbers[signals.origin]
    rows = rows[(source[rows] == source[rows - 1]) & (_persons(signals, rows) == _persons(signals, rows - 1))]
    # Hints are told apart by their record: two nameless dead of one day are two. So are two conclusions about one day:
    # people may have concluded otherwise between them.
    by_people = np.asarray([each.source in BY_PEOPLE for each in origins.items], dtype=bool)
    rows = rows[(signals.kind[rows] != Kind.HINT) & ~by_people[signals.origin[rows]]]
    mask[rows] = True
    several = np.union1d(rows, rows - 1)
    fact = np.cumsum(~mask[several])
    mask[several] = True
    mask[several[_best(signals, origins, several, fact)]] = False
    return mask


def _best(signals: Signals, origins: Origins, rows: Array, fact: Array) -> Array:
    """Position of the best row of each fact: identified in full, then strong, then the smallest evidence id.

    Never by the number of its origin: numbers follow arrival, and what came first must not decide.
    """
    departments = np.unique([each.department for each in origins.items], return_inverse=True)[1]
    weak = np.asarray([not each.strong for each in origins.items], dtype=bool)
    origin = signals.origin[rows]
    best = np.lexsort((departments[origin], signals.evidence[rows], weak[origin], ~signals.full[rows], fact))
    return best[np.concatenate(([True], fact[best][1:] != fact[best][:-1]))[: len(best)]]
