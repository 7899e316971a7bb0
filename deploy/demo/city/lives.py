"""What happens to people in the year: who dies, is jailed, leaves, is missing or bedridden, and who leaves traces."""

from dataclasses import dataclass
from enum import IntEnum, IntFlag

import numpy as np

from deploy.demo.city.chance import stream
from deploy.demo.city.mortality import OLDEST, death_rates
from deploy.demo.city.people import People
from deploy.demo.city.year import DAYS

NEVER = 20_000
"""Day number of what does not happen."""
WEAK_ORDER = (
    "transport_bus_card",
    "medins_pharmacy",
    "medins_outpatient",
    "telecom_activity",
    "hrss_card_consume",
    "bank_self_service",
    "tax_medins_pay",
)
"""Weak sources in the order of the bits of Lives.weak."""
_BUS, _PHARMACY, _CLINIC, _PHONE, _CARD, _BANK, _PREMIUM = (1 << bit for bit in range(len(WEAK_ORDER)))
_STRONG_SHARE = 0.2645
_WEAK_SHARE = 0.085
_PARTIAL_SHARE = 0.42
_SILENT_AFTER = 262
"""Who fell silent left his last trace before this day, more than 90 days before the year's end."""


class State(IntEnum):
    """What a person is on the day after the year."""

    ALIVE = 0
    DEAD = 1
    MISSING = 2
    IN_CUSTODY = 3
    COMMUNITY_SENTENCE = 4
    DETAINED = 5
    ABROAD = 6
    MOVED = 7
    BEDRIDDEN = 8


class Trace(IntEnum):
    """How a person is meant to show in the files."""

    NONE = 0
    PARTIAL = 1
    WEAK = 2
    STRONG = 3


class Quirk(IntFlag):
    """Particular stories."""

    CARD_MISUSED = 1
    PHONE_WITH_FAMILY = 2
    WRONGLY_CANCELLED = 4
    TRIP_CANCELLED = 8
    DEAD_BEFORE = 16
    DECLARED_DEAD = 32
    RELEASED = 64
    FELL_SILENT = 128
    HOSPITAL_DEATH = 256
    RENAMED = 512


_RARE = (
    (State.MISSING, 0.0005),
    (State.IN_CUSTODY, 0.0006),
    (State.COMMUNITY_SENTENCE, 0.0006),
    (State.DETAINED, 0.0002),
    (State.ABROAD, 0.0020),
    (State.MOVED, 0.0250),
    (State.BEDRIDDEN, 0.0200),
)
_PARTIAL_WAYS = (
    (_PHONE, 22),
    (_BANK, 8),
    (_PHONE | _BANK, 14),
    (_PHARMACY, 5),
    (_CLINIC, 7),
    (_CLINIC | _PHONE, 7),
    (_BUS, 4),
    (_BUS | _PHONE, 4),
    (_PHARMACY | _PHONE, 6),
    (_CARD | _PHONE | _BANK, 4),
    (_PREMIUM | _PHONE, 7),
    (_PREMIUM, 6),
    (_BANK | _PHARMACY, 4),
    (_CLINIC | _PREMIUM, 2),
)
"""Combinations that stay below sixty points however often they are used."""
_NEARLY_ENOUGH = (_CLINIC | _PHONE, _CARD | _PHONE | _BANK)
"""Those that a paid premium would lift to sixty."""


def live(seed: int, people: People) -> "Lives":
    """A year of everybody's life; residents without a benefit just live."""
    count, everybody = people.beneficiaries, len(people.age)
    state = _states(seed, people)
    quirks = np.zeros(everybody, dtype=np.int16)
    died = np.full(everybody, NEVER, dtype=np.int16)
    since = np.full(everybody, NEVER, dtype=np.int16)
    _die(stream(seed, "deaths"), people, state, died, quirks)
    _leave(stream(seed, "leaving"), state, since, quirks)
    trace = np.full(everybody, Trace.STRONG, dtype=np.int8)
    trace[:count] = _traces(stream(seed, "traces"), people, state[:count])
    weak = _weak_ways(stream(seed, "ways"), trace, quirks)
    _add_stories(stream(seed, "stories"), state[:count], trace[:count], quirks[:count])
    spans = _spans(stream(seed, "spans"), state, died, since, quirks)
    return Lives(state=state, died=died, since=since, quirks=quirks, trace=trace, weak=weak, **spans)


def _states(seed: int, people: People) -> np.ndarray:
    """Rare states for adults by chance, at least one of each; deaths come later."""
    rng = stream(seed, "states")
    count = people.beneficiaries
    state = np.zeros(len(people.age), dtype=np.int8)
    keys = rng.random(count)
    keys[people.age[:count] < 18] = 2  # noqa: PLR2004  (children stay at home)
    order = np.argsort(keys)
    start = 0
    for rare, share in _RARE:
        size = max(1, round(share * count))
        state[order[start : start + size]] = rare
        start += size
    return state


def _die(rng: np.random.Generator, people: People, state: np.ndarray, died: np.ndarray, quirks: np.ndarray) -> None:
    count = people.beneficiaries
    rates = death_rates()[people.male[:count].astype(int), np.minimum(people.age[:count], OLDEST)]
    risk = np.where(state[:count] == State.BEDRIDDEN, 3.0, 1.0)
    dies = rng.random(count) < 1 - np.exp(-rates * risk)
    dies &= np.isin(state[:count], (State.ALIVE, State.MOVED, State.BEDRIDDEN))
    chosen = np.flatnonzero(dies)
    winter = rng.random(len(chosen)) < 0.18  # noqa: PLR2004  (more deaths from December to February)
    died[chosen] = np.where(winter, rng.integers(30, 110, len(chosen)), rng.integers(0, DAYS, len(chosen)))
    quirks[chosen[rng.random(len(chosen)) < 0.13]] |= Quirk.CARD_MISUSED  # noqa: PLR2004
    quirks[chosen[rng.random(len(chosen)) < 0.10]] |= Quirk.PHONE_WITH_FAMILY  # noqa: PLR2004
    quirks[chosen[rng.random(len(chosen)) < 0.22]] |= Quirk.HOSPITAL_DEATH  # noqa: PLR2004
    before = chosen[: max(1, round(0.0003 * count))]
    died[before] = rng.integers(-420, -30, len(before))
    quirks[before] = Quirk.DEAD_BEFORE | Quirk.CARD_MISUSED
    state[chosen] = State.DEAD


def _leave(rng: np.random.Generator, state: np.ndarray, since: np.ndarray, quirks: np.ndarray) -> None:
    """The day each rare state began; some were jailed or gone before the year, a few prisoners were released in it."""
    for rare, earliest, latest in (
        (State.MISSING, -500, 300),
        (State.IN_CUSTODY, -600, 320),
        (State.COMMUNITY_SENTENCE, -200, 250),
        (State.DETAINED, 250, 360),
        (State.ABROAD, -300, 330),
        (State.MOVED, -600, 330),
        (State.BEDRIDDEN, -500, 0),
    ):
        members = np.flatnonzero(state == rare)
        since[members] = rng.integers(earliest, latest, len(members))
    prisoners = np.flatnonzero((state == State.IN_CUSTODY) & (since < 0))
    freed = prisoners[rng.random(len(prisoners)) < 0.3]  # noqa: PLR2004
    quirks[freed] |= Quirk.RELEASED
    lost = np.flatnonzero((state == State.MISSING) & (since < 0))
    quirks[lost[rng.random(len(lost)) < 0.25]] |= Quirk.DECLARED_DEAD  # noqa: PLR2004
    state[freed] = State.ALIVE


def _traces(rng: np.random.Generator, people: People, state: np.ndarray) -> np.ndarray:
    """How visible each beneficiary is: pensioners of towns more, the very old less, the bedridden not at all."""
    count = len(state)
    age = people.age[:count]
    liking = rng.normal(0, 1, count) - np.maximum(age - 72, 0) * 0.03 + np.isin(people.first_program, (0, 1)) * 0.55
    liking[(state == State.BEDRIDDEN) | (state == State.MISSING) | (state == State.ABROAD)] -= 50
    order = np.argsort(-liking, kind="stable")
    edges = (np.cumsum([_STRONG_SHARE, _WEAK_SHARE, _PARTIAL_SHARE]) * count).astype(int)
    trace = np.zeros(count, dtype=np.int8)
    trace[order[: edges[0]]] = Trace.STRONG
    trace[order[edges[0] : edges[1]]] = Trace.WEAK
    trace[order[edges[1] : edges[2]]] = Trace.PARTIAL
    abroad = np.flatnonzero(state == State.ABROAD)
    trace[abroad[rng.random(len(abroad)) < 0.5]] = Trace.STRONG  # noqa: PLR2004
    trace[state == State.COMMUNITY_SENTENCE] = Trace.STRONG
    return trace


def _weak_ways(rng: np.random.Generator, trace: np.ndarray, quirks: np.ndarray) -> np.ndarray:
    """Weak sources each person shows in, as bits."""
    count = len(trace)
    weak = np.zeros(count, dtype=np.uint8)
    ways, odds = np.array(_PARTIAL_WAYS, dtype=np.float64).T
    partial = np.flatnonzero(trace == Trace.PARTIAL)
    weak[partial] = ways.astype(np.uint8)[rng.choice(len(ways), size=len(partial), p=odds / odds.sum())]
    room = partial[np.isin(weak[partial], [way for way, _ in _PARTIAL_WAYS if way not in _NEARLY_ENOUGH])]
    weak[room[rng.random(len(room)) < 0.5]] |= _PREMIUM  # noqa: PLR2004
    quirks[partial[rng.random(len(partial)) < 0.07]] |= Quirk.FELL_SILENT  # noqa: PLR2004
    weak[(quirks & Quirk.FELL_SILENT) > 0] = _PHARMACY | _CLINIC | _PHONE | _BANK
    weak[(quirks & Quirk.CARD_MISUSED) > 0] |= _BANK | _PHARMACY
    weak[(quirks & Quirk.PHONE_WITH_FAMILY) > 0] |= _PHONE
    for kind, chances in (
        (Trace.STRONG, (0.36, 0.5, 0.5, 0.78, 0.32, 0.5, 0.8)),
        (Trace.WEAK, (0.72, 1.0, 1.0, 0.9, 0.5, 1.0, 0.8)),
    ):
        members = np.flatnonzero(trace == kind)
        for bit, chance in enumerate(chances):
            weak[members[rng.random(len(members)) < chance]] |= 1 << bit
    return weak


def _add_stories(rng: np.random.Generator, state: np.ndarray, trace: np.ndarray, quirks: np.ndarray) -> None:
    """Stories of the living: a wrong cancellation, a trip that was only booked, a phone the son uses."""
    count = len(state)
    alive = np.flatnonzero((state == State.ALIVE) & (quirks == 0))
    seen = alive[trace[alive] == Trace.STRONG]
    quirks[seen[: max(1, round(0.00012 * count))]] |= Quirk.WRONGLY_CANCELLED
    quirks[seen[-max(1, round(0.0003 * count)) :]] |= Quirk.RENAMED
    unseen = alive[trace[alive] <= Trace.PARTIAL]
    quirks[unseen[rng.random(len(unseen)) < 0.004]] |= Quirk.TRIP_CANCELLED  # noqa: PLR2004
    partial = alive[trace[alive] == Trace.PARTIAL]
    quirks[partial[rng.random(len(partial)) < 0.12]] |= Quirk.PHONE_WITH_FAMILY  # noqa: PLR2004


def _spans(
    rng: np.random.Generator, state: np.ndarray, died: np.ndarray, since: np.ndarray, quirks: np.ndarray
) -> dict[str, np.ndarray]:
    """Days on which a person can be seen here, anywhere, and on which the cards leave traces."""
    gone = np.isin(state, (State.MISSING, State.IN_CUSTODY, State.DETAINED))
    seen_to = np.minimum(np.where(gone, since, DAYS), np.minimum(died, DAYS))
    left = np.isin(state, (State.MOVED, State.ABROAD, State.BEDRIDDEN)) | ((died < NEVER) & (since < NEVER))
    here_to = np.where(left, np.minimum(since, seen_to), seen_to)
    silent = (quirks & Quirk.FELL_SILENT) > 0
    trace_to = np.where(silent, np.minimum(seen_to, _SILENT_AFTER), seen_to)
    misused = (quirks & Quirk.CARD_MISUSED) > 0
    card_to = np.where(misused, DAYS, trace_to)
    phone_to = np.where(misused | ((quirks & Quirk.PHONE_WITH_FAMILY) > 0), DAYS, trace_to)
    freed = (quirks & Quirk.RELEASED) > 0
    seen_from = np.where(freed, rng.integers(60, 240, len(state)), 0)
    spans = {"seen_from": seen_from, "here_to": here_to, "seen_to": seen_to, "card_to": card_to, "phone_to": phone_to}
    return {name: np.maximum(values, 0).astype(np.int16) for name, values in spans.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lives:
    """Columns over everybody; days are day numbers, NEVER for what does not happen.

    `seen_from <= day < here_to` at home, `< seen_to` anywhere; `card_to` and `phone_to` end the traces of cards and
    phone, which relatives may carry on.
    """

    state: np.ndarray
    died: np.ndarray
    since: np.ndarray
    quirks: np.ndarray
    trace: np.ndarray
    weak: np.ndarray
    seen_from: np.ndarray
    here_to: np.ndarray
    seen_to: np.ndarray
    card_to: np.ndarray
    phone_to: np.ndarray
