"""HTTP in: one module an audience, each with its own router."""

from services.recognition.api import (
    audit,
    bulk,
    counter,
    cycles,
    faces,
    feed,
    me,
    money,
    oauth,
    officer,
    operation,
    partner,
    peers,
    places,
    subscriptions,
    work,
)
from services.recognition.api.deps import RouteDeps

# The question every program asks comes first: routes are tried in their order.
ROUTERS = (
    partner.questions,
    partner.router,
    bulk.router,
    feed.router,
    peers.router,
    counter.router,
    places.router,
    cycles.partners,
    subscriptions.router,
    oauth.router,
    me.router,
    faces.router,
    officer.router,
    money.router,
    work.router,
    cycles.officers,
    operation.router,
    audit.router,
)

__all__ = ["ROUTERS", "RouteDeps"]
