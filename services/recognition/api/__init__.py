"""HTTP in: one module an audience, each with its own router."""

from services.recognition.api import bulk, oauth, officer, operation, partner
from services.recognition.api.deps import RouteDeps

# The question every program asks comes first: routes are tried in their order.
ROUTERS = (partner.router, bulk.router, oauth.router, officer.router, operation.router)

__all__ = ["ROUTERS", "RouteDeps"]
