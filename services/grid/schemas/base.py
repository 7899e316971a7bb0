"""What all shapes share."""

from datetime import date
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from services.grid.domain.visits import EARLIEST_EVENT


class In(BaseModel):
    """A request: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Out(BaseModel):
    """An answer: every field is always there."""

    model_config = ConfigDict(from_attributes=True, frozen=True)


def _no_nul(text: str) -> str:
    if "\x00" in text:
        msg = "must not hold NUL characters"
        raise ValueError(msg)
    return text


Text = Annotated[str, StringConstraints(min_length=1, max_length=500, strip_whitespace=True), AfterValidator(_no_nul)]
"""Free text of a person; sealed before it is kept."""
Word = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,39}$")]
"""A code word."""
Reference = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9:_\-]{1,64}$")]
"""Where a paper is kept; no id numbers."""
EventDay = Annotated[date, Field(ge=EARLIEST_EVENT)]
"""Day of a death, an admission, a disappearance; that it lies ahead is refused where today is known."""
WorkerId = Annotated[str, StringConstraints(pattern=r"^w[0-9a-f]{15}$")]
GridCode = Annotated[str, StringConstraints(pattern=r"^\d{15}$")]
DivisionPrefix = Annotated[str, StringConstraints(pattern=r"^\d{6}(\d{3}(\d{3})?)?$")]
