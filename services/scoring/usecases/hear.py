"""Hearing: keep signals as they arrive, and turn people's conclusions into facts that outweigh earlier evidence."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pyarrow as pa

from services.scoring.domain.signals import CONCLUSIONS, EPOCH, STOP_REQUESTS, Kind
from services.scoring.domain.suspicions import consequence, reported
from services.scoring.store import columns, signals, suspicions
from services.scoring.store.assessments import shard_of
from services.scoring.store.signals import NewSegment
from shared.contracts.events import StopRequestConcluded
from shared.contracts.vocabulary import CaseConclusion, Identity, Strength, SuspicionKind
from shared.kit import arrow
from shared.kit.clock import SHANGHAI
from shared.kit.db import WriteTx

_DEPARTMENTS = {CONCLUSIONS: "grid", STOP_REQUESTS: "family"}
_SINCE = datetime(1970, 1, 1, tzinfo=UTC)


async def keep_evidence(tx: WriteTx, bodies: Iterable[tuple[int | None, bytes]]) -> None:
    """Keep the signals of messages, each with its shard if it is of one, until that is swept.

    Raises:
        UnreadableError: the columns do not say what the contract promises, or belong to another shard.
    """
    segments = [segment for shard, body in bodies for segment in _segments(shard, body)]
    await signals.append(tx, [each for each in segments if each.rows])


def _segments(shard: int | None, body: bytes) -> list[NewSegment]:
    heard = columns.read_message(body)
    shards = columns.raw_subjects(heard.rows.subjects)[:, 0] >> 4
    if shard is None:
        kinds = heard.rows.kind
        return [
            NewSegment(shard=each, rows=rows, urgent=columns.is_urgent(kinds[shards == each]), body=part)
            for each, rows, part in columns.by_shard(body)
        ]
    if (shards != shard).any():
        msg = "the message holds people of another shard"
        raise columns.UnreadableError(msg)
    return [NewSegment(shard=shard, rows=len(heard.rows.day), urgent=columns.is_urgent(heard.rows.kind), body=body)]


async def keep_corrections(tx: WriteTx, shard: int | None, table: pa.Table) -> None:
    """Keep what a department took back; whatever followed from it is assessed again with the next sweep.

    Raises:
        UnreadableError: the columns do not say what the contract promises, or belong to another shard.
    """
    if table.num_rows:
        await keep_evidence(tx, [(shard, columns.correction_body(table))])


async def keep_hints(tx: WriteTx, shard: int | None, table: pa.Table) -> int:
    """Keep death records without a number for each person they may mean; returns how many rows. Others tell nothing.

    Raises:
        UnreadableError: the columns do not say what the contract promises, or belong to another shard.
    """
    bodies = columns.hint_bodies(table)
    await keep_evidence(tx, [(shard, body) for _, body in bodies])
    return sum(rows for rows, _ in bodies)


async def keep_conclusion(  # noqa: PLR0913  (a conclusion has this many parts)
    tx: WriteTx,
    *,
    subject: UUID,
    kind: SuspicionKind,
    conclusion: CaseConclusion,
    event_on: date | None,
    seen_on: date | None = None,
    concluded_at: datetime,
    by: str = CONCLUSIONS,
    refutes_undated: bool = False,
) -> None:
    """Keep what people concluded: end suspicions, outweigh evidence that was wrong, hold what they found to be so.

    `by` is the source it comes from: a case, or a relative's request that people verified. `refutes_undated` where it
    is about a death that names no day: then it speaks of that as well, whenever it was told.

    Raises:
        UnreadableError: a day on which nothing that is paid now can have happened.
    """
    follows = consequence(kind, conclusion)
    if follows is None:
        return
    concluded_on = concluded_at.astimezone(SHANGHAI).date()
    known = [day for day in (event_on, seen_on) if day is not None]
    if any(day <= EPOCH for day in known):
        msg = f"the conclusion names a day before {EPOCH.year + 1}"
        raise columns.UnreadableError(msg)
    shard = shard_of(subject)
    # A sweep that is under way would else keep as open what is ended here.
    await signals.await_head(tx, shard)
    await suspicions.conclude(
        tx, subject, follows.ends, overturned=follows.overturns, status=follows.status, concluded_at=concluded_at
    )
    # Seen in August, dead in September, concluded in October: the sighting refutes nothing that happened after it.
    refuted_on = min(max(known, default=concluded_on), concluded_on)
    found_on = min(event_on or concluded_on, concluded_on)
    strong, found_strength = Strength.STRONG, Strength.WEAK if event_on is None else Strength.STRONG
    days = (
        (refuted_on, follows.refuted, Strength.WEAK if refutes_undated else strong),
        (concluded_on, follows.explained, strong),
        # Whoever names no day is believed that it happened, and dates it for nobody.
        (found_on, follows.found, found_strength),
    )
    for on, kinds, strength in days:
        if kinds:
            body = _facts(subject, on, kinds, concluded_at, {"source": by, "strength": strength.value})
            await signals.append(tx, [NewSegment(shard=shard, rows=len(kinds), urgent=True, body=body)])


async def keep_report(tx: WriteTx, request: StopRequestConcluded) -> None:
    """Keep what a request to stop a benefit reports, where people have verified it: as sure as what a case confirms.

    Raises:
        UnreadableError: a day on which nothing that is paid now can have happened.
    """
    kind = reported(request.reason)
    if kind is None or not request.confirmed:
        return
    await keep_conclusion(
        tx,
        subject=request.subject,
        kind=kind,
        conclusion=CaseConclusion.CONFIRMED,
        event_on=request.event_on,
        concluded_at=request.concluded_at,
        by=STOP_REQUESTS,
    )


def _facts(subject: UUID, on: date, kinds: tuple[Kind, ...], concluded_at: datetime, origin: dict[str, str]) -> bytes:
    """What people concluded as signals; in place of an evidence id stands when, below zero where no file's ids are."""
    rows, concluded = len(kinds), (concluded_at - _SINCE) // timedelta(microseconds=1)
    table = pa.table(
        {
            "subject": pa.array([subject.bytes] * rows, pa.binary(16)),
            "occurred_on": pa.array([on] * rows, pa.date32()),
            "kind": pa.array([kind.name.lower() for kind in kinds]).dictionary_encode(),
            "identity": pa.array([Identity.FULL.value] * rows).dictionary_encode(),
            "evidence_id": pa.array([-concluded] * rows, pa.int64()),
        }
    )
    return arrow.encode(table.replace_schema_metadata(origin | {"department": _DEPARTMENTS[origin["source"]]}))
