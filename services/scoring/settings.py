"""Settings of scoring, `WUGAN_SCORING_…`."""

from typing import Annotated

from pydantic import Field

from shared.kit.settings import KitSettings


class ScoringSettings(KitSettings):
    """How scoring runs; what it decides by is in the rule sets."""

    scoring_rule_set: str = Field(default="standard", description="code of the rule set in force, in its dated version")
    scoring_lanes: Annotated[int, Field(ge=1, le=16)] = Field(default=2, description="shards swept at once")
    scoring_sweep_rows: Annotated[int, Field(ge=1)] = Field(
        default=1_000_000, description="new signals taken in one sweep, a bound on memory"
    )
    scoring_quiet_seconds: Annotated[float, Field(ge=0)] = Field(
        default=0.3, description="a shard that hears nothing for so long is swept"
    )
    scoring_quiet_most_seconds: Annotated[float, Field(ge=0)] = Field(
        default=2.0, description="the more signals wait, the longer the silence, up to this"
    )
    scoring_patience_seconds: Annotated[float, Field(ge=0)] = Field(
        default=30.0, description="under load a shard is swept at the latest after so long"
    )
    scoring_urgent_seconds: Annotated[float, Field(ge=0)] = Field(
        default=3.0, description="under load negative evidence waits at most so long"
    )
