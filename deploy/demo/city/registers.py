"""What the registers hold of the dead: the day they believe in, when they wrote it down, what they never heard of."""

from dataclasses import dataclass

import numpy as np

from deploy.demo.city.chance import stream
from deploy.demo.city.lives import NEVER, Lives, Quirk, State
from deploy.demo.city.people import People

_HUKOU, _CREMATION, _CERTIFICATE = 1, 2, 4
_KNOWN_WAYS = ((7, 30), (5, 23), (3, 13), (6, 5), (1, 9), (2, 6), (4, 7), (0, 7))
"""Which of the three registers hear of a death, as bits, and how often in a hundred."""
_DISAGREES = 0.04
_SLOWEST = 320


def register(seed: int, people: People, lives: Lives) -> "Registers":
    """Entries of the three death registers over the beneficiaries."""
    rng = stream(seed, "registers")
    count = people.beneficiaries
    died = lives.died[:count].astype(np.int64)
    ways, odds = np.array(_KNOWN_WAYS, dtype=np.float64).T
    known = ways.astype(np.int8)[rng.choice(len(ways), size=count, p=odds / odds.sum())]
    known[(died == NEVER) | (died < 0)] = 0
    entries: dict[str, np.ndarray] = {}
    slow = np.minimum(3 + rng.lognormal(np.log(13), 1.0, count), _SLOWEST)
    for bit, name, lag, wait in (
        (_HUKOU, "hukou", np.zeros(count), slow),
        (_CREMATION, "cremation", 1 + rng.integers(0, 4, count), np.zeros(count)),
        (_CERTIFICATE, "certificate", np.zeros(count), rng.integers(0, 4, count)),
    ):
        has = (known & bit) > 0
        entries[name] = np.where(has, died + lag, NEVER)
        entries[f"{name}_filed"] = np.where(has, died + lag + wait, NEVER)
    twice = (known & (_HUKOU | _CERTIFICATE)) == _HUKOU | _CERTIFICATE
    off = twice & (rng.random(count) < _DISAGREES)
    entries["hukou"] = np.where(off, died + rng.integers(3, 60, count), entries["hukou"])
    entries["hukou_filed"] = np.maximum(entries["hukou_filed"], np.where(off, entries["hukou"] + 1, 0))
    _cancel_wrongly(rng, lives, count, entries)
    return Registers(**{name: days.astype(np.int16) for name, days in entries.items()})


def _cancel_wrongly(rng: np.random.Generator, lives: Lives, count: int, entries: dict[str, np.ndarray]) -> None:
    wrongly = np.flatnonzero(
        ((lives.quirks[:count] & Quirk.WRONGLY_CANCELLED) > 0) & (lives.state[:count] == State.ALIVE)
    )
    entries["hukou"][wrongly] = rng.integers(20, 150, len(wrongly))
    entries["hukou_filed"][wrongly] = entries["hukou"][wrongly] + rng.integers(2, 20, len(wrongly))


@dataclass(frozen=True, slots=True, kw_only=True)
class Registers:
    """Day numbers over beneficiaries, NEVER where a register knows nothing: the day it holds, and when it was filed."""

    hukou: np.ndarray
    hukou_filed: np.ndarray
    cremation: np.ndarray
    cremation_filed: np.ndarray
    certificate: np.ndarray
    certificate_filed: np.ndarray
