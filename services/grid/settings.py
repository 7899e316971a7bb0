"""Settings of grid, beside those of the plumbing."""

from typing import Annotated

from pydantic import Field

from shared.kit.settings import KitSettings


class GridSettings(KitSettings):
    """What grid can be told by its environment (`WUGAN_GRID_…`)."""

    grid_import_bytes: Annotated[int, Field(ge=1024)] = Field(
        default=64 * 1024 * 1024, description="largest list of grids taken in"
    )
    grid_round_seconds: Annotated[float, Field(gt=0)] = Field(
        default=20.0, description="how often the daily round looks whether a new business day has begun"
    )
    grid_reveal_seconds: Annotated[float, Field(gt=0)] = Field(
        default=1.5, description="how long a worklist waits for names before it comes without"
    )
