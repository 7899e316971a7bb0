"""What is true of everybody, and what the files let a reader know: for tests and the demo's end, never for services."""

import numpy as np
import polars as pl

from deploy.demo.city.city import City
from deploy.demo.city.events import file_days
from deploy.demo.city.lives import NEVER, Quirk, State, Trace
from deploy.demo.city.programs import read_programs
from deploy.demo.city.source import Filled
from deploy.demo.city.year import FIRST_ON, TODAY

_POINTS = {
    "transport_bus_card": (10, 30),
    "medins_pharmacy": (10, 20),
    "medins_outpatient": (20, 40),
    "hrss_card_consume": (5, 20),
    "bank_self_service": (10, 20),
    "telecom_activity": (5, 15),
    "tax_medins_pay": (10, 10),
}
"""Points a day and cap of each weak source: the starting point of the rule set."""
ENOUGH_POINTS = 60
_ENOUGH_SOURCES, _ENOUGH_DAYS, _RECENT = 2, 3, 90
_DIED_IN_HOSPITAL = 3
_HOSPITAL = "health_inpatient_emr"
_DEATH_REGISTERS = ("police_hukou_cancel", "civil_cremation", "health_death_cert")


class Sightings:
    """What the accepted rows of all sources tell of each beneficiary, gathered source by source."""

    def __init__(self, beneficiaries: int) -> None:
        self._count = beneficiaries
        self.last_strong = np.full(beneficiaries, -1, dtype=np.int16)
        self.last_weak = np.full(beneficiaries, -1, dtype=np.int16)
        self.points = np.zeros(beneficiaries, dtype=np.float32)
        self.weak_sources = np.zeros(beneficiaries, dtype=np.int8)
        self.weak_days = np.zeros(beneficiaries, dtype=np.int16)
        self.departments: dict[str, np.ndarray] = {}
        self.heard: dict[str, np.ndarray] = {}

    def add(self, filled: Filled) -> None:
        """Take in the accepted rows of one source."""
        person, day, file = filled.accepted()
        code = filled.delivery.code
        if filled.delivery.negative:
            self._hear(code, filled, person, file)
        elif filled.delivery.weak:
            self._add_weak(filled, person, day)
        else:
            if code == _HOSPITAL:
                died = filled.accepted_variants() == _DIED_IN_HOSPITAL
                self._hear(code, filled, person[died], file[died])
                person, day = person[~died], day[~died]
            np.maximum.at(self.last_strong, person, day)

    def _hear(self, code: str, filled: Filled, person: np.ndarray, file: np.ndarray) -> None:
        heard = np.full(self._count, NEVER, dtype=np.int16)
        np.minimum.at(heard, person, file_days(filled.delivery)[file].astype(np.int16))
        self.heard[code] = heard

    def _add_weak(self, filled: Filled, person: np.ndarray, day: np.ndarray) -> None:
        points, cap = _POINTS[filled.delivery.code]
        worth = points * (1 - 0.5 * (TODAY - day) / 365)
        gained = np.minimum(np.bincount(person, worth, minlength=self._count), cap)
        days = np.bincount(person, minlength=self._count)
        self.points += gained.astype(np.float32)
        self.weak_days += days.astype(np.int16)
        self.weak_sources += (days > 0).astype(np.int8)
        seen = self.departments.setdefault(filled.delivery.department, np.zeros(self._count, dtype=bool))
        seen |= days > 0
        np.maximum.at(self.last_weak, person, day)

    def visibility(self) -> np.ndarray:
        """strong, weak, partial or none for each beneficiary, by the starting rules."""
        departments = sum((seen.astype(np.int8) for seen in self.departments.values()), np.zeros(self._count, np.int8))
        weak = (
            (self.points >= ENOUGH_POINTS)
            & (self.weak_sources >= _ENOUGH_SOURCES)
            & (departments >= _ENOUGH_SOURCES)
            & (self.weak_days >= _ENOUGH_DAYS)
            & (self.last_weak >= TODAY - _RECENT)
        )
        classes = [self.last_strong >= 0, weak, self.weak_sources > 0]
        return np.select(classes, ["strong", "weak", "partial"], "none")


def make_truth(city: City, sightings: Sightings) -> pl.DataFrame:
    """One row a beneficiary.

    `<source>_delivered_on` is when a negative source's first accepted row came, `register_told_on` the first of death.
    """
    people, lives, count = city.people, city.lives, city.people.beneficiaries
    grid = people.grid[:count]
    codes, amounts, double = _benefits(city)
    quirks = lives.quirks[:count]
    states = pl.Series([state.name.lower() for state in State])
    table = pl.DataFrame(
        {
            "citizen_id": people.citizen_id.head(count),
            "name": people.name.head(count),
            "sex": pl.Series(["female", "male"]).gather(people.male[:count].astype(np.int64)),
            "born_on": pl.Series(people.born[:count]).cast(pl.Date),
            "division": city.places.villages["village_code"].gather(city.places.village[grid]),
            "group_no": city.places.group_no[grid],
            "household_no": people.household,
            "programs": codes,
            "amount_fen": amounts,
            "double_receipt": double,
            "state": states.gather(lives.state[:count]),
            "since_on": _on(lives.since[:count]),
            "died_on": _on(lives.died[:count]),
            "intended": pl.Series([trace.name.lower() for trace in Trace]).gather(lives.trace[:count]),
            "visibility": pl.Series(sightings.visibility()),
            "strong_seen_on": _on(np.where(sightings.last_strong < 0, NEVER, sightings.last_strong)),
            "weak_points": np.round(sightings.points, 1),
            "hukou_says_on": _on(city.registers.hukou),
            "certificate_says_on": _on(city.registers.certificate),
            "cremated_on": _on(city.registers.cremation),
        }
    )
    told = np.minimum.reduce([sightings.heard[code] for code in _DEATH_REGISTERS])
    flags = {quirk.name.lower(): (quirks & quirk) > 0 for quirk in Quirk if quirk.name}
    heard = {f"{code}_delivered_on": _on(days) for code, days in sorted(sightings.heard.items())}
    added: dict[str, np.ndarray | pl.Series] = {**flags, "register_told_on": _on(told), **heard}
    return table.with_columns(**{name: pl.Series(values) for name, values in added.items()})


def _on(days: np.ndarray) -> pl.Series:
    """Dates of day numbers, null for what never was."""
    numbers = pl.Series(days.astype(np.int32))
    dates = (numbers + (FIRST_ON - FIRST_ON.replace(year=1970, month=1, day=1)).days).cast(pl.Date)
    return pl.select(pl.when(numbers == NEVER).then(None).otherwise(dates)).to_series()


def _benefits(city: City) -> tuple[pl.Series, np.ndarray, np.ndarray]:
    """Program codes (a list a person), their sum in fen, and who draws two pensions that exclude each other."""
    count = city.people.beneficiaries
    amounts = np.zeros(count, dtype=np.int64)
    for code, members in city.held.items():
        np.add.at(amounts, members, city.amounts[code])
    order = [program.code for program in read_programs()]
    person = np.concatenate([city.held[code] for code in order])
    program = np.repeat(np.arange(len(order)), [len(city.held[code]) for code in order])
    table = pl.DataFrame({"person": person, "code": pl.Series(order).gather(program)})
    lists = table.group_by("person", maintain_order=True).agg("code").sort("person")
    everybody = pl.DataFrame({"person": np.arange(count, dtype=np.int32)}).join(
        lists, on="person", how="left", maintain_order="left"
    )
    both = np.zeros(count, dtype=bool)
    both[np.intersect1d(city.held["resident_pension"], city.held["ue_pension"])] = True
    return everybody["code"], amounts, both
