"""Hints as rows, and what the roster knows of the people they may mean."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import polars as pl

from services.ingest.domain.columns import Array
from services.ingest.domain.evidence import evidence_id, origin_of
from services.ingest.domain.people import PeopleIndex
from shared.kit.db import ReadTx, WriteTx


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """A record without an id.

    Attributes:
        evidence_id: the way back to file and row.
        digest: keyed, of what describes the person, and of the day.
        candidates: subjects it may mean.
    """

    hint_id: UUID
    source: str
    evidence_id: int
    digest: int
    occurred_on: date
    kind: str
    candidates: tuple[UUID, ...]
    at: datetime


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


async def add(tx: WriteTx, hints: Sequence[Hint]) -> list[Hint]:
    """Keep hints; those that are new."""
    new = []
    for each in hints:
        batch_no, row_no = origin_of(each.evidence_id)
        tag = await tx.run(
            "INSERT INTO hint (hint_id, source, batch_no, row_no, digest, occurred_on, kind, candidates, at) "
            "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING",
            each.hint_id,
            each.source,
            batch_no,
            row_no,
            each.digest,
            each.occurred_on,
            each.kind,
            list(each.candidates),
            each.at,
        )
        if tag.endswith("1"):
            new.append(each)
    return new


_TAKEN_BACK = "RETURNING hint_id, source, batch_no, row_no, digest, occurred_on, kind, candidates, at"


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


async def standing(tx: ReadTx, source: str, before: int) -> list[int]:
    """Digests of the hints of a source that stand, of batches before one."""
    rows = await tx.fetch(
        "SELECT digest FROM hint WHERE source = $1 AND standing = 'stands' AND batch_no < $2", source, before
    )
    return [row["digest"] for row in rows]


async def take_back_like(tx: WriteTx, source: str, digests: Sequence[int]) -> list[Hint]:
    """Note that hints are wrong by what they say, as `take_back`. Those that stood."""
    rows = await tx.fetch(
        "UPDATE hint SET standing = 'corrected' WHERE source = $1 AND digest = ANY($2::bigint[]) "  # noqa: S608  (our columns)
        f"AND standing = 'stands' {_TAKEN_BACK}",
        source,
        list(digests),
    )
    return [_hint(row) for row in rows]


async def find(tx: ReadTx, number: int) -> Hint | None:
    """The hint of a row that told of somebody, whether or not it still stands."""
    batch_no, row_no = origin_of(number)
    rows = await tx.fetch(
        "SELECT hint_id, source, batch_no, row_no, digest, occurred_on, kind, candidates, at FROM hint "
        "WHERE batch_no = $1 AND row_no = $2 AND cardinality(candidates) > 0",
        batch_no,
        row_no,
    )
    return _hint(rows[0]) if rows else None


def _hint(row: Mapping[str, Any]) -> Hint:
    return Hint(
        hint_id=UUID(bytes=row["hint_id"].bytes),
        source=row["source"],
        evidence_id=evidence_id(row["batch_no"], row["row_no"]),
        digest=row["digest"],
        occurred_on=row["occurred_on"],
        kind=row["kind"],
        candidates=tuple(UUID(bytes=each.bytes) for each in row["candidates"]),
        at=row["at"],
    )
