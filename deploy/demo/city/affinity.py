"""Who is drawn to which kind of source: relative weights over beneficiaries."""

from collections.abc import Callable

import numpy as np

from deploy.demo.city.chance import stream
from deploy.demo.city.lives import Lives, State
from deploy.demo.city.people import People

Weights = np.ndarray
_OLD, _OLDER = 65, 75
_WORKING = 60
_DESTITUTE_IN_HOMES, _OLDER_IN_HOMES = 0.22, 0.045


class Likings:
    """Weights by name, each worked out once it is asked for."""

    def __init__(self, seed: int, people: People, lives: Lives, held: dict[str, np.ndarray]) -> None:
        self._people = people
        self._lives = lives
        self._held = held
        self._seed = seed
        count = people.beneficiaries
        self._age = people.age[:count]
        self._state = lives.state[:count]
        self._activity = stream(seed, "activity").lognormal(-0.12, 0.5, count).astype(np.float32)
        self._kinds: dict[str, Callable[[], Weights]] = {
            "everyone": lambda: np.ones(count, dtype=np.float32),
            "old": lambda: (self._age >= _OLD).astype(np.float32),
            "older": lambda: np.where(self._age >= _OLDER, 1.0, 0.2),
            "working": lambda: np.where(self._age < _WORKING, 1.0, 0.02),
            "urban": lambda: np.where(np.isin(people.first_program, (0, 1)), 4.0, 1.0),
            "rural": lambda: np.where(np.isin(people.first_program, (0, 1)), 0.1, 1.0),
            "frail": lambda: 0.3 + np.maximum(self._age - 55, 0) * 0.03,
            "fit": lambda: np.clip(1.4 - np.maximum(self._age - 60, 0) * 0.04, 0.05, 2.0),
            "veterans": lambda: self._holding(
                "vet_rural_soldier", "vet_disabled", "vet_bereaved", "vet_demob_sick", "vet_war"
            ),
            "disabled": lambda: self._holding("dis_living", "dis_nursing", "wi_disability", "sickness_allowance"),
            "poor": lambda: self._holding("dibao", "tekun", "orphan"),
            "farmers": lambda: self._holding("farmland") + 0.05,
            "unemployed": lambda: self._holding("unemployment") + 0.01 * (self._age < _WORKING),
            "offenders": lambda: (self._state == State.COMMUNITY_SENTENCE).astype(np.float32),
            "institution": self._institution,
            "away": lambda: np.where(np.isin(self._state, (State.MOVED, State.ABROAD)), 30.0, 0.25),
            "remote": lambda: np.isin(self._state, (State.MOVED, State.ABROAD)).astype(np.float32),
            "abroad": lambda: np.where(self._state == State.ABROAD, 30.0, 0.002),
        }

    def weights(self, name: str) -> Weights:
        """Weights of a liking, shape (beneficiaries,), float32."""
        return (self._kinds[name]() * self._activity).astype(np.float32)

    def _holding(self, *codes: str) -> Weights:
        weights = np.zeros(self._people.beneficiaries, dtype=np.float32)
        for code in codes:
            weights[self._held[code]] = 1
        return weights

    def _institution(self) -> Weights:
        """Who lives in a care home: some of the destitute, a few of the very old."""
        chance = stream(self._seed, "institution").random(self._people.beneficiaries)
        return (
            (chance < _DESTITUTE_IN_HOMES * self._holding("tekun"))
            | ((self._age >= _OLDER) & (chance < _OLDER_IN_HOMES))
        ).astype(np.float32)
