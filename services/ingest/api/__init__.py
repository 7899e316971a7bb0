"""HTTP in: uploads, single events, batches, the catalogue, looks at people."""

from services.ingest.api import lookups, mending, uploads

ROUTERS = (uploads.router, mending.router, lookups.router)
