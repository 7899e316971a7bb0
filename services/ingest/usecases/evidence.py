"""Evidence: the rows of a chunk judged, the new ones kept and said, all in the caller's one transaction."""

import asyncio
from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import polars as pl
import pyarrow as pa

from services.ingest.domain import evidence, verdicts
from services.ingest.domain.catalogue import Source
from services.ingest.domain.people import PeopleIndex
from services.ingest.store import batches
from services.ingest.store.batches import Batch
from services.ingest.store.problems import UnreadableFileError
from shared.contracts.events import BATCH_COMPLETED, EVIDENCE_ACCEPTED, BatchCompleted
from shared.contracts.vocabulary import EvidenceKind, Polarity
from shared.kit import arrow
from shared.kit.db import WriteTx
from shared.kit.outbox import Outbox


class TooFaultyError(UnreadableFileError):
    """So many rows are faulty that the file itself is likely the wrong one."""

    code = "too_faulty"
    title = "Too many rows of the file are faulty"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A judged chunk on its way into the database."""

    number: int
    first_row: int
    judged: verdicts.Judged
    people: PeopleIndex


def window_start(today: date, months: int) -> date:
    """First day within the window: the day after the same day `months` before."""
    total = today.year * 12 + today.month - 1 - months
    year, month = divmod(total, 12)
    first = np.datetime64(f"{year:04d}-{month + 1:02d}", "M")
    length = int((first + 1).astype("datetime64[D]").astype(int) - first.astype("datetime64[D]").astype(int))
    same_day = date(year, month + 1, min(today.day, length))
    return date.fromordinal(same_day.toordinal() + 1)


def refuse_if_faulty(judged: verdicts.Judged, share: float) -> None:
    """Refuse a file whose first rows are mostly faulty, before anything of it is said.

    Raises:
        TooFaultyError: with the commonest reason.
    """
    counts = verdicts.counts_of(judged.verdict)
    faulty = {name: count for name, count in counts.items() if verdicts.CODE[name] in verdicts.FAULTS}
    total = len(judged.verdict)
    if total and sum(faulty.values()) > share * total:
        worst = max(faulty, key=lambda name: faulty[name])
        detail = (
            f"{sum(faulty.values())} of the first {total} rows are faulty, mostly {worst}; nothing was kept. "
            "Check that the file belongs to this source, and its columns and encoding."
        )
        raise TooFaultyError(detail)


async def take_chunk(tx: WriteTx, outbox: Outbox, source: Source, batch: Batch, chunk: Chunk) -> Batch:
    """Keep and say what is new in a chunk; a chunk already taken changes nothing.

    Returns:
        The batch with its progress.
    """
    now = await batches.lock_batch(tx, batch)
    if now.chunks_done > chunk.number or now.status != "taking":
        return now
    judged = chunk.judged
    rows, keys = verdicts.accepted_keys(judged, chunk.people)
    months = evidence.months_of(evidence.days_of(keys))
    known = await batches.known_keys(tx, source.code, np.unique(months).tolist())
    new = await asyncio.to_thread(evidence.fresh, keys, known)
    judged.verdict[rows[~new]] = verdicts.DUPLICATE
    kept, keys, months = rows[new], keys[new], months[new]
    table = _evidence_table(judged, kept, keys, chunk.first_row)
    await batches.save_evidence(tx, now, chunk.number, _by_month(table, months))
    await batches.save_quarantine(tx, now, chunk.number, _quarantine_table(judged, chunk.first_row))
    counts = Counter(now.counts)
    counts.update(verdicts.counts_of(judged.verdict))
    await batches.save_progress(tx, now, chunks_done=chunk.number + 1, counts=counts)
    said = _event_table(table, judged, kept, now.batch_no)
    await outbox.say_table(tx, EVIDENCE_ACCEPTED, said, _attributes(source, now.received_at))
    return await batches.lock_batch(tx, now)


def _attributes(source: Source, received_at: datetime) -> dict[str, str]:
    return {
        "source": source.code,
        "department": source.department,
        "strength": source.strength,
        "received_at": received_at.isoformat(),
    }


def _evidence_table(judged: verdicts.Judged, kept: np.ndarray, keys: np.ndarray, first_row: int) -> pa.Table:
    return pa.table(
        {
            "key": keys,
            "row_no": (kept + first_row).astype(np.uint32),
            "kind": judged.kind.gather(kept).cast(pl.Categorical).to_arrow(),
            "full": judged.full[kept],
        }
    )


def _by_month(table: pa.Table, months: np.ndarray) -> dict[int, pa.Table]:
    if not len(months):
        return {}
    order = np.argsort(months, kind="stable")
    ordered, sorted_months = table.take(pa.array(order)), months[order]
    distinct, starts = np.unique(sorted_months, return_index=True)
    stops = [*starts[1:], len(sorted_months)]
    return {
        int(month): ordered.slice(int(start), int(stop - start))
        for month, start, stop in zip(distinct, starts, stops, strict=True)
    }


def _quarantine_table(judged: verdicts.Judged, first_row: int) -> pa.Table:
    rows = np.flatnonzero(judged.verdict > verdicts.OUT_OF_WINDOW)
    reasons = pa.DictionaryArray.from_arrays(
        pa.array(judged.verdict[rows].astype(np.int8)), pa.array(list(verdicts.VERDICTS))
    )
    return pa.table({"row_no": (rows + first_row).astype(np.uint32), "reason": reasons})


def _event_table(table: pa.Table, judged: verdicts.Judged, kept: np.ndarray, batch_no: int) -> pa.Table:
    kind = judged.kind.gather(kept)
    polarity = pl.select(
        pl.when(kind == EvidenceKind.SEEN.value)
        .then(pl.lit(Polarity.POSITIVE.value))
        .otherwise(pl.lit(Polarity.NEGATIVE.value))
    ).to_series()
    identity = pa.DictionaryArray.from_arrays(
        pa.array(judged.full[kept].astype(np.int8)), pa.array(["id_only", "full"])
    )
    return pa.table(
        {
            "subject": arrow.subject_array(judged.subjects[kept]),
            "occurred_on": pa.array(judged.day[kept].astype(np.int32), pa.date32()),
            "kind": kind.to_arrow(),
            "polarity": polarity.to_arrow(),
            "identity": identity,
            "evidence_id": evidence.evidence_ids(batch_no, table.column("row_no").to_numpy()),
        }
    )


def summary(counts: dict[str, int]) -> dict[str, object]:
    """Counts as a batch answers them: rows = accepted + duplicate + out_of_window + quarantined."""
    reasons = {
        name: count
        for name, count in counts.items()
        if name in verdicts.CODE and verdicts.CODE[name] > verdicts.OUT_OF_WINDOW
    }
    plain = {name: counts.get(name, 0) for name in ("accepted", "duplicate", "out_of_window")}
    quarantined = sum(reasons.values())
    return {
        "rows": sum(plain.values()) + quarantined,
        **plain,
        "quarantined": quarantined,
        "quarantine_reasons": reasons,
    }


async def finish(tx: WriteTx, outbox: Outbox, batch: Batch, *, at: datetime) -> Batch:
    """Note and say that a batch is in whole."""
    now = await batches.lock_batch(tx, batch)
    if now.status != "taking":
        return now
    await batches.save_end(tx, now, at=at)
    await outbox.say(
        tx,
        BATCH_COMPLETED,
        BatchCompleted(
            batch_id=now.batch_id,
            batch_no=now.batch_no,
            source=now.code,
            department=now.department,
            sha256=now.sha256,
            received_at=now.received_at,
            **summary(dict(now.counts)),  # type: ignore[arg-type]  # names and types of the model
        ),
    )
    return await batches.lock_batch(tx, now)
