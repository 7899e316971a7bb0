"""HTTP in: uploads, single events, batches, corrections, the catalogue, looks at people."""

from services.ingest.api import corrections, events, lookups, mending, uploads

ROUTERS = (uploads.router, events.router, mending.router, corrections.router, lookups.router)
