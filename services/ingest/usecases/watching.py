"""How sources deliver: figures of each, from what is kept of its batches."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta

from services.ingest.domain.catalogue import Source
from services.ingest.domain.quality import Quality, allowed_silence, quality_of
from services.ingest.store import watching
from shared.contracts.events.ingest import DELIVERY_MISSED, DeliveryMissed
from shared.kit.clock import SHANGHAI
from shared.kit.db import ReadTx, WriteTx
from shared.kit.outbox import Outbox


async def say_missed(tx: WriteTx, outbox: Outbox, sources: Sequence[Source], at: datetime) -> list[str]:
    """Say of silent sources that a delivery was missed, once a silence; codes of those it was said of now."""
    last = await watching.last_receipts(tx, [source.code for source in sources])
    said = []
    for source in (each for each in sources if each.code in last):
        if not await watching.note_silence(tx, source.code, last[source.code], at):
            continue
        allowed = allowed_silence(source.frequency, source.latency_days)
        day = last[source.code].astimezone(SHANGHAI).date() + timedelta(days=allowed + 1)
        missed = DeliveryMissed(
            source=source.code,
            department=source.department,
            last_received_at=last[source.code],
            expected_by=datetime.combine(day, time(), SHANGHAI),
        )
        await outbox.say(tx, DELIVERY_MISSED, missed)
        said.append(source.code)
    return said


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
