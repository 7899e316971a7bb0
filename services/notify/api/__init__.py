"""HTTP in."""

from fastapi import APIRouter

from services.notify.api import endpoints, messages, operation, preferences, public, receipts, templates, villages

ROUTERS: list[APIRouter] = [
    messages.router,
    preferences.router,
    templates.router,
    receipts.router,
    endpoints.router,
    villages.router,
    public.router,
    operation.router,
]
