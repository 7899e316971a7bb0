"""The city as its departments know it: places, people, lives, benefits and registers, worked out once."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from deploy.demo.city import names
from deploy.demo.city.affinity import Likings
from deploy.demo.city.chance import stream
from deploy.demo.city.deliveries import read_deliveries
from deploy.demo.city.lives import Lives, Quirk, Trace, live
from deploy.demo.city.payments import pay
from deploy.demo.city.people import People, enrol, make_people
from deploy.demo.city.places import Places, make_places
from deploy.demo.city.registers import Registers, register


def make_city(scale: float, seed: int) -> "City":
    """Everything about the city but its files."""
    places = make_places(scale, seed)
    people = make_people(scale, seed, places)
    held = enrol(scale, seed, people)
    lives = live(seed, people)
    likings = Likings(seed, people, lives, held)
    return City(
        scale=scale,
        seed=seed,
        places=places,
        people=people,
        lives=lives,
        names_now=_names_now(seed, people, lives),
        held=held,
        amounts=pay(scale, seed, held),
        registers=register(seed, people, lives),
        likings=likings,
        home=_home_sources(seed, people, lives, likings),
    )


def _names_now(seed: int, people: People, lives: Lives) -> pl.Series:
    """Names as departments know them: some people changed theirs after the rosters were written."""
    renamed = np.flatnonzero(lives.quirks & Quirk.RENAMED)
    return people.name.clone().scatter(renamed, names.rename(stream(seed, "renamed"), people.name.gather(renamed)))


def _home_sources(seed: int, people: People, lives: Lives, likings: Likings) -> np.ndarray:
    """The source, by its index, that surely sees each visible beneficiary; -1 for the others."""
    rng = stream(seed, "home sources")
    deliveries = read_deliveries()
    count = people.beneficiaries
    home = np.full(count, -1, dtype=np.int8)
    visible = lives.trace[:count] == Trace.STRONG
    here = lives.here_to[:count] > lives.seen_from[:count]
    common = [index for index, delivery in enumerate(deliveries) if delivery.common]
    roaming = [index for index in common if deliveries[index].reach == "anywhere"]
    for members, choices in ((np.flatnonzero(visible & here), common), (np.flatnonzero(visible & ~here), roaming)):
        odds = np.array([deliveries[index].rows for index in choices], dtype=np.float64)
        home[members] = np.array(choices)[rng.choice(len(choices), size=len(members), p=odds / odds.sum())]
    for index in common:
        unlikely = (home == index) & (likings.weights(deliveries[index].likes) <= 0)
        home[unlikely] = roaming[0]
    return home


@dataclass(frozen=True, slots=True, kw_only=True)
class City:
    """One city; `held` and `amounts` (fen a month) by program code, `home` over beneficiaries."""

    scale: float
    seed: int
    places: Places
    people: People
    lives: Lives
    names_now: pl.Series
    held: dict[str, np.ndarray]
    amounts: dict[str, np.ndarray]
    registers: Registers
    likings: Likings
    home: np.ndarray

    def renamed(self) -> np.ndarray:
        """Whether each beneficiary's name is another than in the rosters."""
        return np.asarray((self.lives.quirks[: self.people.beneficiaries] & Quirk.RENAMED) > 0)
