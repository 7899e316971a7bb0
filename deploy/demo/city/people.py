"""Who lives in the city: beneficiaries with age, sex, id, family, grid, programs; and residents without a benefit."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from deploy.demo.city import citizen_ids, names
from deploy.demo.city.chance import pick, split_exactly, stream
from deploy.demo.city.mortality import age_weights
from deploy.demo.city.places import Places
from deploy.demo.city.programs import CITY_PEOPLE, Program, read_programs
from deploy.demo.city.year import FIRST_ON

STRANGERS = 0.22
"""Residents without a benefit who appear in files, per beneficiary."""
_FIRST_DAY = (FIRST_ON - FIRST_ON.replace(year=1970, month=1, day=1)).days
_ELSEWHERE = (341204, 341203, 341322, 411627, 320102, 330106, 310115, 440305)
_ADULT = 18
_SINGLE = 500
_GRID_SPAN = 1000


def make_people(scale: float, seed: int, places: Places) -> "People":
    """Everybody: beneficiaries in order of their grids, then residents without a benefit."""
    count = max(len(read_programs()), round(CITY_PEOPLE * scale))
    others = round(count * STRANGERS)
    rng = stream(seed, "people")
    sizes = split_exactly(count, rng.lognormal(0, 0.22, len(places.village)))
    grid = np.r_[np.repeat(np.arange(len(sizes)), sizes), rng.integers(0, len(sizes), others)].astype(np.int32)
    first = _first_programs(rng, scale, count)
    male, age = _ages(rng, first, others)
    born = (_FIRST_DAY - np.floor((age + rng.random(count + others)) * 365.2425)).astype(np.int32)
    prefix = places.county_codes()[grid]
    away = rng.random(count + others) < np.r_[np.full(count, 0.02), np.full(others, 0.12)]
    prefix = np.where(away, np.array(_ELSEWHERE)[rng.integers(0, len(_ELSEWHERE), count + others)], prefix)
    sequence = citizen_ids.sequences(rng, prefix, born, male)
    return People(
        beneficiaries=count,
        male=male,
        age=age.astype(np.int16),
        born=born,
        grid=grid,
        household=_households(stream(seed, "households"), grid[:count], age[:count], male[:count], _heads(first)),
        first_program=first,
        citizen_id=citizen_ids.make_ids(prefix, born, sequence),
        name=names.make_names(stream(seed, "names"), born, male),
        phone=names.make_phones(stream(seed, "phones"), count + others),
    )


def _first_programs(rng: np.random.Generator, scale: float, count: int) -> np.ndarray:
    """Index of the first benefit of every beneficiary; residents' pension takes whoever is left."""
    programs = read_programs()
    counts = np.array([max(1, round(program.only * scale)) if program.only else 0 for program in programs])
    rest = [program.code for program in programs].index("resident_pension")
    counts[rest] = 0
    counts[rest] = max(0, count - int(counts.sum()))
    return rng.permutation(np.repeat(np.arange(len(programs)), counts)[:count]).astype(np.int8)


def _ages(rng: np.random.Generator, first: np.ndarray, others: int) -> tuple[np.ndarray, np.ndarray]:
    """Sex and age in whole years of beneficiaries by their first benefit, then of other residents."""
    male = np.empty(len(first) + others, dtype=bool)
    age = np.empty(len(first) + others, dtype=np.int32)
    for index, program in enumerate(read_programs()):
        chosen = np.flatnonzero(first == index)
        male[chosen], age[chosen] = _draw_ages(rng, program.ages, program.sex, len(chosen))
    male[len(first) :], age[len(first) :] = _draw_ages(rng, (_ADULT, 88), "", others)
    return male, age


def _draw_ages(rng: np.random.Generator, ages: tuple[int, int], sex: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    weights = age_weights(*ages)
    if sex == "male":
        weights[0] = 0
    width = weights.shape[1]
    found = rng.choice(2 * width, size=count, p=(weights / weights.sum()).ravel())
    return found >= width, ages[0] + found % width


def _heads(first: np.ndarray) -> np.ndarray:
    """Who is paid for a whole household by his first benefit, and so has one of his own."""
    return np.asarray(np.array([program.household for program in read_programs()])[first])


def _households(
    rng: np.random.Generator, grid: np.ndarray, age: np.ndarray, male: np.ndarray, heads: np.ndarray
) -> np.ndarray:
    """Household numbers: couples of like age within a grid, children with their elders, the rest alone."""
    chance = np.where(male, 0.82, 0.74) - np.maximum(age - 65, 0) * np.where(male, 0.012, 0.021)
    married = (age >= _ADULT + 4) & (rng.random(len(age)) < chance) & ~heads
    couple = _rank_within(grid * 2 + male, -age, married)
    alone = _rank_within(grid, age, ~married)
    key = np.where(married, couple, _SINGLE + alone)
    key = np.where(age < _ADULT, rng.integers(0, 3, len(age)), key)
    return np.unique(grid.astype(np.int64) * _GRID_SPAN + key, return_inverse=True)[1].astype(np.int32)


def _rank_within(group: np.ndarray, order: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Rank of each masked member within its group by order; 0 elsewhere."""
    members = np.flatnonzero(mask)
    ordered = members[np.lexsort((order[members], group[members]))]
    groups = group[ordered]
    starts = np.flatnonzero(np.r_[True, groups[1:] != groups[:-1]]) if len(groups) else np.empty(0, dtype=np.int64)
    rank = np.zeros(len(group), dtype=np.int64)
    rank[ordered] = np.arange(len(ordered)) - np.repeat(starts, np.diff(np.append(starts, len(ordered))))
    return rank


def enrol(scale: float, seed: int, people: "People") -> dict[str, np.ndarray]:
    """Members of every program: sorted indices of beneficiaries."""
    held: dict[str, np.ndarray] = {}
    for index, program in enumerate(read_programs()):
        rng = stream(seed, "enrol", program.code)
        first = people.first_program == index
        more = pick(rng, _may_also_have(people, program, held), round(program.also * scale))
        members = np.union1d(np.flatnonzero(first), more)
        if not len(members):
            members = pick(rng, _may_also_have(people, program, held), 1)
        if program.household:
            _, kept = np.unique(people.household[members], return_index=True)
            members = np.sort(members[kept])
        held[program.code] = members.astype(np.int32)
    return held


def _may_also_have(people: "People", program: Program, held: dict[str, np.ndarray]) -> np.ndarray:
    age = people.age[: people.beneficiaries]
    mask: np.ndarray = (age >= program.also_ages[0]) & (age <= program.also_ages[1])
    if program.sex == "male":
        mask &= people.male[: people.beneficiaries]
    if program.holders:
        mask &= _holds_any(people, program.holders, held)
    return np.asarray(mask & ~_holds_any(people, program.without, held))


def _holds_any(people: "People", codes: tuple[str, ...], held: dict[str, np.ndarray]) -> np.ndarray:
    programs = [program.code for program in read_programs()]
    mask = np.isin(people.first_program, [programs.index(code) for code in codes])
    for code in codes:
        if code in held:
            mask[held[code]] = True
    return mask


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Columns over everybody; `household` and `first_program` over beneficiaries only.

    `age` in years on the first day, `born` in days since 1970-01-01, `grid` an index into the grids of Places.
    """

    beneficiaries: int
    male: np.ndarray
    age: np.ndarray
    born: np.ndarray
    grid: np.ndarray
    household: np.ndarray
    first_program: np.ndarray
    citizen_id: pl.Series
    name: pl.Series
    phone: pl.Series
