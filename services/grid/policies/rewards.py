"""What a reporter is owed and by when he is answered: dated rules read from rewards.toml."""

from datetime import date
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from services.grid.domain.claims import Reward
from services.grid.policies import read

_Fen = Annotated[int, Field(ge=0)]


class RewardShape(BaseModel):
    """One dated version as it is written; money in fen.

    Attributes:
        screen_working_days: within so many somebody has examined a tip.
        tell_working_days: within so many the reporter is told whether it was accepted.
        decision_days: so long after a case it is awaited that each benefit of the person is decided on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    since: Annotated[date, Field(alias="from")]
    reference: Annotated[str, Field(min_length=4)]
    without_loss_fen: _Fen
    share_percent: Annotated[float, Field(ge=0, le=100)]
    least_fen: _Fen
    most_fen: _Fen
    claim_days: Annotated[int, Field(ge=1, le=730)]
    screen_working_days: Annotated[int, Field(ge=1, le=30)]
    tell_working_days: Annotated[int, Field(ge=1, le=60)]
    decision_days: Annotated[int, Field(ge=0, le=365)]

    @property
    def reward(self) -> Reward:
        """The rule of the sum."""
        return Reward(
            since=self.since,
            without_loss=self.without_loss_fen,
            share_percent=self.share_percent,
            least=self.least_fen,
            most=self.most_fen,
            claim_days=self.claim_days,
        )


class RewardFile(BaseModel):
    """The file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: Annotated[str, Field(min_length=2)]
    version: Annotated[tuple[RewardShape, ...], Field(min_length=1)]


class Rewards:
    """The versions, newest last."""

    def __init__(self, file: RewardFile) -> None:
        self._versions = sorted(file.version, key=lambda version: version.since)

    def on(self, day: date) -> RewardShape:
        """The version in force on `day`; before the first one, the first."""
        held = [version for version in self._versions if version.since <= day]
        return held[-1] if held else self._versions[0]


def load_rewards() -> Rewards:
    """Read and check the file.

    Raises:
        PolicyError: it cannot be used.
    """
    return Rewards(read("rewards.toml", RewardFile))
