"""HTTP in: one module an audience, each with its own router."""

from services.recognition.api import bulk, feed, oauth, officer, operation, partner, subscriptions
from services.recognition.api.deps import RouteDeps

# The question every program asks comes first: routes are tried in their order.
ROUTERS = (
    partner.router,
    bulk.router,
    feed.router,
    subscriptions.router,
    oauth.router,
    officer.router,
    operation.router,
)

__all__ = ["ROUTERS", "RouteDeps"]
