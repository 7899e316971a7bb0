"""Alembic environment of notify."""

from services.notify.tables import METADATA
from shared.kit.migrations import run_env

run_env(METADATA)
