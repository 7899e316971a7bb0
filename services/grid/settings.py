"""Settings of grid, beside those of the plumbing."""

from typing import Annotated, Self

from pydantic import Field, SecretStr, model_validator

from shared.kit.settings import KEY_BYTES, VaultSettings


class GridSettings(VaultSettings):
    """What grid can be told by its environment (`WUGAN_GRID_…`)."""

    grid_key: SecretStr = Field(description="hex, 32 bytes: keyed hashing of members' names, draws of visits, codes")
    grid_import_bytes: Annotated[int, Field(ge=1024)] = Field(
        default=64 * 1024 * 1024, description="largest list of grids taken in"
    )
    grid_round_seconds: Annotated[float, Field(gt=0)] = Field(
        default=20.0, description="how often the daily round looks whether a new business day has begun"
    )
    grid_reveal_seconds: Annotated[float, Field(gt=0)] = Field(
        default=1.5, description="how long a worklist waits for names before it comes without"
    )

    @model_validator(mode="after")
    def _key_is_a_key(self) -> Self:
        if len(bytes.fromhex(self.grid_key.get_secret_value())) != KEY_BYTES:
            msg = "WUGAN_GRID_KEY must be 64 hex digits (32 bytes)"
            raise ValueError(msg)
        return self
