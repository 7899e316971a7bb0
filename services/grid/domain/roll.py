"""The list of grids an office delivers (grids.csv): read by columns, checked whole, refused whole."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

COLUMNS = (
    "grid_code",
    "division",
    "county",
    "town",
    "village",
    "member_name",
    "member_phone",
    "leader_name",
    "leader_phone",
    "assistant_name",
    "assistant_phone",
    "lon",
    "lat",
)
DUTIES = ("member", "leader", "assistant")
OPTIONAL = ("ended_on", "successor", "member_user", "leader_user", "assistant_user")
"""Last day of a grid that is no more, which takes its people; how tokens call whom they do not call by id."""
MAX_ROWS = 1_000_000
_SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A place to mend: data row (1 = first after the header), column and what is wrong; never the value."""

    row: int
    column: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A grid that is no more, and which one takes its people; None where nobody lives there."""

    row: int
    grid_code: str
    ended_on: date
    successor: str | None


def missing_columns(found: Sequence[str]) -> list[str]:
    """Columns of the format that are not there."""
    return [name for name in COLUMNS if name not in found]


def shape(raw: pl.DataFrame) -> pl.DataFrame:
    """Text columns as read → typed columns; what cannot be read becomes null and is found by `faults`."""
    raw = raw.with_columns(pl.lit(None, pl.String).alias(name) for name in OPTIONAL if name not in raw.columns)
    blank = {name: pl.col(name).str.strip_chars().replace("", None) for name in (*COLUMNS, *OPTIONAL)}
    return raw.with_row_index("row", offset=1).select(
        "row",
        **{name: each for name, each in blank.items() if name not in {"lon", "lat", "ended_on"}},
        ended=blank["ended_on"],
        ended_on=blank["ended_on"].str.to_date("%Y-%m-%d", strict=False),
        # A grid is a villagers' group: its number ends the code.
        group_no=blank["grid_code"].str.slice(12).cast(pl.Int16, strict=False),
        lon=blank["lon"].cast(pl.Float64, strict=False),
        lat=blank["lat"].cast(pl.Float64, strict=False),
    )


def faults(roll: pl.DataFrame) -> list[Fault]:
    """The first faults of a shaped list, in row order; empty when it may be taken in."""
    found = [
        Fault(row=row, column=column, code=code)
        for column, code, bad in _checks()
        for row in roll.filter(bad)["row"].head(_SHOWN)
    ]
    return first(found)


def first(found: Sequence[Fault]) -> list[Fault]:
    """As many faults as are told at once, in row order."""
    return sorted(found, key=lambda fault: (fault.row, fault.column))[:_SHOWN]


def _checks() -> Iterator[tuple[str, str, pl.Expr]]:
    code, division, group = pl.col("grid_code"), pl.col("division"), pl.col("group_no")
    lives = pl.col("ended").is_null()
    yield "division", "not_twelve_digits", ~division.str.contains(r"^\d{12}$").fill_null(value=False)
    yield "grid_code", "not_group_1_to_999", ~group.is_between(1, 999).fill_null(value=False)
    made = division + group.cast(pl.String).str.zfill(3)
    yield "grid_code", "not_division_and_group", (code != made).fill_null(value=True)
    yield "grid_code", "twice", code.is_duplicated() & code.is_not_null()
    for column in ("county", "town", "village", "member_name"):
        yield column, "missing", lives & pl.col(column).is_null()
    for duty in DUTIES:
        name, phone = pl.col(f"{duty}_name"), pl.col(f"{duty}_phone")
        yield f"{duty}_phone", "not_a_phone", phone.is_not_null() & ~phone.str.contains(r"^[0-9+\-]{5,20}$")
        yield f"{duty}_phone", "without_name", phone.is_not_null() & name.is_null()
        yield f"{duty}_user", "without_name", pl.col(f"{duty}_user").is_not_null() & name.is_null()
    yield "lon", "out_of_range", ~pl.col("lon").is_between(-180, 180).fill_null(value=True)
    yield "lat", "out_of_range", ~pl.col("lat").is_between(-90, 90).fill_null(value=True)
    yield "ended_on", "not_a_day", ~lives & pl.col("ended_on").is_null()
    yield "successor", "without_end", lives & pl.col("successor").is_not_null()


def living(roll: pl.DataFrame) -> pl.DataFrame:
    """The grids of a checked list that are to be."""
    return roll.filter(pl.col("ended").is_null())


def ended(roll: pl.DataFrame) -> list[Ended]:
    """The grids of a checked list that are no more, in row order."""
    rows = roll.filter(pl.col("ended").is_not_null()).select("row", "grid_code", "ended_on", "successor")
    return [Ended(**each) for each in rows.iter_rows(named=True)]


def divisions_of(roll: pl.DataFrame) -> pl.DataFrame:
    """Counties, towns and villages the list names: code, level, name, parent; one row a code."""
    levels = [("county", 6, None), ("town", 9, 6), ("village", 12, 9)]
    return pl.concat(
        roll.select(
            code=pl.col("division").str.slice(0, length),
            level=pl.lit(level),
            name=pl.col(level),
            parent=pl.col("division").str.slice(0, parent) if parent else pl.lit(None, pl.String),
        ).unique("code", keep="first", maintain_order=True)
        for level, length, parent in levels
    )


def holders_of(roll: pl.DataFrame) -> pl.DataFrame:
    """Who holds which duty in which grid: grid_code, duty, name, phone, user; duties nobody holds are left out."""
    return pl.concat(
        roll.select(
            "grid_code",
            duty=pl.lit(duty),
            name=pl.col(f"{duty}_name"),
            phone=pl.col(f"{duty}_phone").fill_null(""),
            user=pl.col(f"{duty}_user"),
        )
        for duty in DUTIES
    ).filter(pl.col("name").is_not_null())
