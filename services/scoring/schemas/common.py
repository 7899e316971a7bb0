"""What requests have in common."""

from datetime import date
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

RuleSetName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,63}@[1-9][0-9]{0,5}$")]
SourceCode = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,63}$")]
# What a day number of signals holds, and a window before it; nothing that is asked for lies outside.
Day = Annotated[date, Field(ge=date(1950, 1, 1), le=date(2075, 12, 31))]
Division = Annotated[str, Field(pattern=r"^\d{6}(\d{3}(\d{3})?)?$")]
Shard = Annotated[str, Field(pattern=r"^[0-9a-f]$")]


class Request(BaseModel):
    """Base of request bodies: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)
