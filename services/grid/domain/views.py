"""Whose people a caller may see: decided from his role and divisions before any query."""

from collections.abc import Sequence
from dataclasses import dataclass, field

CITY_ROLES = frozenset({"officer", "auditor", "operator", "service"})
"""Roles that see the whole city unless their token names divisions."""
FIELD_ROLES = frozenset({"grid_worker", "grid_leader"})
"""People of the grid: they see the grids they hold."""
TOWN, COUNTY = 9, 6
"""Digits of the code of a town and of a county."""
BACK_END_ROLES = frozenset({"citizen", "service", "operator"})
"""Back ends that authenticate grid members themselves and name the member they speak for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a caller may see.

    Attributes:
        everything: the whole city, people of unknown address included.
        prefixes: division prefixes; where given, a row must be under one of them.
        grids: grid codes; where the view is a person's, a row must be in one of them or in his hands.
        worker_ids: the person himself and those he stands in for today; empty for an office's view.
    """

    everything: bool = False
    prefixes: tuple[str, ...] = ()
    grids: tuple[str, ...] = field(default=())
    worker_ids: tuple[str, ...] = ()

    @property
    def nothing(self) -> bool:
        """Whether no row can ever be seen."""
        return not (self.everything or self.prefixes or self.worker_ids)

    def is_office_over(self, division: str, digits: int) -> bool:
        """Whether this is an office of at least a level over a village: its code has so many digits, or fewer.

        Args:
            division: code of the village.
            digits: `TOWN` or `COUNTY`; the city has none.
        """
        if self.worker_ids:
            return False
        return self.everything or any(len(each) <= digits and division.startswith(each) for each in self.prefixes)

    def sees(self, *, division: str | None, grid_code: str | None, worker_id: str | None) -> bool:
        """Whether one row is inside."""
        if self.everything:
            return True
        if self.nothing or division is None:
            return False
        in_place = not self.prefixes or division.startswith(self.prefixes)
        return in_place and (not self.worker_ids or grid_code in self.grids or worker_id in self.worker_ids)


def office_view(role: str, divisions: Sequence[str]) -> View:
    """The view of an office: its divisions; a city role without any sees everything, a village without any nothing."""
    if divisions:
        return View(prefixes=tuple(divisions))
    return View(everything=role in CITY_ROLES)


def person_view(divisions: Sequence[str], grids: Sequence[str], worker_ids: Sequence[str]) -> View:
    """The view of a member or leader: the grids he holds, within the divisions of the token where it names any."""
    return View(prefixes=tuple(divisions), grids=tuple(grids), worker_ids=tuple(worker_ids))
