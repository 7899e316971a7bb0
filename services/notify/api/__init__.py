"""HTTP in."""

from fastapi import APIRouter

from services.notify.api import messages, operation, preferences, receipts, templates

ROUTERS: list[APIRouter] = [messages.router, preferences.router, templates.router, receipts.router, operation.router]
