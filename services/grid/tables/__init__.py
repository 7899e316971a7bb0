"""Tables of grid. What is looked up by person leads with `subject`."""

from services.grid.tables import claims, days, work
from services.grid.tables.base import METADATA

__all__ = ["METADATA", "claims", "days", "work"]
