"""Shapes several audiences share."""

from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, Strict

from services.recognition.domain.citizen_id import holds_id


class In(BaseModel):
    """A request: no field nobody declared."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Out(BaseModel):
    """An answer made from the domain's objects."""

    model_config = ConfigDict(from_attributes=True)


def _written(value: object) -> object:
    """A day or an instant as the contract writes it; pydantic would take a number for seconds since 1970."""
    if isinstance(value, int | float) or (isinstance(value, str) and "-" not in value[1:]):
        msg = "write it as ISO 8601 says"
        raise ValueError(msg)
    return value


def _nobodys(text: str) -> str:
    """A number of files, whoever's they are: people's own numbers stand nowhere."""
    if holds_id(text):
        msg = "give a number of your files, no citizen id"
        raise ValueError(msg)
    return text


# Beyond these no month can be added or taken away.
Day = Annotated[date, BeforeValidator(_written), Field(ge=date(1900, 1, 1), le=date(2199, 12, 31))]
Instant = Annotated[
    AwareDatetime,
    BeforeValidator(_written),
    Field(ge=datetime(1970, 1, 1, tzinfo=UTC), le=datetime(2199, 12, 31, tzinfo=UTC)),
]
# In JSON a number is a number and true is true: no text that looks like one, and no 1 for true.
Whole = Annotated[int, Strict()]
Truth = Annotated[bool, Strict()]
Words = Annotated[str, Field(min_length=2, max_length=2000, pattern=r"^[^\x00]+$")]
Fen = Annotated[Whole, Field(ge=1, le=10**12, description="fen")]
Reference = Annotated[
    str,
    Field(max_length=80, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,79}$", description="receipt or file number"),
    AfterValidator(_nobodys),
]
