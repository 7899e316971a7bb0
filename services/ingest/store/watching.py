"""What is asked over many batches: how sources deliver, what may be forgotten, what was pulled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.ingest.domain.verdicts import VERDICTS
from shared.kit.db import ReadTx, WriteTx


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliveries:
    """Completed deliveries of a source.

    Attributes:
        counts: rows by verdict since the asked instant.
        latency_days: summed over its accepted rows.
        last_at: receipt of the last one ever.
    """

    counts: Mapping[str, int]
    latency_days: int
    last_at: datetime | None


async def deliveries(tx: ReadTx, since: datetime) -> Mapping[str, Deliveries]:
    """Of every source that ever delivered, by code."""
    counts: dict[str, dict[str, int]] = {}
    for row in await tx.fetch(
        "SELECT code, key, sum(value::bigint)::bigint AS n FROM batch, jsonb_each_text(counts) "
        "WHERE kind IN ('source', 'event') AND status = 'completed' AND received_at >= $1 GROUP BY code, key",
        since,
    ):
        if row["key"] in VERDICTS:
            counts.setdefault(row["code"], {})[row["key"]] = row["n"]
    rows = await tx.fetch(
        "SELECT code, max(received_at) AS last_at, "
        "coalesce(sum(latency_days) FILTER (WHERE received_at >= $1), 0)::bigint AS latency "
        "FROM batch WHERE kind IN ('source', 'event') AND status = 'completed' GROUP BY code",
        since,
    )
    return {
        row["code"]: Deliveries(counts=counts.get(row["code"], {}), latency_days=row["latency"], last_at=row["last_at"])
        for row in rows
    }


async def forget_evidence(tx: WriteTx, source: str, before: datetime) -> int:
    """Drop what a source delivered before an instant; returns rows and segments dropped.

    By receipt, not by the day of the event: a register repeats its old deaths for ever, and what was forgotten would
    be said anew with the next extract. What was taken back as wrong stays barred for as long as it may be repeated.
    """
    dropped = 0
    for table in ("evidence_segment", "evidence_event", "duplicate_segment", "description", "hint"):
        tag = await tx.run(
            f"DELETE FROM {table} WHERE source = $1 AND batch_no IN "  # noqa: S608  (our tables)
            "(SELECT batch_no FROM batch WHERE code = $1 AND kind <> 'roster' AND received_at < $2)",
            source,
            before,
        )
        dropped += int(tag.rsplit(" ", 1)[-1])
    tag = await tx.run("DELETE FROM taken_back WHERE source = $1 AND at < $2 AND NOT barred", source, before)
    return dropped + int(tag.rsplit(" ", 1)[-1])


async def last_receipts(tx: ReadTx, sources: Sequence[str]) -> Mapping[str, datetime]:
    """When something of each source was received last."""
    rows = await tx.fetch(
        "SELECT code, max(received_at) AS last_at FROM batch WHERE kind IN ('source', 'event') "
        "AND status = 'completed' AND code = ANY($1::text[]) GROUP BY code",
        list(sources),
    )
    return {row["code"]: row["last_at"] for row in rows}


async def note_silence(tx: WriteTx, source: str, last_at: datetime, at: datetime) -> bool:
    """Note that a source has been silent since it delivered last; False when that was noted before."""
    tag = await tx.run(
        "INSERT INTO silence (source, last_received_at, said_at) VALUES ($1, $2, $3) ON CONFLICT (source) DO UPDATE "
        "SET last_received_at = $2, said_at = $3 WHERE silence.last_received_at <> $2",
        source,
        last_at,
        at,
    )
    return tag.endswith("1")


_OLD = (
    "kind = $1 AND ($2::text IS NULL OR code = $2) AND received_at < $3 AND raw_kept "
    "AND status IN ('completed', 'withdrawn')"
)


async def old_files(tx: ReadTx, kind: str, code: str | None, before: datetime) -> list[str]:
    """Digests of files of batches that are old enough to be forgotten.

    Args:
        tx: the transaction.
        kind: source | roster.
        code: of the source; None for every one.
        before: received before this instant.
    """
    rows = await tx.fetch(
        f"SELECT DISTINCT split_part(sha256, '.', 1) AS sha256 FROM batch WHERE {_OLD}",  # noqa: S608  (our words)
        kind,
        code,
        before,
    )
    return [row["sha256"] for row in rows]


async def forget_file(tx: WriteTx, kind: str, code: str | None, before: datetime, sha256: str) -> bool:
    """Note that the file of old batches goes, and drop their quarantine; whether no younger batch needs it.

    Whoever asks holds its digest, and drops it before the transaction ends.
    """
    await tx.run(
        f"WITH old AS (UPDATE batch SET raw_kept = false WHERE {_OLD} AND sha256 LIKE $4 || '%' RETURNING batch_no) "  # noqa: S608  (our words)
        "DELETE FROM quarantine_segment WHERE batch_no IN (SELECT batch_no FROM old)",
        kind,
        code,
        before,
        sha256,
    )
    needed = await tx.fetch(
        "SELECT FROM batch WHERE raw_kept AND kind <> 'event' AND sha256 LIKE $1 || '%' LIMIT 1", sha256
    )
    return not needed


async def pulled_before(tx: ReadTx, source: str, fingerprints: Sequence[str]) -> dict[str, str]:
    """What became of those of some files that were fetched before."""
    rows = await tx.fetch(
        "SELECT fingerprint, outcome FROM pulled WHERE source = $1 AND fingerprint = ANY($2::text[])",
        source,
        list(fingerprints),
    )
    return {row["fingerprint"]: row["outcome"] for row in rows}


COUNTED = ("completed", "roster_held")
"""Outcomes of rosters behind which an older one does not count."""


async def last_put(tx: ReadTx, program: str, now: datetime) -> datetime | None:
    """When the newest roster of a program was put where it was fetched, of those that were taken or wait."""
    rows = await tx.fetch(
        "SELECT max(put_at) AS at FROM pulled WHERE source = $1 AND outcome = ANY($2::text[]) AND put_at <= $3",
        program,
        list(COUNTED),
        now,
    )
    at: datetime | None = rows[0]["at"]
    return at


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """What became of a fetched file.

    Attributes:
        outcome: status of the batch, or the code of the problem.
        put_at: since when it had lain there; None where nothing tells it.
        at: when it was fetched.
    """

    source: str
    fingerprint: str
    outcome: str
    batch_id: UUID | None
    put_at: datetime | None
    at: datetime


async def note_pulled(tx: WriteTx, file: Pulled) -> None:
    """Note what became of a fetched file."""
    await tx.run(
        "INSERT INTO pulled (source, fingerprint, outcome, batch_id, put_at, at) VALUES ($1, $2, $3, $4, $5, $6) "
        "ON CONFLICT (source, fingerprint) DO UPDATE SET outcome = $3, batch_id = $4, put_at = $5, at = $6",
        file.source,
        file.fingerprint,
        file.outcome,
        file.batch_id,
        file.put_at,
        file.at,
    )
