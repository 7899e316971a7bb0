"""The texts of a file's columns; a value depends on its row alone, so that a row delivered twice reads the same.

Kinds of columns, `kind` or `kind:argument`: `id`, `name[:padded]`, `sex`, `age`, `household`, `village`, `place:suffix`
(of the town); `day:form`, `time:form` and `month:form` tell the day of the event, `filed:form` the day it was written
down, `before:form:low-high` a day some days earlier, with forms iso, slash, compact, chinese, excel; `variant` is the
deciding column; `pick:a|b`, `number:low-high`, `money:low-high`, `digits:n`, `serial:prefix`, `card` and `staff` fill
what nobody needs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import polars as pl

from deploy.demo.city import citizen_ids
from deploy.demo.city.city import City
from deploy.demo.city.deliveries import Delivery
from deploy.demo.city.faults import Fault
from deploy.demo.city.stories import Rows
from deploy.demo.city.year import EARLIEST, texts

_PATTERNS = {
    "iso": "{y}-{mm}-{dd}",
    "excel": "{y}-{mm}-{dd}",
    "slash": "{y}/{m}/{d}",
    "compact": "{y}{mm}{dd}",
    "chinese": "{y}年{m}月{d}日",
    "month": "{y}-{mm}",
    "month_compact": "{y}{mm}",
}
_NO_SUCH_DAY = {"y": 2023, "m": 2, "mm": "02", "d": 30, "dd": "30"}
_NO_SUCH_MONTH = {"y": 2023, "m": 13, "mm": "13", "d": 1, "dd": "01"}
_MIX = np.uint64(0x9E3779B97F4A7C15)
_STAFF = ("张静", "李强", "王敏", "刘洋", "陈芳", "赵磊", "孙丽", "周涛", "吴娟", "马超")
_OPENING, _OPEN_SECONDS = 7 * 3600, 14 * 3600


def write_columns(page: "Page") -> pl.DataFrame:
    """The table of one file."""
    series = []
    for salt, column in enumerate(page.delivery.columns):
        kind, _, argument = column.kind.partition(":")
        series.append(_KINDS[kind](page, argument, salt).alias(column.title))
    return pl.DataFrame(series)


@cache
def _dates(pattern: str) -> pl.Series:
    return texts(_PATTERNS[pattern])


@cache
def _clock() -> pl.Series:
    seconds = np.arange(86_400)
    return pl.Series([f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}" for second in seconds])


def _chance(page: "Page", salt: int) -> np.ndarray:
    """A number for each row that depends on the row, the column and the seed only; uint64."""
    mixed = (page.row.astype(np.uint64) + np.uint64(page.salt * 977 + salt * 131 + 1)) * _MIX
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    return np.asarray(mixed ^ (mixed >> np.uint64(32)))


def _changed(series: pl.Series, where: np.ndarray, change: Callable[[str, int], str | None]) -> pl.Series:
    """The series with some values replaced by what change makes of the value and its position."""
    if not len(where):
        return series
    values = [
        change(value, int(position)) for value, position in zip(series.gather(where).to_list(), where, strict=True)
    ]
    return series.scatter(pl.Series(where, dtype=pl.UInt32), pl.Series(values, dtype=pl.String))


def _id(page: "Page", _argument: str, salt: int) -> pl.Series:
    ids = page.city.people.citizen_id.gather(page.rows.person)
    chance = _chance(page, salt)
    share = (chance % np.uint64(100_003)) / 100_003
    odd = np.flatnonzero((page.faults == Fault.NONE) & (share < page.delivery.odd_ids))
    ids = _changed(ids, odd, lambda value, at: citizen_ids.other_form(value, share[at] / page.delivery.odd_ids))
    for fault, change in (
        (Fault.MALFORMED_ID, lambda value, at: citizen_ids.malformed(value, float(share[at]))),
        (Fault.WRONG_CHECK_DIGIT, lambda value, at: citizen_ids.with_wrong_check_digit(value, float(share[at]))),
        (Fault.NO_ID, lambda _value, _at: None),
    ):
        ids = _changed(ids, np.flatnonzero(page.faults == fault), change)
    return ids


def _name(page: "Page", style: str, salt: int) -> pl.Series:
    """Names; style `padded` sets short ones apart with a wide space, as printed forms do."""
    known, now = page.city.people.name, page.city.names_now
    names = now.gather(page.rows.person)
    chance = _chance(page, salt)

    def other(value: str, at: int) -> str:
        step = int(chance[at] % np.uint64(len(known)))
        while known[step] in (value, known[int(page.rows.person[at])]):
            step = (step + 1) % len(known)
        return str(known[step])

    names = _changed(names, np.flatnonzero(page.faults == Fault.OTHER_NAME), other)
    return names.str.replace(r"^(.)(.)$", "${1}\u3000${2}") if style == "padded" else names


def _day(page: "Page", pattern: str, _salt: int) -> pl.Series:
    days = _dates(pattern).gather(page.rows.day.astype(np.int64) - EARLIEST)
    days = _changed(days, np.flatnonzero(page.faults == Fault.NO_DATE), lambda _value, _at: None)
    never = _PATTERNS[pattern].format(**(_NO_SUCH_MONTH if pattern.startswith("month") else _NO_SUCH_DAY))
    return _changed(days, np.flatnonzero(page.faults == Fault.NO_SUCH_DATE), lambda _value, _at: never)


def _month(page: "Page", pattern: str, salt: int) -> pl.Series:
    return _day(page, "month_compact" if pattern == "compact" else "month", salt)


def _time(page: "Page", pattern: str, salt: int) -> pl.Series:
    second = _OPENING + (_chance(page, salt) % np.uint64(_OPEN_SECONDS)).astype(np.int64)
    clock = _clock().gather(second)
    if pattern == "compact":
        return _day(page, pattern, salt) + clock.str.replace_all(":", "", literal=True)
    return _day(page, pattern, salt) + " " + clock


def _filed(page: "Page", pattern: str, _salt: int) -> pl.Series:
    return _dates(pattern).gather(page.rows.filed.astype(np.int64) - EARLIEST)


def _before(page: "Page", argument: str, salt: int) -> pl.Series:
    pattern, _, days = argument.partition(":")
    low, high = (int(part) for part in days.split("-"))
    back = low + (_chance(page, salt) % np.uint64(high - low + 1)).astype(np.int64)
    return _dates(pattern).gather(np.maximum(page.rows.day.astype(np.int64) - back - EARLIEST, 0))


def _variant(page: "Page", _argument: str, _salt: int) -> pl.Series:
    values = pl.Series([variant.value for variant in page.delivery.variants])
    series = values.gather(page.rows.variant)
    return _changed(series, np.flatnonzero(page.faults == Fault.WRONG_CODE), lambda _value, _at: page.delivery.wrong)


def _pick(page: "Page", argument: str, salt: int) -> pl.Series:
    values = argument.split("|")
    return pl.Series(values).gather((_chance(page, salt) % np.uint64(len(values))).astype(np.int64))


def _number(page: "Page", argument: str, salt: int) -> pl.Series:
    low, high = (int(part) for part in argument.split("-"))
    return pl.Series((_chance(page, salt) % np.uint64(high - low + 1)).astype(np.int64) + low)


def _money(page: "Page", argument: str, salt: int) -> pl.Series:
    low, high = (int(part) * 100 for part in argument.split("-"))
    cents = low + (_chance(page, salt) % np.uint64(high - low)).astype(np.int64)
    return pl.Series(cents / 100)


def _digits(page: "Page", argument: str, salt: int) -> pl.Series:
    return _padded((_chance(page, salt) % np.uint64(10 ** int(argument))).astype(np.int64), int(argument))


def _serial(page: "Page", prefix: str, _salt: int) -> pl.Series:
    return prefix + _padded(page.row.astype(np.int64) + 1, 8 if prefix else 1)


def _card(page: "Page", _argument: str, _salt: int) -> pl.Series:
    return "YL" + _padded(page.rows.person.astype(np.int64) * 7 + 1_000_003, 9)


def _padded(numbers: np.ndarray, width: int) -> pl.Series:
    return pl.Series(numbers).cast(pl.String).str.zfill(width)


def _place(page: "Page", what: str, _salt: int) -> pl.Series:
    towns = page.city.places.villages["town"] + what
    return towns.gather(page.village)


def _village(page: "Page", _argument: str, _salt: int) -> pl.Series:
    return page.city.places.villages["village"].gather(page.village)


def _household(page: "Page", _argument: str, _salt: int) -> pl.Series:
    households = np.r_[page.city.people.household, np.zeros(1, np.int32)]
    inside = np.minimum(page.rows.person, page.city.people.beneficiaries)
    return "H" + _padded(households[inside].astype(np.int64) + 100_000, 7)


def _staff(page: "Page", _argument: str, salt: int) -> pl.Series:
    return _pick(page, "|".join(_STAFF), salt)


def _sex(page: "Page", _argument: str, _salt: int) -> pl.Series:
    return pl.Series(["女", "男"]).gather(page.city.people.male[page.rows.person].astype(np.int64))


def _age(page: "Page", _argument: str, _salt: int) -> pl.Series:
    return pl.Series(page.city.people.age[page.rows.person].astype(np.int64))


_KINDS: dict[str, Callable[["Page", str, int], pl.Series]] = {
    "id": _id,
    "name": _name,
    "day": _day,
    "month": _month,
    "time": _time,
    "filed": _filed,
    "before": _before,
    "variant": _variant,
    "pick": _pick,
    "number": _number,
    "money": _money,
    "digits": _digits,
    "serial": _serial,
    "card": _card,
    "place": _place,
    "village": _village,
    "household": _household,
    "staff": _staff,
    "sex": _sex,
    "age": _age,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The rows of one file, in order: `row` numbers each within its source, `salt` tells sources apart."""

    city: City
    delivery: Delivery
    salt: int
    row: np.ndarray
    rows: Rows
    faults: np.ndarray

    @property
    def village(self) -> np.ndarray:
        """Index of the village each person lives in."""
        return np.asarray(self.city.places.village[self.city.people.grid[self.rows.person]])
