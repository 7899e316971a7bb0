"""Evidence as columns: accepted rows, the duplicates that stand behind them, and which of both were taken back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from services.ingest.domain import evidence
from services.ingest.domain.catalogue import Source
from services.ingest.domain.columns import Array
from services.ingest.domain.verdicts import KINDS
from services.ingest.store.batches import Batch
from shared.kit import arrow
from shared.kit.db import ReadTx, WriteTx

_KINDS = pa.array(KINDS)
_TABLES = ("evidence_segment", "duplicate_segment")
_EVENTS = "SELECT batch_no << 32 AS evidence_id, key, kind, identified FROM evidence_event"
_NOT_WITHDRAWN = "NOT EXISTS (SELECT FROM batch b WHERE b.batch_no = s.batch_no AND b.status = 'withdrawn')"


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Rows of one month, encoded."""

    month: int
    rows: int
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows of a source, in columns.

    Attributes:
        evidence_id: int64.
        key: uint64, person and day.
        kind: int8, index into KINDS.
        full: whether the identity is full.
    """

    evidence_id: Array
    key: Array
    kind: Array
    full: Array

    def __len__(self) -> int:
        return len(self.key)

    def some(self, chosen: Array) -> "Rows":
        """Rows by mask or position."""
        return Rows(
            evidence_id=self.evidence_id[chosen],
            key=self.key[chosen],
            kind=self.kind[chosen],
            full=self.full[chosen],
        )

    @property
    def months(self) -> Array:
        """Months since 1970 of the rows, int32."""
        return evidence.months_of(evidence.days_of(self.key))

    @property
    def facts(self) -> Array:
        """Person, day and kind of the rows, uint64."""
        return evidence.facts_of(self.key, self.kind)


NO_ROWS = Rows(
    evidence_id=np.empty(0, np.int64),
    key=np.empty(0, np.uint64),
    kind=np.empty(0, np.int8),
    full=np.empty(0, dtype=bool),
)


def joined(parts: Sequence[Rows]) -> Rows:
    """Several in one."""
    if not parts:
        return NO_ROWS
    return Rows(**{name: np.concatenate([getattr(each, name) for each in parts]) for name in Rows.__slots__})


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What was accepted of a source in some months and still counts.

    Attributes:
        bodies: batch number and encoded segment.
        events: facts of single events, uint64.
        gone: evidence ids taken back, int64.
        barred: facts that are not taken again, uint64.
    """

    bodies: Sequence[tuple[int, bytes]]
    events: Array
    gone: Array
    barred: Array

    def facts(self) -> Array:
        """Facts that count, uint64, in no order."""
        parts = [self.events]
        for batch_no, body in self.bodies:
            table = arrow.decode(body)
            facts = evidence.facts_of(table.column("key").to_numpy(), _places_of(table.column("kind").combine_chunks()))
            if len(self.gone):
                ids = evidence.evidence_ids(batch_no, table.column("row_no").to_numpy())
                facts = facts[~np.isin(ids, self.gone)]
            parts.append(facts)
        return np.concatenate(parts)

    def bars(self, facts: Array) -> Array:
        """Which rows say what was taken back as wrong."""
        return np.isin(facts, self.barred) if len(self.barred) else np.zeros(len(facts), dtype=bool)


async def known(tx: ReadTx, source: Source, months: Sequence[int]) -> Known:
    """What was accepted of a source in these months."""
    rows = await tx.fetch(
        "SELECT s.batch_no, s.body FROM evidence_segment s "  # noqa: S608  (our condition)
        f"WHERE s.source = $1 AND s.month = ANY($2::int[]) AND {_NOT_WITHDRAWN}",
        source.code,
        list(months),
    )
    events = await tx.fetch(f"{_EVENTS} WHERE source = $1 AND month = ANY($2::int[])", source.code, list(months))
    back = await tx.fetch(
        "SELECT evidence_id, key, kind, counted, barred, false AS identified FROM taken_back "
        "WHERE source = $1 AND month = ANY($2::int[])",
        source.code,
        list(months),
    )
    return Known(
        bodies=[(row["batch_no"], row["body"]) for row in rows],
        events=_of_events(events, source.kind).facts,
        gone=np.array([row["evidence_id"] for row in back if row["counted"]], dtype=np.int64),
        barred=_of_events([row for row in back if row["barred"]], source.kind).facts,
    )


async def save_rows(tx: WriteTx, table: str, batch: Batch, chunk_no: int, segments: Sequence[Segment]) -> None:
    """Keep rows, one segment a month, in `evidence_segment` or `duplicate_segment`."""
    rows = [(batch.code, each.month, batch.batch_no, chunk_no, each.rows, each.body) for each in segments]
    await (await tx.driver()).executemany(
        f"INSERT INTO {table} (source, month, batch_no, chunk_no, rows, body) "  # noqa: S608  (our tables)
        "VALUES ($1, $2, $3, $4, $5, $6)",
        rows,
    )


async def save_event(tx: WriteTx, batch: Batch, rows: Rows) -> bool:
    """Keep a single accepted event, rows of one; False when the same was kept before."""
    tag = await tx.run(
        "INSERT INTO evidence_event (source, month, key, batch_no, kind, identified) VALUES ($1, $2, $3, $4, $5, $6) "
        "ON CONFLICT DO NOTHING",
        batch.code,
        int(rows.months[0]),
        int(rows.key[0]),
        batch.batch_no,
        KINDS[rows.kind[0]],
        bool(rows.full[0]),
    )
    return tag.endswith("1")


async def next_late_chunk(tx: ReadTx, batch: Batch) -> int:
    """Number for rows that come to count behind the chunks of their file: -1, -2, …"""
    rows = await tx.fetch(
        "SELECT least(coalesce(min(chunk_no), 0), 0) - 1 AS n FROM evidence_segment WHERE batch_no = $1", batch.batch_no
    )
    return int(rows[0]["n"])


def rows_in(batch_no: int, body: bytes) -> Rows:
    """The rows of an encoded segment."""
    table = arrow.decode(body)
    return Rows(
        evidence_id=evidence.evidence_ids(batch_no, table.column("row_no").to_numpy()),
        key=table.column("key").to_numpy(),
        kind=_places_of(table.column("kind").combine_chunks()),
        full=table.column("full").to_numpy(),
    )


def _places_of(kinds: pa.Array) -> Array:
    """Words as places in KINDS, int8; each distinct word is looked up once."""
    words = kinds if pa.types.is_dictionary(kinds.type) else kinds.dictionary_encode()
    places = pc.index_in(words.dictionary, value_set=_KINDS).to_numpy(zero_copy_only=False)
    return np.asarray(places.astype(np.int8)[words.indices.to_numpy(zero_copy_only=False)])


async def places_of(tx: ReadTx, batch: Batch) -> list[tuple[int, int]]:
    """Month and chunk of each segment of accepted rows of a batch."""
    rows = await tx.fetch(
        "SELECT month, chunk_no FROM evidence_segment WHERE batch_no = $1 ORDER BY month, chunk_no", batch.batch_no
    )
    return [(row["month"], row["chunk_no"]) for row in rows]


async def rows_at(tx: ReadTx, batch: Batch, month: int, chunk_no: int) -> Rows:
    """The rows of one segment of accepted rows of a batch."""
    rows = await tx.fetch(
        "SELECT body FROM evidence_segment WHERE source = $1 AND month = $2 AND batch_no = $3 AND chunk_no = $4",
        batch.code,
        month,
        batch.batch_no,
        chunk_no,
    )
    return joined([rows_in(batch.batch_no, row["body"]) for row in rows])


async def rows_of_ids(tx: ReadTx, evidence_ids: Sequence[int], own_kind: str) -> Rows:
    """Accepted rows and duplicates by their ids, whether or not they still count; `own_kind` of the source."""
    wanted, found = np.array(evidence_ids, dtype=np.int64), []
    numbers = sorted({evidence.origin_of(each)[0] for each in evidence_ids})
    for table in _TABLES:
        for row in await tx.fetch(
            f"SELECT batch_no, body FROM {table} WHERE batch_no = ANY($1::bigint[])",  # noqa: S608  (our tables)
            numbers,
        ):
            rows = rows_in(row["batch_no"], row["body"])
            found.append(rows.some(np.isin(rows.evidence_id, wanted)))
    events = await tx.fetch(
        f"{_EVENTS} WHERE batch_no = ANY($1::bigint[]) UNION SELECT evidence_id, key, kind, false FROM taken_back "  # noqa: S608  (our columns)
        "WHERE evidence_id = ANY($2::bigint[])",
        numbers,
        wanted.tolist(),
    )
    found.append(_of_events([row for row in events if row["evidence_id"] in set(evidence_ids)], own_kind))
    return joined(found)


async def rows_with(tx: ReadTx, table: str, source: str, month: int, keys: Array) -> Rows:
    """Rows of a source in a month with one of these keys, of batches that were not withdrawn, oldest first."""
    found = await tx.fetch(
        f"SELECT s.batch_no, s.body FROM {table} s WHERE s.source = $1 AND s.month = $2 "  # noqa: S608  (our tables)
        f"AND {_NOT_WITHDRAWN} ORDER BY s.batch_no, s.chunk_no",
        source,
        month,
    )
    parts = []
    for row in found:
        rows = rows_in(row["batch_no"], row["body"])
        parts.append(rows.some(np.isin(rows.key, keys)))
    return joined(parts)


async def events_with(tx: ReadTx, source: str, month: int, keys: Array, own_kind: str) -> Rows:
    """Single events of a source in a month with one of these keys; `own_kind` of the source."""
    found = await tx.fetch(
        f"{_EVENTS} WHERE source = $1 AND month = $2 AND key = ANY($3::bigint[])",
        source,
        month,
        keys.astype(np.int64).tolist(),
    )
    return _of_events(found, own_kind)


def _of_events(rows: Sequence[Mapping[str, Any]], own_kind: str) -> Rows:
    return Rows(
        evidence_id=np.array([row["evidence_id"] for row in rows], dtype=np.int64),
        key=np.array([row["key"] for row in rows], dtype=np.uint64),
        kind=np.array([KINDS.index(row["kind"] or own_kind) for row in rows], dtype=np.int8),
        full=np.array([bool(row["identified"]) for row in rows], dtype=bool),
    )


async def taken_back(tx: ReadTx, evidence_ids: Sequence[int]) -> set[int]:
    """Those that no longer count: taken back one by one, or with their batch."""
    rows = await tx.fetch(
        "SELECT id FROM unnest($1::bigint[]) AS id WHERE EXISTS (SELECT FROM taken_back t WHERE t.evidence_id = id) "
        "OR EXISTS (SELECT FROM batch b WHERE b.batch_no = id >> 32 AND b.status = 'withdrawn') OR EXISTS (SELECT "
        "FROM hint h WHERE h.batch_no = id >> 32 AND h.row_no = id & 4294967295 AND h.standing <> 'stands')",
        list(evidence_ids),
    )
    return {row["id"] for row in rows}


async def is_barred(tx: ReadTx, evidence_id: int) -> bool:
    """Whether what it says was taken back, by it or by another record of the same, and not said anew since."""
    rows = await tx.fetch(
        "SELECT bool_or(same.barred) AS barred FROM taken_back t JOIN taken_back same USING (source, month, key, kind) "
        "WHERE t.evidence_id = $1",
        evidence_id,
    )
    said = rows[0]["barred"]
    return bool(await taken_back(tx, [evidence_id]) if said is None else said)


async def taken_back_of(tx: ReadTx, source: str, month: int) -> Array:
    """Evidence ids of a source taken back in a month, int64."""
    rows = await tx.fetch("SELECT evidence_id FROM taken_back WHERE source = $1 AND month = $2", source, month)
    return np.array([row["evidence_id"] for row in rows], dtype=np.int64)


async def save_taken_back(  # noqa: PLR0913  (a record has this many parts)
    tx: WriteTx, source: str, rows: Rows, *, counted: Array, barred: bool, correction_id: UUID, at: datetime
) -> None:
    """Note that rows no longer count; single events among them leave their table for this one."""
    await (await tx.driver()).executemany(
        "INSERT INTO taken_back (evidence_id, source, month, key, kind, counted, barred, correction_id, at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING",
        [
            (evidence_id, source, month, key, KINDS[kind], was, barred, correction_id, at)
            for evidence_id, month, key, kind, was in zip(
                rows.evidence_id.tolist(),
                rows.months.tolist(),
                rows.key.astype(np.int64).tolist(),
                rows.kind.tolist(),
                counted.tolist(),
                strict=True,
            )
        ],
    )
    await tx.run(
        "DELETE FROM evidence_event e USING taken_back t WHERE t.evidence_id = ANY($1::bigint[]) "
        "AND e.source = t.source AND e.month = t.month AND e.key = t.key AND e.batch_no << 32 = t.evidence_id",
        rows.evidence_id.tolist(),
    )


async def unbar(tx: WriteTx, source: str, rows: Rows) -> None:
    """Let records that were taken back be taken again: the department has said anew that they are right."""
    await (await tx.driver()).executemany(
        "UPDATE taken_back SET barred = false WHERE source = $1 AND month = $2 AND key = $3 AND kind = $4",
        [
            (source, month, key, KINDS[kind])
            for month, key, kind in zip(
                rows.months.tolist(), rows.key.astype(np.int64).tolist(), rows.kind.tolist(), strict=True
            )
        ],
    )


async def standing_of(tx: ReadTx, evidence_id: int) -> str | None:
    """Whether a row `counts`, was `taken_back`, or is but a `hint`; None: it is nothing of these."""
    batch_no, row_no = evidence.origin_of(evidence_id)
    rows = await tx.fetch("SELECT counted FROM taken_back WHERE evidence_id = $1", evidence_id)
    if rows:
        return "taken_back" if rows[0]["counted"] else None
    rows = await tx.fetch("SELECT body FROM evidence_segment WHERE batch_no = $1", batch_no)
    known_here = any((arrow.decode(row["body"]).column("row_no").to_numpy() == row_no).any() for row in rows)
    if not known_here and row_no == 0:
        known_here = bool(await tx.fetch("SELECT FROM evidence_event WHERE batch_no = $1", batch_no))
    if known_here:
        return "counts"
    hint = await tx.fetch("SELECT standing FROM hint WHERE batch_no = $1 AND row_no = $2", batch_no, row_no)
    if not hint:
        return None
    return "hint" if hint[0]["standing"] == "stands" else "taken_back"
