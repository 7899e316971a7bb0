"""Hints as rows, and what the roster knows of the people they may mean."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import polars as pl

from services.ingest.domain.columns import Array
from services.ingest.domain.evidence import origin_of
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
