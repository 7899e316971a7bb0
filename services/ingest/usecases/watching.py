"""How sources deliver: figures of each, from what is kept of its batches."""

from collections.abc import Mapping
from datetime import date, datetime

from services.ingest.domain.catalogue import Source
from services.ingest.domain.quality import Quality, allowed_silence, quality_of
from services.ingest.store import watching
from shared.kit.clock import SHANGHAI
from shared.kit.db import ReadTx


async def qualities(
    tx: ReadTx, sources: Mapping[str, Source], *, since: datetime, today: date
) -> Mapping[str, Quality]:
    """Figures of every source of the catalogue since an instant, by code."""
    found = await watching.deliveries(tx, since)
    made: dict[str, Quality] = {}
    for code, source in sources.items():
        seen = found.get(code)
        made[code] = quality_of(
            seen.counts if seen else {},
            seen.latency_days if seen else 0,
            seen.last_at.astimezone(SHANGHAI).date() if seen and seen.last_at else None,
            allowed_days=allowed_silence(source.frequency, source.latency_days),
            today=today,
        )
    return made
