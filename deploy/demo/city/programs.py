"""The 31 programs as this city runs them: who is in, how many, what they are paid; plausible figures, not published."""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

CITY_PEOPLE = 1_360_000
MONTHLY_FEN = 60_300_000_000
"""What the city pays a month at full scale (press report, October 2023)."""
HR_MONTHLY_FEN = 54_400_000_000
"""The part of it that is social insurance."""


@cache
def read_programs() -> tuple["Program", ...]:
    """All programs in the order of the catalogue."""
    text = files(__package__).joinpath("programs.toml").read_text(encoding="utf-8")
    return tuple(_program(code, fields) for code, fields in tomllib.loads(text).items())


def _program(code: str, fields: dict[str, Any]) -> "Program":
    lists: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
    return Program(code=code, **lists)


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One benefit: numbers are for full scale, money is yuan a month.

    `only` people have it as their first benefit, aged `ages`; `also` have it besides another one, aged `also_ages` and
    holding one of `holders` (anything when empty). A household program pays one person of a household.
    """

    code: str
    name: str
    department: str
    hr: bool = False
    household: bool = False
    only: int = 0
    ages: tuple[int, int] = (60, 104)
    also: int = 0
    also_ages: tuple[int, int] = (60, 104)
    holders: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    sex: str = ""
    base: float = 0.0
    mean: float = 0.0
    spread: float = 0.0
    steps: tuple[float, ...] = ()
    adjusts: bool = False
    since: tuple[int, int] = (2010, 2022)
    format: str = "csv"
    encoding: str = "utf-8"
    aliases: bool = False
