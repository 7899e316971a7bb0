"""Monthly reports."""

from datetime import date
from uuid import UUID

from pydantic import AwareDatetime, Field

from services.grid.domain.reports import Light, ReportState
from services.grid.schemas.base import In, Out


class SubmissionIn(In):
    """The village's statement."""

    zero_report: bool = Field(description="true states that there is nothing to report")


class ReportOut(Out):
    """A village's month."""

    division: str
    month: date
    state: ReportState
    light: Light
    suspected: list[UUID] = Field(description="cases and requests to stop under way at the end of the month")
    confirmed: list[UUID] = Field(description="cases and requests to stop confirmed in the month")
    submitted_by: str | None
    submitted_at: AwareDatetime | None
    checked_by: str | None
    checked_at: AwareDatetime | None
    signed_by: str | None
    signed_at: AwareDatetime | None
    accepted_by: str | None
    accepted_at: AwareDatetime | None


class VillageMonthOut(Out):
    """One village in a month's picture."""

    division: str
    county: str
    town: str
    village: str
    state: ReportState
    light: Light
    suspected: int
    confirmed: int
    signed_at: AwareDatetime | None


class CountyMonthOut(Out):
    """One county in a month's picture."""

    county: str
    villages: int
    locked: int
    lights: dict[Light, int]
    suspected: int
    confirmed: int


class PictureOut(Out):
    """A month's picture of an office's villages."""

    month: date
    lights: dict[Light, int]
    counties: list[CountyMonthOut]
    items: list[VillageMonthOut]
