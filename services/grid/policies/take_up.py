"""Who seems to be owed a benefit he does not draw: rules over rosters, read from take_up.toml."""

from collections import Counter
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.grid.domain.takeup import Rule
from services.grid.policies import read

_Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,39}$")]


class RuleShape(BaseModel):
    """One rule as it is written.

    Attributes:
        code: names it in tasks.
        label: what the member at the door reads.
        reference: the rule it rests on.
        min_age: full years.
        with_all: programs the person must draw.
        without_any: programs none of which he draws; the rule rests until the roster of each has come.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    code: _Code
    label: Annotated[str, Field(min_length=4, max_length=60)]
    reference: Annotated[str, Field(min_length=4)]
    min_age: Annotated[int, Field(ge=0, le=120)]
    with_all: tuple[_Code, ...] = ()
    without_any: Annotated[tuple[_Code, ...], Field(min_length=1)]


class TakeUpFile(BaseModel):
    """The file; `repeat_months` after an answer nobody asks the same person about the same again."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: Annotated[str, Field(min_length=2)]
    repeat_months: Annotated[int, Field(ge=1, le=60)]
    rule: Annotated[tuple[RuleShape, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _codes_differ(self) -> Self:
        twice = [code for code, times in Counter(each.code for each in self.rule).items() if times > 1]
        if twice:
            msg = f"rule codes must differ: {', '.join(twice)}"
            raise ValueError(msg)
        return self


class TakeUp:
    """The rules as the service uses them."""

    def __init__(self, file: TakeUpFile) -> None:
        self.repeat_months = file.repeat_months
        self.rules = tuple(Rule(**each.model_dump(exclude={"reference"})) for each in file.rule)

    def labels(self, codes: tuple[str, ...]) -> list[str]:
        """What a member reads about these rules."""
        return [rule.label for rule in self.rules if rule.code in codes]


def load_take_up() -> TakeUp:
    """Read and check the file.

    Raises:
        PolicyError: it cannot be used.
    """
    return TakeUp(read("take_up.toml", TakeUpFile))
