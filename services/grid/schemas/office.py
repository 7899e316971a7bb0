"""Imports, substitutions and figures."""

from datetime import date
from typing import Self
from uuid import UUID

from pydantic import model_validator

from services.grid.schemas.base import GridCode, In, Out, WorkerId


class ImportedOut(Out):
    """What an import did; all zero but `rows` and `grids_unchanged` when nothing was new."""

    rows: int
    grids_added: int
    grids_changed: int
    grids_unchanged: int
    workers_added: int
    duties_changed: int
    tasks_dispatched: int
    cases_assigned: int
    grids_ended: int
    people_moved: int


class SubstitutionIn(In):
    """Somebody is away and another member stands in."""

    worker_id: WorkerId
    substitute_id: WorkerId
    from_on: date
    until_on: date

    @model_validator(mode="after")
    def _days_in_order(self) -> Self:
        if self.until_on < self.from_on or self.worker_id == self.substitute_id:
            msg = "until_on must not be before from_on, and nobody stands in for himself"
            raise ValueError(msg)
        return self


class SubstitutionOut(Out):
    """A substitution."""

    substitution_id: UUID
    worker_id: str
    substitute_id: str
    from_on: date
    until_on: date


class RelocationIn(In):
    """A member says «not mine»: the person lives in another grid."""

    worker_id: WorkerId | None = None
    grid_code: GridCode


class SubjectsOut(Out):
    """People under their pseudonyms, ascending."""

    items: list[UUID]


class FiguresOut(Out):
    """Counts an operator asks first."""

    grids: int
    workers: int
    recipients: int
    tasks_open: dict[str, int]
    tasks_unassigned: int
    tasks_closed: int
    visits: int
    visits_in_review: int
    cases_open: int
    cases_concluded: int
