"""Records that describe a person: those without a good id hint at somebody, those that say for certain whom end it."""

import polars as pl

from services.ingest.api.deps import IngestDeps
from services.ingest.domain import hints as hints_of
from services.ingest.domain import verdicts
from services.ingest.domain.catalogue import Source
from services.ingest.domain.correction import Because
from services.ingest.store.batches import Batch
from services.ingest.usecases.hints import Described, Hinting
from shared.contracts.vocabulary import CorrectionReason
from shared.kit.db import WriteTx


def described(
    rows: pl.DataFrame, source: Source, judged: verdicts.Judged, said: verdicts.Rules, *, first_row: int = 0
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Records that describe people: those without a good id, and those that say for certain whom they mean."""
    if not source.hint:
        return hints_of.NO_HINTS, hints_of.NO_HINTS
    # Whoever is in no roster is known by his number, too: nobody else is meant any longer.
    with_id = (verdicts.ACCEPTED, verdicts.CODE["not_a_beneficiary"])
    return (
        hints_of.described(rows, judged, said, first_row=first_row),
        hints_of.described(rows, judged, said, first_row=first_row, of=with_id),
    )


async def record_hints(tx: WriteTx, deps: IngestDeps, source: Source, batch: Batch, told: Described) -> None:
    """Keep and say what records hint at, and take back what others hinted at that are known by now."""
    because = Because(reason=CorrectionReason.WITHDRAWN, correction_id=batch.batch_id, at=deps.platform.clock.now())
    hinting = Hinting(tx=tx, outbox=deps.platform.outbox, source=source, because=because)
    await hinting.record(batch, told, keys=deps.keys, most=deps.settings.ingest_hint_candidates)
