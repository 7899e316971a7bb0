"""Benefits somebody seems to be owed: pure rules over age and what rosters say he draws."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Whoever is old enough, draws all of `with_all` and none of `without_any` is to be asked.

    Attributes:
        code: names it in tasks.
        label: what the member at the door reads.
        min_age: full years.
    """

    code: str
    label: str
    min_age: int
    with_all: tuple[str, ...]
    without_any: tuple[str, ...]

    @property
    def programs(self) -> tuple[str, ...]:
        """Programs whose rosters must have come before the rule can say anything."""
        return (*self.with_all, *self.without_any)


def born_by(today: date, years: int) -> date:
    """The last birthday with which somebody has completed `years` on `today`; 29 February counts from 1 March."""
    year = today.year - years
    try:
        return today.replace(year=year)
    except ValueError:
        return date(year, 2, 28)


def months_before(today: date, months: int) -> date:
    """First day of the month that began `months` before the current one."""
    place = today.year * 12 + today.month - 1 - months
    return date(place // 12, place % 12 + 1, 1)
