"""HTTP in: uploads, single events, batches, the catalogue, looks at people."""

from services.ingest.api import lookups, uploads

ROUTERS = (uploads.router, lookups.router)
