"""Tables of grid. What is looked up by person leads with `subject`."""

from services.grid.tables import claims, work
from services.grid.tables.base import METADATA

__all__ = ["METADATA", "claims", "work"]
