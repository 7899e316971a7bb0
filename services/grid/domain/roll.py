"""The list of grids an office delivers (grids.csv): read by columns, checked whole, refused whole."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

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
MAX_ROWS = 1_000_000
_SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A place to mend: data row (1 = first after the header), column and what is wrong; never the value."""

    row: int
    column: str
    code: str


def missing_columns(found: Sequence[str]) -> list[str]:
    """Columns of the format that are not there."""
    return [name for name in COLUMNS if name not in found]


def shape(raw: pl.DataFrame) -> pl.DataFrame:
    """Text columns as read → typed columns; what cannot be read becomes null and is found by `faults`."""
    blank = {name: pl.col(name).str.strip_chars().replace("", None) for name in COLUMNS}
    return raw.select(
        **{name: blank[name] for name in COLUMNS if name not in {"lon", "lat"}},
        # A grid is a villagers' group: its number ends the code.
        group_no=blank["grid_code"].str.slice(12).cast(pl.Int16, strict=False),
        lon=blank["lon"].cast(pl.Float64, strict=False),
        lat=blank["lat"].cast(pl.Float64, strict=False),
    )


def faults(roll: pl.DataFrame) -> list[Fault]:
    """The first faults of a shaped list, in row order; empty when it may be taken in."""
    numbered = roll.with_row_index("row", offset=1)
    found = [
        Fault(row=row, column=column, code=code)
        for column, code, bad in _checks()
        for row in numbered.filter(bad)["row"].head(_SHOWN)
    ]
    return sorted(found, key=lambda fault: (fault.row, fault.column))[:_SHOWN]


def _checks() -> Iterator[tuple[str, str, pl.Expr]]:
    code, division, group = pl.col("grid_code"), pl.col("division"), pl.col("group_no")
    yield "division", "not_twelve_digits", ~division.str.contains(r"^\d{12}$").fill_null(value=False)
    yield "grid_code", "not_group_1_to_999", ~group.is_between(1, 999).fill_null(value=False)
    made = division + group.cast(pl.String).str.zfill(3)
    yield "grid_code", "not_division_and_group", (code != made).fill_null(value=True)
    yield "grid_code", "twice", code.is_duplicated() & code.is_not_null()
    for column in ("county", "town", "village", "member_name"):
        yield column, "missing", pl.col(column).is_null()
    for duty in DUTIES:
        name, phone = pl.col(f"{duty}_name"), pl.col(f"{duty}_phone")
        yield f"{duty}_phone", "not_a_phone", phone.is_not_null() & ~phone.str.contains(r"^[0-9+\-]{5,20}$")
        yield f"{duty}_phone", "without_name", phone.is_not_null() & name.is_null()
    yield "lon", "out_of_range", ~pl.col("lon").is_between(-180, 180).fill_null(value=True)
    yield "lat", "out_of_range", ~pl.col("lat").is_between(-90, 90).fill_null(value=True)


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
    """Who holds which duty in which grid: grid_code, duty, name, phone; duties nobody holds are left out."""
    return pl.concat(
        roll.select(
            "grid_code", duty=pl.lit(duty), name=pl.col(f"{duty}_name"), phone=pl.col(f"{duty}_phone").fill_null("")
        )
        for duty in DUTIES
    ).filter(pl.col("name").is_not_null())
