"""Alembic environment of grid."""

from services.grid.tables import METADATA
from shared.kit.migrations import run_env

run_env(METADATA)
