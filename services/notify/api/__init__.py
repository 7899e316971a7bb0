"""HTTP in."""

from fastapi import APIRouter

from services.notify.api import messages, operation, receipts, templates

ROUTERS: list[APIRouter] = [messages.router, templates.router, receipts.router, operation.router]
