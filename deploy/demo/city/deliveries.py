"""How each department delivers: rows a year, columns, formats and habits, read from deliveries/*.toml."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

CITY_RECORDS = 38_369_800
"""Records of a year at full scale (press report, October 2023)."""
REMAINDER = "transport_bus_card"
"""The source that takes what the rounding of the others leaves."""
PERIODS = {"month": 1, "quarter": 3, "half": 6, "year": 12}


@cache
def read_deliveries() -> tuple["Delivery", ...]:
    """The deliveries of all sources, by source code."""
    found = []
    for path in sorted(files(__package__).joinpath("deliveries").iterdir(), key=lambda path: path.name):
        department = path.name.removesuffix(".toml")
        for code, fields in tomllib.loads(path.read_text(encoding="utf-8")).items():
            fields["columns"] = tuple(Column(title=title, kind=kind) for title, kind in fields["columns"].items())
            fields["variants"] = tuple(Variant(**variant) for variant in fields.get("variants", ()))
            found.append(Delivery(code=code, department=department, **fields))
    return tuple(sorted(found, key=lambda delivery: delivery.code))


def rows_of(scale: float) -> dict[str, int]:
    """Rows each source delivers in the year, adding up to the records of the city at this scale."""
    total = round(CITY_RECORDS * scale)
    rows = {delivery.code: max(2, round(delivery.rows * scale)) for delivery in read_deliveries()}
    rows[REMAINDER] += total - sum(rows.values())
    if rows[REMAINDER] < 1:
        raise TooSmallError
    return rows


class TooSmallError(ValueError):
    """A city of this scale has fewer records than sources."""

    def __init__(self) -> None:
        super().__init__("The scale is too small for fifty sources; use 0.0001 or more.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a file: its title and how its values come about (see columns.py)."""

    title: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One of the values of a source's deciding column.

    `counts` is false where the source's own rule leaves such a row out, `tells_end` true where a positive source tells
    a death; `says` is what such a row tells where that is not what the source's other rows tell.
    """

    value: str
    share: float = 1.0
    counts: bool = True
    tells_end: bool = False
    says: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The habits of one source.

    `reach` says on which days a person can show (see events.py), `likes` whom it draws (see affinity.py), `every` and
    `lag` when files come: days after the end of the period; the file of period `delayed` comes forty days later still.
    A negative source with a lag has not yet delivered its last period.
    """

    code: str
    department: str
    rows: int
    columns: tuple[Column, ...]
    variants: tuple[Variant, ...] = ()
    negative: bool = False
    weak: bool = False
    delayed: int = -1
    common: bool = False
    monthly: bool = False
    likes: str = "everyone"
    reach: str = "here"
    season: str = "even"
    limit: int = 400
    every: str = "quarter"
    lag: int = 0
    format: str = "csv"
    encoding: str = "utf-8"
    separator: str = ","
    wrong: str = ""
    blank_id: float = 0.0
    faults: float = 0.012
    odd_ids: float = 0.006
    strangers: float = 0.08

    @property
    def named(self) -> bool:
        """Whether a column tells the name."""
        return any(column.kind.startswith("name") for column in self.columns)

    @property
    def date_cells(self) -> tuple[str, ...]:
        """Columns that a workbook holds as dates, not as texts."""
        return tuple(column.title for column in self.columns if column.kind == "day:excel")
