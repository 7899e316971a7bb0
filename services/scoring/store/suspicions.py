"""Suspicions in the database: found by their ids, grown, ended by conclusions, never deleted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import pyarrow as pa

from services.scoring.domain.backtest import Loss
from services.scoring.domain.negatives import Suspicion
from services.scoring.domain.suspicions import Known, Open, Raised, Status
from services.scoring.store.columns import suspicion_columns
from shared.contracts.vocabulary import Confidence, SuspicionKind
from shared.kit.db import ReadTx, WriteTx

_COLUMNS = (
    "suspicion_id, subject, kind, episode, confidence, event_on, evidence_ids, sources, reasons, revision, status,"
    " raised_on, concluded_at, rule_set"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptSuspicion:
    """A suspicion with its standing, for an answer."""

    raised: Raised
    concluded_at: datetime | None
    rule_set: str


async def find_known(tx: ReadTx, suspicion_ids: Sequence[UUID]) -> dict[UUID, Known]:
    """What is kept of the suspicions with these ids."""
    if not suspicion_ids:
        return {}
    found = await tx.fetch(
        "SELECT suspicion_id, status, revision, confidence, event_on, evidence_ids, reasons, raised_on FROM suspicion"
        " WHERE suspicion_id = ANY($1::uuid[])",
        list(suspicion_ids),
    )
    return {row["suspicion_id"]: _known(row) for row in found}


async def list_open(tx: ReadTx, subjects: Sequence[UUID]) -> list[Open]:
    """The open suspicions of these people."""
    if not subjects:
        return []
    found = await tx.fetch(
        f"SELECT {_COLUMNS} FROM suspicion WHERE subject = ANY($1::uuid[]) AND status = 'open'",  # noqa: S608
        list(subjects),
    )
    return [
        Open(
            suspicion_id=row["suspicion_id"],
            subject=row["subject"],
            kind=SuspicionKind(row["kind"]),
            episode=row["episode"],
            known=_known(row),
        )
        for row in found
    ]


def _known(row: Mapping[str, Any]) -> Known:
    return Known(
        status=Status(row["status"]),
        revision=row["revision"],
        confidence=Confidence(row["confidence"]),
        event_on=row["event_on"],
        evidence=frozenset(row["evidence_ids"]),
        reasons=tuple(row["reasons"]),
        raised_on=row["raised_on"],
    )


def suspicion_table(raised: Sequence[Raised]) -> pa.Table:
    """Suspicions as the columns that are said."""
    columns = suspicion_columns([each.found for each in raised])
    return pa.table(
        {
            "subject": pa.array([each.subject.bytes for each in raised], pa.binary(16)),
            "suspicion_id": pa.array([each.suspicion_id.bytes for each in raised], pa.binary(16)),
            "revision": pa.array([each.revision for each in raised], pa.int32()),
            **columns,
        }
    )


async def save(tx: WriteTx, raised: Sequence[Raised], *, rule_set: str, now: datetime) -> None:
    """Keep suspicions, new, grown or withdrawn."""
    if not raised:
        return
    rows = len(raised)
    table = suspicion_table(raised)
    table = table.append_column("episode", pa.array([each.found.episode for each in raised], pa.int16()))
    table = table.append_column("status", pa.array([str(each.status) for each in raised]))
    ended = [None if each.status is Status.OPEN else now for each in raised]
    table = table.append_column("concluded_at", pa.array(ended, pa.timestamp("us", tz="UTC")))
    table = table.append_column("raised_on", pa.array([each.raised_on for each in raised], pa.date32()))
    table = table.append_column("rule_set", pa.array([rule_set] * rows))
    names = ", ".join(table.column_names)
    updates = ", ".join(
        f"{name} = excluded.{name}"
        for name in (
            "confidence",
            "event_on",
            "evidence_ids",
            "sources",
            "reasons",
            "revision",
            "status",
            "concluded_at",
            "rule_set",
        )
    )
    await tx.run("CREATE TEMP TABLE raised_suspicion (LIKE suspicion) ON COMMIT DROP")
    await tx.copy("raised_suspicion", table)
    # What is open of a matter that people were done with gives way to the next: one open a person and kind.
    await tx.run(
        "UPDATE suspicion s SET status = 'withdrawn', concluded_at = $1 FROM raised_suspicion r WHERE s.status = 'open'"
        " AND r.status = 'open' AND (s.subject, s.kind) = (r.subject, r.kind) AND s.suspicion_id <> r.suspicion_id",
        now,
    )
    await tx.run(
        f"INSERT INTO suspicion ({names}) SELECT {names} FROM raised_suspicion"  # noqa: S608  (names of our own columns)
        f" ON CONFLICT (suspicion_id) DO UPDATE SET {updates}"
    )
    await tx.run("DROP TABLE raised_suspicion")


async def conclude(
    tx: WriteTx,
    subject: UUID,
    kinds: Sequence[SuspicionKind],
    *,
    overturned: Sequence[SuspicionKind] = (),
    status: Status,
    concluded_at: datetime,
) -> int:
    """End the open suspicions of a person of these kinds, and the `overturned` ones that were confirmed before.

    Returns how many there were.
    """
    tag = await tx.run(
        "UPDATE suspicion SET status = $4, concluded_at = $5 WHERE subject = $1 AND ("
        "kind = ANY($2::text[]) AND status = 'open'"
        " OR kind = ANY($3::text[]) AND status = 'confirmed' AND concluded_at <= $5)",
        subject,
        [str(kind) for kind in kinds],
        [str(kind) for kind in overturned],
        str(status),
        concluded_at,
    )
    return int(tag.split()[-1])


async def list_suspicions(tx: ReadTx, subject: UUID) -> list[KeptSuspicion]:
    """All suspicions there have been of a person, oldest first."""
    found = await tx.fetch(
        f"SELECT {_COLUMNS} FROM suspicion WHERE subject = $1 ORDER BY raised_on, kind, episode",  # noqa: S608
        subject,
    )
    return [
        KeptSuspicion(
            raised=Raised(
                suspicion_id=row["suspicion_id"],
                subject=row["subject"],
                found=Suspicion(
                    kind=SuspicionKind(row["kind"]),
                    confidence=Confidence(row["confidence"]),
                    event_on=row["event_on"],
                    evidence=tuple(row["evidence_ids"]),
                    sources=tuple(row["sources"]),
                    reasons=tuple(row["reasons"]),
                    episode=row["episode"],
                    blocks=row["status"] in (Status.OPEN, Status.CONFIRMED),
                ),
                revision=row["revision"],
                status=Status(row["status"]),
                raised_on=row["raised_on"],
            ),
            concluded_at=row["concluded_at"],
            rule_set=row["rule_set"],
        )
        for row in found
    ]


async def count_open(tx: ReadTx) -> dict[str, int]:
    """Open suspicions by kind."""
    found = await tx.fetch("SELECT kind, count(*) AS n FROM suspicion WHERE status = 'open' GROUP BY kind")
    return {str(kind): 0 for kind in SuspicionKind} | {row["kind"]: row["n"] for row in found}


async def list_confirmed(tx: ReadTx, shard: int) -> list[Loss]:
    """What people have confirmed of the people of a shard."""
    found = await tx.fetch(
        "SELECT subject, kind, event_on FROM suspicion WHERE status = 'confirmed' AND subject BETWEEN $1 AND $2",
        UUID(int=shard << 124),
        UUID(int=(shard + 1 << 124) - 1),
    )
    return [
        Loss(subject=row["subject"].bytes, lost_on=row["event_on"], kind=SuspicionKind(row["kind"])) for row in found
    ]
