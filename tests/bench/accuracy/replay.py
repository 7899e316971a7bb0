"""A city's year as scoring would hear it: every accepted record with the day its file came, and what was true."""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from deploy.demo.city.city import City, make_city
from deploy.demo.city.deliveries import Delivery, read_deliveries, rows_of
from deploy.demo.city.events import file_days
from deploy.demo.city.lives import NEVER, State
from deploy.demo.city.source import Filled, fill_source
from deploy.demo.city.year import FIRST_ON, TODAY_ON
from services.ingest.domain.catalogue import Source
from services.ingest.sources import load_sources
from services.scoring.domain.signals import (
    KIND_OF_WORD,
    Origin,
    Origins,
    Rows,
    Signals,
    among,
    day_number,
    from_rows,
    origins_of,
    subject_words,
)

Array = npt.NDArray[Any]
DAY_ZERO = day_number(FIRST_ON)
TODAY = day_number(TODAY_ON)
NOT = 60_000
"""Day number of what never happened."""
DEATH_REGISTERS = ("police_hukou_cancel", "civil_cremation", "health_death_cert")
_LOST = (State.DEAD, State.MISSING, State.IN_CUSTODY, State.DETAINED)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Truth:
    """What is so, by person; days are scoring's day numbers, `NOT` for what never happened.

    Attributes:
        died: day of death.
        told: day on which a file of a death register first told of it, for the dead.
        lost: dead, missing, in custody or detained on the last day.
        age: in years on the last day; `male` beside it.
        born: day numbers of numpy's epoch.
    """

    died: Array
    told: Array
    lost: Array
    age: Array
    male: Array
    born: Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Replay:
    """All accepted records of a year's files, in no order; `came` is the day each file was delivered."""

    seed: int
    subjects: Array
    rows: Rows
    person: Array
    came: Array
    negative_days: tuple[int, ...]
    origins: Origins
    truth: Truth

    @property
    def people(self) -> int:
        return len(self.subjects)

    def known(self, day: int, people: Array | None = None) -> Signals:
        """What had been delivered by a day, of everybody or of a mask of people; who is unknown stands with nothing."""
        chosen = self.came <= day
        if people is not None:
            chosen &= people[self.person]
        rows = self.rows
        some = Rows(
            subjects=rows.subjects[chosen],
            origin=rows.origin[chosen],
            day=rows.day[chosen],
            kind=rows.kind[chosen],
            full=rows.full[chosen],
            evidence=rows.evidence[chosen],
        )
        wanted = self.subjects if people is None else self.subjects[people]
        return among(from_rows([some], self.origins), wanted)


def on(day: int) -> date:
    """The date of a day number of scoring."""
    return FIRST_ON + timedelta(days=day - DAY_ZERO)


@cache
def replay(seed: int, scale: float) -> Replay:
    """The year of one city; the same seed gives the same year."""
    city = make_city(scale, seed)
    counts = rows_of(scale)
    catalogue = load_sources()
    filled = [fill_source(city, delivery, counts[delivery.code]) for delivery in read_deliveries()]
    sources = [catalogue[each.delivery.code] for each in filled]
    origins = origins_of(
        [Origin(source=each.code, department=each.department, strong=each.strength == "strong") for each in sources]
    )
    parts = [_rows(number, source, each) for number, (source, each) in enumerate(zip(sources, filled, strict=True))]
    person = np.concatenate([part[0] for part in parts])
    subjects = _subjects(city.people.beneficiaries)
    columns = [np.concatenate(column) for column in zip(*(part[1] for part in parts), strict=True)]
    origin, day, kind, full, evidence = columns
    return Replay(
        seed=seed,
        subjects=subjects,
        rows=Rows(subjects=subjects[person], origin=origin, day=day, kind=kind, full=full, evidence=evidence),
        person=person,
        came=np.concatenate([part[2] for part in parts]),
        negative_days=tuple(sorted({DAY_ZERO + int(day) for each in filled for day in _telling(each.delivery)})),
        origins=origins,
        truth=_truth(city, filled),
    )


def _subjects(people: int) -> Array:
    raw = np.zeros((people, 16), dtype=np.uint8)
    raw[:, 8:] = np.arange(1, people + 1, dtype=">u8").view(np.uint8).reshape(-1, 8)
    return subject_words(raw)


def _telling(delivery: Delivery) -> list[int]:
    """Days on which a source that may tell an end delivers."""
    ends = delivery.negative or any(variant.tells_end for variant in delivery.variants)
    return [int(day) for day in file_days(delivery) if day <= TODAY - DAY_ZERO] if ends else []


def _rows(number: int, source: Source, filled: Filled) -> tuple[Array, tuple[Array, ...], Array]:
    """Person, (origin, day, kind, full, evidence) and day of delivery of each accepted row of a source."""
    person, day, file = filled.accepted()
    rows = len(person)
    kinds = np.full(rows, KIND_OF_WORD[source.kind], dtype=np.uint8)
    values = [variant.value for variant in filled.delivery.variants]
    for rule in source.codes.values():
        for value, kind in rule.kinds.items():
            if value in values:
                kinds[filled.accepted_variants() == values.index(value)] = KIND_OF_WORD[kind]
    columns = (
        np.full(rows, number, dtype=np.uint16),
        (day.astype(np.int64) + DAY_ZERO).astype(np.uint16),
        kinds,
        # An accepted row that bears a name bears the right one.
        np.full(rows, source.identity == "full" or filled.delivery.named),
        (np.int64(number + 1) << 32) + np.arange(rows, dtype=np.int64),
    )
    return person, columns, file_days(filled.delivery)[file].astype(np.int64) + DAY_ZERO


def _truth(city: City, filled: list[Filled]) -> Truth:
    lives, count = city.lives, city.people.beneficiaries
    died = lives.died[:count].astype(np.int64)
    died = np.where(died == NEVER, NOT, died + DAY_ZERO)
    told = np.full(count, NOT, dtype=np.int64)
    for each in filled:
        if each.delivery.code in DEATH_REGISTERS:
            person, _, file = each.accepted()
            np.minimum.at(told, person, file_days(each.delivery)[file].astype(np.int64) + DAY_ZERO)
    born = city.people.born[:count].astype(np.int64)
    return Truth(
        died=died,
        told=np.where(died < NOT, told, NOT),
        lost=np.isin(lives.state[:count], _LOST),
        age=((TODAY_ON - date(1970, 1, 1)).days - born) / 365.25,
        male=city.people.male[:count],
        born=born,
    )
