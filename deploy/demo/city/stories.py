"""Rows that must be in the files since something happened: deaths, sentences, departures, and what was only booked."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from deploy.demo.city.chance import stream
from deploy.demo.city.city import City
from deploy.demo.city.lives import NEVER, Quirk, State
from deploy.demo.city.year import DAYS

_DIED_IN_HOSPITAL = 3
_CANCELLED = 1
_TERM, _SUSPENDED, _MISSING, _DEAD = range(4)
_HELD, _FREED = range(2)


def tell(city: City, code: str) -> "Rows":
    """The rows one source owes to what happened to beneficiaries."""
    teller = _TELLERS.get(code)
    return teller(city, stream(city.seed, "stories", code)) if teller else no_rows()


def no_rows() -> "Rows":
    """Nothing."""
    none = np.empty(0, dtype=np.int16)
    return Rows(person=none.astype(np.int32), day=none, filed=none, variant=none.astype(np.int8))


def make_rows(
    person: np.ndarray, day: np.ndarray, filed: np.ndarray | None = None, variant: np.ndarray | int = 0
) -> "Rows":
    """Rows from columns; they are filed on their own day and are of the first variant unless said."""
    return Rows(
        person=person.astype(np.int32),
        day=day.astype(np.int16),
        filed=(day if filed is None else filed).astype(np.int16),
        variant=np.broadcast_to(np.asarray(variant, dtype=np.int8), len(person)).copy(),
    )


def joined(parts: list["Rows"]) -> "Rows":
    """All rows of several parts."""
    return Rows(
        person=np.concatenate([part.person for part in parts]),
        day=np.concatenate([part.day for part in parts]),
        filed=np.concatenate([part.filed for part in parts]),
        variant=np.concatenate([part.variant for part in parts]),
    )


def _having(city: City, quirk: Quirk) -> np.ndarray:
    return np.flatnonzero((city.lives.quirks[: city.people.beneficiaries] & quirk) > 0)


def _being(city: City, state: State) -> np.ndarray:
    return np.flatnonzero(city.lives.state[: city.people.beneficiaries] == state)


def _known(day: np.ndarray, filed: np.ndarray) -> "Rows":
    members = np.flatnonzero((filed < DAYS) & (day < NEVER))
    return make_rows(members, day[members], filed[members])


def _hukou(city: City, _rng: np.random.Generator) -> "Rows":
    return _known(city.registers.hukou, city.registers.hukou_filed)


def _cremation(city: City, _rng: np.random.Generator) -> "Rows":
    return _known(city.registers.cremation, city.registers.cremation_filed)


def _certificate(city: City, _rng: np.random.Generator) -> "Rows":
    return _known(city.registers.certificate, city.registers.certificate_filed)


def _hospital(city: City, _rng: np.random.Generator) -> "Rows":
    members = _having(city, Quirk.HOSPITAL_DEATH)
    died = city.lives.died[members]
    members = members[(died >= 0) & (died < DAYS)]
    return make_rows(members, city.lives.died[members], variant=_DIED_IN_HOSPITAL)


def _stays_after_cancellation(city: City, rng: np.random.Generator) -> "Rows":
    """The living whom the hukou register holds for dead lie in hospital afterwards."""
    members = _having(city, Quirk.WRONGLY_CANCELLED)
    return make_rows(members, city.registers.hukou[members] + rng.integers(30, 150, len(members)))


def _prison(city: City, rng: np.random.Generator) -> "Rows":
    """Who is in custody and who was freed; prisoners from before the year stand in the first file."""
    held = _being(city, State.IN_CUSTODY)
    freed = _having(city, Quirk.RELEASED)
    members = np.r_[held, freed]
    since = city.lives.since[members].astype(np.int64)
    filed = np.maximum(since, 0) + rng.integers(1, 25, len(members))
    out = city.lives.seen_from[freed].astype(np.int64)
    return joined(
        [make_rows(members, since, filed, _HELD), make_rows(freed, out, out + rng.integers(1, 10, len(freed)), _FREED)]
    )


def _court(city: City, rng: np.random.Generator) -> "Rows":
    """Judgments of the year: terms, suspended sentences, and people declared missing or dead."""
    parts = []
    for members, variant in (
        (_being(city, State.IN_CUSTODY), _TERM),
        (_being(city, State.COMMUNITY_SENTENCE), _SUSPENDED),
    ):
        day = city.lives.since[members] - (30 if variant == _TERM else 5)
        parts.append(make_rows(members[day >= 0], day[day >= 0], variant=variant))
    lost = _being(city, State.MISSING)
    dead = (city.lives.quirks[lost] & Quirk.DECLARED_DEAD) > 0
    declared = dead | (rng.random(len(lost)) < 0.4)  # noqa: PLR2004
    lost, dead = lost[declared], dead[declared]
    day = np.maximum(city.lives.since[lost], 0) + rng.integers(20, 60, len(lost))
    parts.append(make_rows(lost, day, variant=np.where(dead, _DEAD, _MISSING)))
    return joined(parts)


def _reports(city: City, rng: np.random.Generator) -> "Rows":
    """Who serves a sentence outside reports every month."""
    members = _being(city, State.COMMUNITY_SENTENCE)
    person = np.repeat(members, 12)
    day = np.tile(np.arange(12) * 30, len(members)) + rng.integers(0, 28, 12 * len(members))
    since = np.maximum(city.lives.since[person], 0)
    return make_rows(person[day >= since], day[day >= since], variant=0)


def _departures(city: City, _rng: np.random.Generator) -> "Rows":
    members = _being(city, State.ABROAD)
    members = members[city.lives.since[members] >= 0]
    return make_rows(members, city.lives.since[members])


def _cancelled_trips(city: City, rng: np.random.Generator) -> "Rows":
    members = _having(city, Quirk.TRIP_CANCELLED)
    return make_rows(members, rng.integers(60, 350, len(members)), variant=_CANCELLED)


_TELLERS: dict[str, Callable[[City, np.random.Generator], "Rows"]] = {
    "police_hukou_cancel": _hukou,
    "civil_cremation": _cremation,
    "health_death_cert": _certificate,
    "health_inpatient_emr": _hospital,
    "medins_inpatient": _stays_after_cancellation,
    "prison_custody": _prison,
    "court_judgment": _court,
    "justice_community_corr": _reports,
    "police_exit_entry": _departures,
    "tourism_group_trip": _cancelled_trips,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows of one source before anything went wrong with them: who, on which day, filed when, of which variant."""

    person: np.ndarray
    day: np.ndarray
    filed: np.ndarray
    variant: np.ndarray

    def __len__(self) -> int:
        return len(self.person)

    def first(self, count: int) -> "Rows":
        """The first rows."""
        return Rows(
            person=self.person[:count], day=self.day[:count], filed=self.filed[:count], variant=self.variant[:count]
        )
