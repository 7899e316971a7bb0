"""How alembic reaches the schema of ingest."""

from services.ingest.tables import METADATA
from shared.kit.migrations import run_env

run_env(METADATA)
