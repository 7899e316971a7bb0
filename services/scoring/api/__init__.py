"""HTTP in: people, rule sets and reassessments."""

from services.scoring.api import people, rules
from services.scoring.api.deps import Deps

ROUTERS = (people.router, rules.router)

__all__ = ["ROUTERS", "Deps"]
