"""Records that describe people, hints made of them, and what the roster knows of whom they may mean."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid5

import polars as pl

from services.ingest.domain.columns import Array
from services.ingest.domain.evidence import evidence_id, origin_of
from services.ingest.domain.people import PeopleIndex
from shared.kit.db import ReadTx, WriteTx


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """A record that describes a person.

    Attributes:
        evidence_id: the way back to file and row.
        digest: keyed, of what describes the person, and of the day.
        candidates: subjects it may mean; none where it has an id and says for certain whom.
        at: when its batch was received.
    """

    source: str
    evidence_id: int
    digest: int
    occurred_on: date
    kind: str
    candidates: tuple[UUID, ...]
    at: datetime

    @property
    def hint_id(self) -> UUID:
        """The same record is the same hint, however often its batch is tried."""
        return uuid5(NAMESPACE_OID, f"wugan hint {self.evidence_id}")


async def described_people(tx: ReadTx, people: PeopleIndex, positions: Array) -> pl.DataFrame:
    """Name hash, sex and birthday of people at some positions of the index, as the roster has them; once a person."""
    subjects = [people.subjects[at].tobytes() for at in positions]
    rows = await tx.fetch(
        "SELECT DISTINCT ON (subject) subject, sex, born_on FROM enrolment WHERE subject = ANY($1::uuid[]) "
        "ORDER BY subject",
        [UUID(bytes=each) for each in subjects],
    )
    found = pl.DataFrame(
        [(row["subject"].bytes, row["sex"], row["born_on"]) for row in rows],
        schema={"subject": pl.Binary, "sex": pl.String, "born_on": pl.Date},
        orient="row",
    )
    hashes = pl.DataFrame({"subject": subjects, "name_hash": people.name_hash[positions]},
                          schema={"subject": pl.Binary, "name_hash": pl.UInt64})  # fmt: skip
    return found.join(hashes, on="subject")


async def describe(tx: WriteTx, records: Sequence[Hint]) -> None:
    """Keep records that describe people; those that were kept before change nothing."""
    await (await tx.driver()).executemany(
        "INSERT INTO description (batch_no, row_no, source, digest, occurred_on, kind, candidates) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
        [
            (*origin_of(each.evidence_id), each.source, each.digest, each.occurred_on, each.kind, list(each.candidates))
            for each in records
        ],
    )


_COUNTS = (
    "NOT EXISTS (SELECT FROM batch w WHERE w.batch_no = d.batch_no AND w.status = 'withdrawn') "
    "AND NOT EXISTS (SELECT FROM taken_back t WHERE t.evidence_id = d.batch_no << 32 | d.row_no)"
)


async def settled(tx: ReadTx, source: str, digests: Collection[int]) -> set[int]:
    """Those of some digests of which a record that counts says for certain whom they mean."""
    rows = await tx.fetch(
        "SELECT DISTINCT digest FROM description d WHERE source = $1 AND digest = ANY($2::bigint[]) "  # noqa: S608  (ours)
        f"AND cardinality(candidates) = 0 AND {_COUNTS}",
        source,
        list(digests),
    )
    return {row["digest"] for row in rows}


async def unsaid(tx: ReadTx, source: str, digests: Collection[int]) -> list[Hint]:
    """Of some digests that hint at nobody, the oldest record without an id that counts and was never said."""
    rows = await tx.fetch(
        "SELECT DISTINCT ON (digest) d.*, b.received_at AS at FROM description d JOIN batch b USING (batch_no) "  # noqa: S608  (ours)
        f"WHERE d.source = $1 AND d.digest = ANY($2::bigint[]) AND cardinality(d.candidates) > 0 AND {_COUNTS} "
        "AND NOT EXISTS (SELECT FROM hint h WHERE h.source = d.source AND h.digest = d.digest "
        "AND h.standing <> 'withdrawn') "
        "AND NOT EXISTS (SELECT FROM hint h WHERE h.batch_no = d.batch_no AND h.row_no = d.row_no) "
        "ORDER BY digest, d.batch_no, d.row_no",
        source,
        list(digests),
    )
    return [_hint(row) for row in rows]


async def digests_of_batch(tx: ReadTx, batch_no: int) -> set[int]:
    """What the records of a batch describe."""
    rows = await tx.fetch("SELECT digest FROM description WHERE batch_no = $1", batch_no)
    return {row["digest"] for row in rows}


async def digests_of_correction(tx: ReadTx, source: str, correction_id: UUID) -> set[int]:
    """What the records describe that a correction took back."""
    rows = await tx.fetch(
        "SELECT digest FROM taken_back t JOIN description d ON d.batch_no = t.evidence_id >> 32 "
        "AND d.row_no = t.evidence_id & 4294967295 WHERE t.source = $1 AND t.correction_id = $2",
        source,
        correction_id,
    )
    return {row["digest"] for row in rows}


async def add(tx: WriteTx, hints: Sequence[Hint]) -> None:
    """Keep hints that are said now."""
    await (await tx.driver()).executemany(
        "INSERT INTO hint (hint_id, source, batch_no, row_no, digest, occurred_on, kind, candidates, at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        [
            (
                each.hint_id, each.source, *origin_of(each.evidence_id), each.digest, each.occurred_on, each.kind,
                list(each.candidates), each.at,
            )
            for each in hints
        ],
    )  # fmt: skip


_TAKEN_BACK = "RETURNING source, batch_no, row_no, digest, occurred_on, kind, candidates, at"


async def take_back_batch(tx: WriteTx, batch_no: int) -> list[Hint]:
    """Note that the hints of a batch no longer stand; the same records may come again. Those that stood."""
    rows = await tx.fetch(
        f"UPDATE hint SET standing = 'withdrawn' WHERE batch_no = $1 AND standing = 'stands' {_TAKEN_BACK}",  # noqa: S608  (our columns)
        batch_no,
    )
    return [_hint(row) for row in rows]


async def take_back(tx: WriteTx, evidence_ids: Sequence[int]) -> list[Hint]:
    """Note that hints are wrong; the same records are not taken again. Those that stood."""
    rows = await tx.fetch(
        "UPDATE hint SET standing = 'corrected' FROM unnest($1::bigint[]) AS id WHERE batch_no = id >> 32 "  # noqa: S608  (our columns)
        f"AND row_no = id & 4294967295 AND standing = 'stands' {_TAKEN_BACK}",
        list(evidence_ids),
    )
    return [_hint(row) for row in rows]


async def take_back_like(tx: WriteTx, source: str, digests: Collection[int]) -> list[Hint]:
    """Note that hints of these digests no longer stand; the same may come again. Those that stood."""
    rows = await tx.fetch(
        "UPDATE hint SET standing = 'withdrawn' WHERE source = $1 AND digest = ANY($2::bigint[]) "  # noqa: S608  (our columns)
        f"AND standing = 'stands' {_TAKEN_BACK}",
        source,
        list(digests),
    )
    return [_hint(row) for row in rows]


async def find(tx: ReadTx, number: int) -> Hint | None:
    """The hint of a row that told of somebody, whether or not it still stands."""
    batch_no, row_no = origin_of(number)
    rows = await tx.fetch(
        "SELECT source, batch_no, row_no, digest, occurred_on, kind, candidates, at FROM hint "
        "WHERE batch_no = $1 AND row_no = $2 AND cardinality(candidates) > 0",
        batch_no,
        row_no,
    )
    return _hint(rows[0]) if rows else None


def _hint(row: Mapping[str, Any]) -> Hint:
    return Hint(
        source=row["source"],
        evidence_id=evidence_id(row["batch_no"], row["row_no"]),
        digest=row["digest"],
        occurred_on=row["occurred_on"],
        kind=row["kind"],
        candidates=tuple(UUID(bytes=each.bytes) for each in row["candidates"]),
        at=row["at"],
    )
