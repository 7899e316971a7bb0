"""HTTP in: people, rule sets and reassessments, visits, back-tests."""

from services.scoring.api import backtests, people, rules, visits
from services.scoring.api.deps import Deps

ROUTERS = (people.router, rules.router, visits.router, backtests.router)

__all__ = ["ROUTERS", "Deps"]
