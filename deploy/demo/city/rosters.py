"""What programs and the grid office hand in: a roster of every program, and the grids with who looks after them."""

import numpy as np
import polars as pl

from deploy.demo.city import names
from deploy.demo.city.chance import stream
from deploy.demo.city.citizen_ids import other_form
from deploy.demo.city.city import City
from deploy.demo.city.programs import Program
from deploy.demo.city.year import FIRST_ON, MONTH_STARTS, date_of

DUE_ON = "2023-12-31"
_ALIASES = {
    "身份证号": "公民身份号码",
    "姓名": "享受人",
    "手机号": "联系电话",
    "村居代码": "行政区划代码",
    "村民组": "小组",
    "待遇金额": "发放金额",
    "开始享受年月": "享受起始年月",
    "银行卡尾号": "卡尾号",
    "户编号": "家庭编号",
    "认证截止": "认证截止日期",
    "联系人手机": "家属手机",
}
_NO_FAMILY_PHONE = 0.35
_ODD_IDS = 0.004
_FORMS = (0.1, 0.4, 0.5, 0.9)
"""Old fifteen digits, a space before, a space after, a small x: arguments of other_form."""


def make_roster(city: City, program: Program, *, rolling: bool = False) -> pl.DataFrame:
    """The roster of a program: everybody who is paid on the first day of the year.

    Everybody's certification ends on one day, as in a city that has just begun; `rolling`, at the end of a month of the
    year, another one for each person and the same in all his programs.
    """
    rng = stream(city.seed, "roster", program.code)
    members = city.held[program.code]
    places = city.places
    grid = city.people.grid[members]
    columns = {
        "身份证号": _ids(rng, city.people.citizen_id.gather(members), _ODD_IDS if program.aliases else 0.0),
        "姓名": city.people.name.gather(members),
        "手机号": city.people.phone.gather(members),
        "村居代码": places.villages["village_code"].gather(places.village[grid]),
        "村民组": pl.Series(places.group_no[grid].astype(np.int64)),
        "待遇金额": _yuan(city.amounts[program.code]),
        "开始享受年月": _started(rng, program, city.people.age[members]),
        "银行卡尾号": pl.Series((members.astype(np.int64) * 7919 + 13) % 10_000).cast(pl.String).str.zfill(4),
        "认证截止": _due(members, rolling=rolling),
        "联系人手机": _family_phones(city, rng, members),
    }
    if program.household:
        columns["户编号"] = "H" + pl.Series(city.people.household[members].astype(np.int64) + 100_000).cast(pl.String)
    table = pl.DataFrame(columns)
    return table.rename({old: new for old, new in _ALIASES.items() if old in columns}) if program.aliases else table


def _due(members: np.ndarray, *, rolling: bool) -> pl.Series:
    ends = [date_of(int(day) - 1).isoformat() for day in MONTH_STARTS[1:]] if rolling else [DUE_ON]
    return pl.Series(ends).gather(members.astype(np.int64) * 7 % len(ends))


def _ids(rng: np.random.Generator, ids: pl.Series, odd: float) -> pl.Series:
    """Ids, some of them in old or careless forms of the same number."""
    chosen = np.flatnonzero(rng.random(len(ids)) < odd)
    forms = rng.choice(_FORMS, len(chosen))
    written = [other_form(text, float(form)) for text, form in zip(ids.gather(chosen), forms, strict=True)]
    return ids.scatter(chosen, pl.Series(written, dtype=pl.String))


def _yuan(fen: np.ndarray) -> pl.Series:
    cents = pl.Series(fen % 100).cast(pl.String).str.zfill(2)
    return pl.Series(fen // 100).cast(pl.String) + "." + cents


def _started(rng: np.random.Generator, program: Program, age: np.ndarray) -> pl.Series:
    """Month of the first payment: not before the age of entry, within the years of the program."""
    reached = FIRST_ON.year - (age - program.ages[0])
    low = np.clip(np.maximum(reached, program.since[0]), program.since[0], program.since[1])
    year = low + np.floor(rng.random(len(age)) * (np.minimum(program.since[1] - low, 3) + 1)).astype(np.int64)
    month = 1 + np.where(year == FIRST_ON.year, rng.integers(0, 10, len(age)), rng.integers(0, 12, len(age)))
    return pl.Series(year).cast(pl.String) + "-" + pl.Series(month).cast(pl.String).str.zfill(2)


def _family_phones(city: City, rng: np.random.Generator, members: np.ndarray) -> pl.Series:
    """Phone of a grown-up child, a resident without a benefit; some have nobody."""
    others = len(city.people.age) - city.people.beneficiaries
    child = city.people.beneficiaries + (city.people.household[members].astype(np.int64) * 31) % others
    phones = city.people.phone.gather(child)
    nobody = pl.Series(rng.random(len(members)) < _NO_FAMILY_PHONE)
    return pl.select(pl.when(nobody).then(None).otherwise(phones)).to_series()


def make_grids(city: City) -> pl.DataFrame:
    """Every grid with its place and its people: group head, village cadre, and the town's assistant."""
    rng = stream(city.seed, "grid workers")
    places = city.places
    villages = places.villages[places.village.astype(np.int64)]
    towns = villages["town_code"].rank("dense").to_numpy().astype(np.int64) - 1
    grids = len(places.village)
    members, leaders, assistants = grids, len(places.villages), int(towns.max()) + 1
    count = members + leaders + assistants
    born = -rng.integers(500, 8_000, count)
    name = names.make_names(rng, born, rng.random(count) < 0.6)  # noqa: PLR2004
    phone = names.make_phones(rng, count)
    member, leader, assistant = np.arange(grids), members + places.village.astype(np.int64), members + leaders + towns
    group = pl.Series(places.group_no.astype(np.int64)).cast(pl.String).str.zfill(3)
    return pl.DataFrame(
        {
            "grid_code": villages["village_code"] + group,
            "division": villages["village_code"],
            "county": villages["county"],
            "town": villages["town"],
            "village": villages["village"],
            "member_name": name.gather(member),
            "member_phone": phone.gather(member),
            "leader_name": name.gather(leader),
            "leader_phone": phone.gather(leader),
            "assistant_name": name.gather(assistant),
            "assistant_phone": phone.gather(assistant),
            "lon": pl.Series(places.lon),
            "lat": pl.Series(places.lat),
        }
    )
