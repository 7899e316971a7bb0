"""Evidence: the rows of a chunk judged, the new ones kept and said, all in the caller's one transaction."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from services.ingest.domain import evidence, verdicts
from services.ingest.domain.catalogue import Source
from services.ingest.domain.columns import Array
from services.ingest.domain.correction import Because
from services.ingest.domain.people import PeopleIndex
from services.ingest.domain.verdicts import Judged
from services.ingest.store import batches, segments
from services.ingest.store.batches import Batch
from services.ingest.store.segments import Known, Segment
from shared.contracts.events import BATCH_COMPLETED, EVIDENCE_ACCEPTED, BatchCompleted
from shared.contracts.vocabulary import Identity, Polarity
from shared.kit import arrow
from shared.kit.clock import SHANGHAI
from shared.kit.db import WriteTx
from shared.kit.outbox import Outbox

_KINDS = pa.array(verdicts.KINDS)
_POLARITIES = pa.array([Polarity.NEGATIVE.value, Polarity.POSITIVE.value])
_IDENTITIES = pa.array([Identity.ID_ONLY.value, Identity.FULL.value])
_REASONS = pa.array(verdicts.VERDICTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Judged rows on their way into the database.

    Attributes:
        first_row: number of the first of them within the file.
    """

    first_row: int
    judged: Judged
    people: PeopleIndex


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """When a batch is stopped before it says anything.

    Attributes:
        share: of faulty rows.
        rows: fewer faulty rows than this never stop a batch.
    """

    share: float
    rows: int

    def stops(self, counts: Mapping[str, int]) -> bool:
        """Whether these counts stop a batch: it waits with its reasons, to be mended, released or withdrawn."""
        bad = sum(verdicts.faulty_of(counts).values())
        return bad >= self.rows and bad > self.share * sum(counts.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    segments: list[Segment]
    duplicates: list[Segment]
    quarantine: bytes | None
    quarantined: int
    counts: Mapping[str, int]
    said: pa.Table
    latency_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _New:
    """Rows judged accepted so far with their keys, and what is known of the same months."""

    rows: Array
    keys: Array
    known: Known


async def take_chunk(tx: WriteTx, outbox: Outbox, source: Source, batch: Batch, chunk: Chunk) -> Batch:
    """Keep and say what is new in a chunk; rows already taken change nothing.

    Returns:
        The batch with its progress.

    Raises:
        ConflictError: another process has just refused the same file.
    """
    now = await batches.lock_batch(tx, batch)
    done = max(0, now.rows - chunk.first_row)
    if now.status != "taking" or done >= len(chunk.judged):
        return now
    rest = Chunk(first_row=chunk.first_row + done, judged=chunk.judged.since(done), people=chunk.people)
    rows, keys = verdicts.accepted_keys(rest.judged, rest.people)
    months = np.unique(evidence.months_of(evidence.days_of(keys))).tolist()
    known = await segments.known(tx, source, months)
    made = await asyncio.to_thread(_make, rest, _New(rows=rows, keys=keys, known=known), now)
    await segments.save_rows(tx, "evidence_segment", now, now.chunks_done, made.segments)
    await segments.save_rows(tx, "duplicate_segment", now, now.chunks_done, made.duplicates)
    await batches.save_quarantine(tx, now, now.chunks_done, made.quarantined, made.quarantine)
    counts = Counter(now.counts)
    counts.update(made.counts)
    progress = replace(
        now, chunks_done=now.chunks_done + 1, counts=counts, latency_days=now.latency_days + made.latency_days
    )
    await batches.save_progress(tx, progress)
    await outbox.say_table(tx, EVIDENCE_ACCEPTED, made.said, attributes(source, now.received_at))
    return progress


def _make(chunk: Chunk, found: _New, batch: Batch) -> _Made:
    judged = chunk.judged
    facts = evidence.facts_of(found.keys, judged.kind[found.rows])
    barred = found.known.bars(facts)
    rows, keys = found.rows[~barred], found.keys[~barred]
    new = evidence.fresh(facts[~barred], found.known.facts())
    verdict = judged.verdict.copy()
    verdict[found.rows[barred]] = verdicts.TAKEN_BACK
    verdict[rows[~new]] = verdicts.DUPLICATE
    kept, kept_keys = rows[new], keys[new]
    table = _evidence_table(judged, kept, kept_keys, chunk.first_row)
    quarantine = quarantine_table(verdict, chunk.first_row)
    again = _evidence_table(judged, rows[~new], keys[~new], chunk.first_row)
    return _Made(
        segments=by_month(table, kept_keys),
        duplicates=by_month(again, keys[~new]),
        quarantine=arrow.encode(quarantine) if quarantine.num_rows else None,
        quarantined=quarantine.num_rows,
        counts=verdicts.counts_of(verdict),
        said=_event_table(chunk, kept, table, batch.batch_no),
        latency_days=latency(batch, judged.day[kept]),
    )


def latency(batch: Batch, days: Array) -> int:
    """Days from event to receipt, summed."""
    received = evidence.day_number(batch.received_at.astimezone(SHANGHAI).date())
    return int((received - days.astype(np.int64)).sum())


async def take_event(tx: WriteTx, outbox: Outbox, source: Source, batch: Batch, chunk: Chunk) -> Batch:
    """Keep and say a single event, a chunk of one row; the same event again changes nothing."""
    now = await batches.lock_batch(tx, batch)
    if now.status != "taking":
        return now
    verdict, late_by = chunk.judged.verdict.copy(), 0
    rows, keys = verdicts.accepted_keys(chunk.judged, chunk.people)
    if len(rows):
        [month] = evidence.months_of(evidence.days_of(keys)).tolist()
        known = await segments.known(tx, source, [month])
        table = _evidence_table(chunk.judged, rows, keys, 0)
        row = segments.rows_in(now.batch_no, arrow.encode(table))
        if known.bars(row.facts).any():
            verdict[:] = verdicts.TAKEN_BACK
        elif evidence.fresh(row.facts, known.facts()).all() and await segments.save_event(tx, now, row):
            said = _event_table(chunk, rows, table, now.batch_no)
            await outbox.say_table(tx, EVIDENCE_ACCEPTED, said, attributes(source, now.received_at))
            late_by = latency(now, chunk.judged.day)
        else:
            verdict[:] = verdicts.DUPLICATE
            await segments.save_rows(tx, "duplicate_segment", now, 0, by_month(table, keys))
    done = replace(now, chunks_done=1, counts=verdicts.counts_of(verdict), latency_days=late_by)
    await batches.save_progress(tx, done)
    return done


def attributes(source: Source, received_at: datetime) -> dict[str, str]:
    """What holds for a whole table of evidence."""
    return {
        "source": source.code,
        "department": source.department,
        "strength": source.strength,
        "received_at": received_at.isoformat(),
    }


def taken_back(source: Source, because: Because) -> dict[str, str]:
    """What holds for a whole table of evidence that no longer counts."""
    return {
        "source": source.code,
        "department": source.department,
        "reason": because.reason,
        "corrected_at": because.at.isoformat(),
    }


def _words(places: Array, words: pa.Array) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(places.astype(np.int8)), words)


def kinds(places: Array) -> pa.DictionaryArray:
    """Kinds as words, from their places in KINDS."""
    return _words(places, _KINDS)


def polarities(places: Array) -> pa.DictionaryArray:
    """Polarity of rows of these kinds."""
    return _words(places == verdicts.SEEN, _POLARITIES)


def identities(full: Array) -> pa.DictionaryArray:
    """Identity as words."""
    return _words(full, _IDENTITIES)


def _evidence_table(judged: Judged, kept: Array, keys: Array, first_row: int) -> pa.Table:
    return pa.table(
        {
            "key": keys,
            "row_no": (kept + first_row).astype(np.uint32),
            "kind": kinds(judged.kind[kept]),
            "full": judged.full[kept],
        }
    )


def by_month(table: pa.Table, keys: Array) -> list[Segment]:
    """Rows cut into segments of one month each."""
    if not len(keys):
        return []
    months = evidence.months_of(evidence.days_of(keys))
    order = np.argsort(months, kind="stable")
    ordered, sorted_months = table.take(pa.array(order)), months[order]
    distinct, starts = np.unique(sorted_months, return_index=True)
    stops = [*starts[1:], len(sorted_months)]
    return [
        Segment(month=int(month), rows=int(stop - start), body=arrow.encode(ordered.slice(start, stop - start)))
        for month, start, stop in zip(distinct, starts, stops, strict=True)
    ]


def quarantine_table(verdict: Array, first_row: int) -> pa.Table:
    """Numbers and reasons of the rows not taken; no values."""
    rows = np.flatnonzero(verdict > verdicts.OUT_OF_WINDOW)
    return pa.table({"row_no": (rows + first_row).astype(np.uint32), "reason": _words(verdict[rows], _REASONS)})


def _event_table(chunk: Chunk, kept: Array, table: pa.Table, batch_no: int) -> pa.Table:
    judged = chunk.judged
    return pa.table(
        {
            "subject": arrow.subject_array(chunk.people.subjects[judged.person[kept]]),
            "occurred_on": pa.array(judged.day[kept], pa.date32()),
            "kind": table.column("kind"),
            "polarity": polarities(judged.kind[kept]),
            "identity": identities(judged.full[kept]),
            "evidence_id": evidence.evidence_ids(batch_no, table.column("row_no").to_numpy()),
        }
    )


def summary(counts: Mapping[str, int]) -> dict[str, Any]:
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
    done = replace(now, status="completed", completed_at=at)
    await batches.save_status(tx, done)
    await outbox.say(
        tx,
        BATCH_COMPLETED,
        BatchCompleted(
            batch_id=now.batch_id,
            batch_no=now.batch_no,
            source=now.code,
            department=now.department,
            sha256=now.file_sha256,
            received_at=now.received_at,
            **summary(now.counts),
        ),
    )
    return done


async def hold(tx: WriteTx, batch: Batch, counts: Mapping[str, int], quarantine: list[tuple[int, bytes]]) -> Batch:
    """Stop a batch before it has said anything: its counts and reasons are kept, to be released or withdrawn.

    Args:
        tx: the transaction.
        batch: of which nothing has been taken yet.
        counts: rows by verdict, as they would be.
        quarantine: number of rows and encoded table of each chunk.
    """
    now = await batches.lock_batch(tx, batch)
    if now.status != "taking" or now.chunks_done:
        return now
    held = replace(now, status="held", counts=dict(counts))
    await batches.save_progress(tx, held)
    await batches.save_status(tx, held)
    for number, (rows, body) in enumerate(quarantine):
        await batches.save_quarantine(tx, held, number, rows, body)
    return held


async def release(tx: WriteTx, batch: Batch) -> Batch:
    """Let a held batch be taken after all; anything but a held one stays as it is."""
    now = await batches.lock_batch(tx, batch)
    if now.status != "held":
        return now
    open_again = replace(now, status="taking", counts={}, chunks_done=0)
    await batches.delete_quarantine(tx, now)
    await batches.save_progress(tx, open_again)
    await batches.save_status(tx, open_again)
    return open_again


async def withdraw_held(tx: WriteTx, batch: Batch, *, at: datetime) -> Batch:
    """Give a held batch up; it never said anything."""
    now = await batches.lock_batch(tx, batch)
    if now.status != "held":
        return now
    gone = replace(now, status="withdrawn", completed_at=at)
    await batches.save_status(tx, gone)
    return gone
