"""HTTP in."""

from fastapi import APIRouter

from services.notify.api import endpoints, messages, operation, preferences, receipts, templates, villages

ROUTERS: list[APIRouter] = [
    messages.router,
    preferences.router,
    templates.router,
    receipts.router,
    endpoints.router,
    villages.router,
    operation.router,
]
