"""Shapes several audiences share."""

from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class In(BaseModel):
    """A request: no field nobody declared."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Out(BaseModel):
    """An answer made from the domain's objects."""

    model_config = ConfigDict(from_attributes=True)


# Beyond these no month can be added or taken away.
Day = Annotated[date, Field(ge=date(1900, 1, 1), le=date(2199, 12, 31))]
Instant = Annotated[AwareDatetime, Field(ge=datetime(1970, 1, 1, tzinfo=UTC), le=datetime(2199, 12, 31, tzinfo=UTC))]
Words = Annotated[str, Field(min_length=2, max_length=2000, pattern=r"^[^\x00]+$")]
Fen = Annotated[int, Field(ge=1, le=10**12, description="fen")]
Reference = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,79}$", description="receipt or file number")]
