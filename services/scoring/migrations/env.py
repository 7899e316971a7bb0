"""Alembic environment of scoring."""

from services.scoring.tables import METADATA
from shared.kit.migrations import run_env

run_env(METADATA)
