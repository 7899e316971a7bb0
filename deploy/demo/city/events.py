"""What a source sees in a year: exactly as many rows as asked for, from people who can be seen there, in its season."""

import numpy as np

from deploy.demo.city.chance import capped, draw_by_weight, inside, split_exactly, stream
from deploy.demo.city.city import City
from deploy.demo.city.deliveries import PERIODS, Delivery, read_deliveries
from deploy.demo.city.lives import WEAK_ORDER, Quirk, State, Trace
from deploy.demo.city.stories import Rows, joined, make_rows, tell
from deploy.demo.city.year import DAYS, MONTH_STARTS, TODAY, month_of

_SEASONS = {
    "even": (1.0,) * 12,
    "spring": (0.3, 0.2, 0.2, 0.6, 1.6, 2.2, 2.0, 1.2, 0.9, 0.8, 0.8, 0.6),
    "autumn": (1.6, 1.2, 0.5, 0.5, 0.6, 0.6, 0.6, 0.5, 0.5, 0.7, 1.6, 2.2),
    "premium": (1.6, 1.4, 0.3, 0.15, 0.1, 0.1, 0.1, 0.1, 0.1, 0.2, 1.6, 2.4),
    "early": (3.0, 2.0, 0.2, 0.05, 0.03, 0.03, 0.03, 0.03, 0.03, 0.03, 0.03, 0.03),
}
"""Weights of the twelve months, November to October."""


_DELAY = 40
_FIRST_FULL_MONTH = 1
"""A month counts as its first day, so that November of the year before lies outside the window."""


def see(city: City, delivery: Delivery, count: int) -> Rows:
    """The rows of one source in its year; shape (count,)."""
    rng = stream(city.seed, "events", delivery.code)
    told = delivered_only(delivery, tell(city, delivery.code)).first(count)
    wanted = count - len(told)
    strangers = wanted if delivery.negative else round(wanted * delivery.strangers)
    beneficiaries = _beneficiaries(city, delivery, rng, wanted - strangers)
    others = _strangers(city, delivery, rng, wanted - len(beneficiaries))
    return joined([told, beneficiaries, others])


def delivery_days(delivery: Delivery) -> np.ndarray:
    """Day on which the file of each period comes; a positive source hands in what it has by today."""
    ends = MONTH_STARTS[PERIODS[delivery.every] :: PERIODS[delivery.every]].astype(np.int64) + delivery.lag
    if delivery.delayed >= 0:
        ends[delivery.delayed] += _DELAY
    return ends if delivery.negative else np.minimum(ends, TODAY)


def file_days(delivery: Delivery) -> np.ndarray:
    """Days on which files come, in order."""
    return np.sort(delivery_days(delivery))


def period_of(delivery: Delivery, filed: np.ndarray) -> np.ndarray:
    """Index of the period a row is filed in."""
    return np.asarray(month_of(filed) // PERIODS[delivery.every])


def delivered_only(delivery: Delivery, rows: Rows) -> Rows:
    """Without what is filed but not yet delivered."""
    arrived = delivery_days(delivery)[period_of(delivery, rows.filed)] <= TODAY
    return Rows(
        person=rows.person[arrived], day=rows.day[arrived], filed=rows.filed[arrived], variant=rows.variant[arrived]
    )


def spans(city: City, reach: str) -> tuple[np.ndarray, np.ndarray]:
    """First day, and day after the last, on which each beneficiary can show in a source of this reach."""
    lives, count = city.lives, city.people.beneficiaries
    misused = (lives.quirks & Quirk.CARD_MISUSED) > 0
    away = np.isin(lives.state, (State.MOVED, State.ABROAD))
    ends = {
        "here": lives.here_to,
        "anywhere": lives.seen_to,
        "away": lives.seen_to,
        "card": np.where(misused, lives.card_to, np.minimum(lives.here_to, lives.card_to)),
        "bank": lives.card_to,
        "phone": lives.phone_to,
    }
    first = (
        np.where(away, np.maximum(lives.since, lives.seen_from), lives.seen_from)
        if reach == "away"
        else lives.seen_from
    )
    return first[:count], ends[reach][:count]


def _beneficiaries(city: City, delivery: Delivery, rng: np.random.Generator, wanted: int) -> Rows:
    count = city.people.beneficiaries
    first, after = spans(city, delivery.reach)
    if delivery.weak:
        visible = (city.lives.weak[:count] >> WEAK_ORDER.index(delivery.code) & 1) > 0
    else:
        visible = city.lives.trace[:count] == Trace.STRONG
    weights = np.where(visible & (after > first), city.likings.weights(delivery.likes), 0)
    weights = weights * np.minimum((after - first) / DAYS + 0.02, 1)
    if delivery.monthly:
        return _by_month(rng, delivery, np.flatnonzero(weights > 0), (first, after), wanted)
    wanted = min(wanted, int((weights > 0).sum()) * delivery.limit)
    sure = (
        np.flatnonzero((city.home == _index(delivery)) & (weights > 0))[:wanted]
        if delivery.common
        else np.empty(0, np.int32)
    )
    more = draw_by_weight(rng, capped(weights, wanted - len(sure), delivery.limit), wanted - len(sure))
    person = np.concatenate([sure, more]).astype(np.int32)
    day = inside(rng, _season(delivery), first[person], after[person])
    return make_rows(person, day, variant=_variants(delivery, rng, len(person)))


def _strangers(city: City, delivery: Delivery, rng: np.random.Generator, wanted: int) -> Rows:
    start, count = city.people.beneficiaries, len(city.people.age)
    if delivery.monthly:
        everybody = np.zeros(count, dtype=np.int16), np.full(count, DAYS, dtype=np.int16)
        times = max(1, -(-wanted // (11 * (count - start))))
        members = np.tile(np.arange(start, count), times)
        return _by_month(rng, delivery, members, everybody, wanted)
    person = (start + rng.integers(0, count - start, wanted)).astype(np.int32)
    arrived = delivery_days(delivery) <= TODAY
    last = int(MONTH_STARTS[PERIODS[delivery.every] * int(arrived.sum())]) if delivery.negative else DAYS
    day = inside(rng, _season(delivery), np.zeros(wanted, np.int16), np.full(wanted, last, np.int16))
    return make_rows(person, day, variant=_variants(delivery, rng, wanted))


def _by_month(
    rng: np.random.Generator,
    delivery: Delivery,
    members: np.ndarray,
    span: tuple[np.ndarray, np.ndarray],
    wanted: int,
) -> Rows:
    """One row a month for as many of the members as it takes."""
    order = rng.permutation(members)
    low = np.maximum(month_of(span[0][order]).astype(np.int64), _FIRST_FULL_MONTH)
    length = np.maximum(month_of(span[1][order] - 1) + 1 - low, 0)
    users = int(np.searchsorted(np.cumsum(length), wanted)) + 1
    order, low, length = order[:users], low[:users], length[:users]
    person = np.repeat(order, length)[:wanted].astype(np.int32)
    month = (np.arange(int(length.sum())) - np.repeat(np.cumsum(length) - length, length) + np.repeat(low, length))[
        :wanted
    ]
    return make_rows(person, MONTH_STARTS[month], MONTH_STARTS[month + 1] - 1, _variants(delivery, rng, len(person)))


def _variants(delivery: Delivery, rng: np.random.Generator, count: int) -> np.ndarray:
    """A variant for each row by share; those of stories never come by chance."""
    shares = np.array([variant.share for variant in delivery.variants] or [1.0])
    numbers = split_exactly(count, shares)
    return np.asarray(rng.permutation(np.repeat(np.arange(len(shares), dtype=np.int8), numbers)))


def _season(delivery: Delivery) -> np.ndarray:
    """Cumulative weight of the days of the year, shape (366,)."""
    daily = np.repeat(np.array(_SEASONS[delivery.season]), np.diff(MONTH_STARTS))
    return np.asarray(np.r_[0.0, np.cumsum(daily)])


def _index(delivery: Delivery) -> int:
    return [other.code for other in read_deliveries()].index(delivery.code)
