"""Alembic environment of recognition."""

from services.recognition.tables import METADATA
from shared.kit.migrations import run_env

run_env(METADATA)
