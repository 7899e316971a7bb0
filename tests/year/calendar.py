"""The days of the year on which somebody of the city acts."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from deploy.demo.city.year import FIRST_ON, MONTHS, TODAY_ON
from shared.kit.clock import SHANGHAI
from shared.kit.workdays import is_working_day

_WANTED = (2, 11, 20)
_VISITS_FOR = timedelta(days=3)
_LAST_MONTH = (TODAY_ON.year, TODAY_ON.month)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Some days of the year: files come in the first morning, members knock until the last evening, offices follow.

    Attributes:
        runs: whether the monthly certification run is made.
        ends: whether it is the last of its month.
    """

    begins: datetime
    until: datetime
    runs: bool
    ends: bool

    @property
    def today(self) -> date:
        """The first day."""
        return self.begins.date()


BEGINS = datetime(FIRST_ON.year, FIRST_ON.month, FIRST_ON.day, 9, tzinfo=SHANGHAI)


def steps() -> Iterator[Step]:
    """The steps of twelve months, and of one more in which what is under way is ended and no file comes any more."""
    for year, month in [*MONTHS, _LAST_MONTH]:
        for day in _WANTED:
            first = _working(date(year, month, day))
            yield Step(
                begins=datetime(first.year, first.month, first.day, 9, tzinfo=SHANGHAI),
                until=datetime(first.year, first.month, first.day, 17, tzinfo=SHANGHAI) + _VISITS_FOR,
                runs=day == _WANTED[0],
                ends=day == _WANTED[-1],
            )


def _working(day: date) -> date:
    while not is_working_day(day):
        day += timedelta(days=1)
    return day
