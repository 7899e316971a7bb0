"""HTTP in: one module an audience, each with its own router."""

from services.recognition.api import oauth, operation, partner
from services.recognition.api.deps import RouteDeps

ROUTERS = (oauth.router, partner.router, operation.router)

__all__ = ["ROUTERS", "RouteDeps"]
