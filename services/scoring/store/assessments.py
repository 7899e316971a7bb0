"""Assessments in the database: fetched and written by columns, one row a person."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

import numpy as np
import pyarrow as pa

from services.scoring.domain.changes import Stored
from services.scoring.domain.opinions import DECISIONS, LEVELS, Opinions
from services.scoring.domain.signals import EPOCH, Array
from services.scoring.store import columns
from shared.contracts.vocabulary import Decision, Level, Strength
from shared.kit.db import ReadTx, WriteTx

_FEW = 5_000
_RECORD = np.dtype([("subject", "S16"), ("state", ">i2"), ("as_of", ">i4"), ("evidence", ">i8"), ("digest", ">i8")])
_CASE_LEVEL = " ".join(f"WHEN '{word}' THEN {code}" for code, word in enumerate(LEVELS))
_CASE_DECISION = " ".join(f"WHEN '{word}' THEN {code}" for code, word in enumerate(DECISIONS))
_NONE = np.iinfo(np.int64).max
# Fixed records in one value: a hundred thousand rows come as one buffer, not as a hundred thousand objects.
_COLUMNS = " ".join(
    (
        "SELECT string_agg(uuid_send(subject) || int2send(state) || int4send(as_of) || int8send(evidence)",
        "|| int8send(digest), ''::bytea) AS records FROM (SELECT subject,",
        f"((CASE level {_CASE_LEVEL} END) + 4 * (CASE decision {_CASE_DECISION} END)",
        "+ 16 * (CASE strength WHEN 'weak' THEN 1 WHEN 'strong' THEN 2 ELSE 0 END) + 64 * marked::int)::int2 AS state,",
        f"coalesce(as_of - DATE '{EPOCH.isoformat()}', 0) AS as_of,",
        f"coalesce(evidence_ids[1], {_NONE}) AS evidence, digest",
        "FROM assessment WHERE {} ORDER BY subject) s",
    )
)
_BY_SUBJECT = _COLUMNS.format("subject = ANY($1::uuid[])")
_BY_RANGE = _COLUMNS.format("subject BETWEEN $1 AND $2")


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """The opinion of one person as stored."""

    subject: UUID
    level: Level
    decision: Decision
    as_of: date | None
    strength: Strength | None
    points: int
    valid_months: int | None
    reasons: tuple[str, ...]
    evidence_ids: tuple[int, ...]
    evidence_class: tuple[str, ...]
    rule_set: str
    assessed_on: date


async def stored_of(tx: ReadTx, shard: int, subjects: Array | None) -> Stored:
    """What is stored of sorted subjects of one shard, or of all of it; of many, others may be among the answer."""
    if subjects is not None and len(subjects) <= _FEW:
        wanted = [UUID(bytes=each.tobytes()) for each in columns.raw_subjects(subjects)]
        found = await tx.fetch(_BY_SUBJECT, wanted)
    else:
        low, high = UUID(int=shard << 124), UUID(int=(shard + 1 << 124) - 1)
        found = await tx.fetch(_BY_RANGE, low, high)
    records = np.frombuffer(found[0]["records"] or b"", dtype=_RECORD)
    state = records["state"].astype(np.int64)
    return Stored(
        subjects=np.ascontiguousarray(records["subject"]),
        level=state & 3,
        decision=(state >> 2) & 3,
        strength=(state >> 4) & 3,
        as_of=records["as_of"].astype(np.int64),
        evidence=records["evidence"].astype(np.int64),
        marked=(state >> 6) != 0,
        digest=records["digest"].astype(np.int64),
    )


async def save(
    tx: WriteTx, opinions: Opinions, digests: Array, *, known: Array, rule_set: str, today: date
) -> pa.Table:
    """Write opinions; `known` masks those who have a row already. Returns the columns that can be said."""
    table = columns.opinion_table(opinions)
    rows = len(opinions)
    whole = table.append_column("rule_set", pa.array([rule_set] * rows))
    whole = whole.append_column("assessed_on", pa.array([today] * rows, pa.date32()))
    whole = whole.append_column("digest", pa.array(digests))
    for name in ("level", "decision", "strength"):
        whole = whole.set_column(whole.column_names.index(name), name, whole.column(name).cast(pa.string()))
    await tx.copy("assessment", whole.filter(pa.array(~known)))
    if known.any():
        await tx.run("CREATE TEMP TABLE changed_assessment (LIKE assessment) ON COMMIT DROP")
        await tx.copy("changed_assessment", whole.filter(pa.array(known)))
        names = ", ".join(f"{name} = c.{name}" for name in whole.column_names[1:])
        # Column names come from our own table, values by COPY.
        await tx.run(f"UPDATE assessment a SET {names} FROM changed_assessment c WHERE c.subject = a.subject")  # noqa: S608
        await tx.run("DROP TABLE changed_assessment")
    return table


async def find_assessment(tx: ReadTx, subject: UUID) -> Assessment | None:
    """The stored opinion of a person."""
    found = await tx.fetch(
        "SELECT subject, level, decision, as_of, strength, points, valid_months, reasons, evidence_ids, evidence_class,"
        " rule_set, assessed_on FROM assessment WHERE subject = $1",
        subject,
    )
    if not found:
        return None
    row = found[0]
    return Assessment(
        subject=row["subject"],
        level=Level(row["level"]),
        decision=Decision(row["decision"]),
        as_of=row["as_of"],
        strength=Strength(row["strength"]) if row["strength"] else None,
        points=row["points"],
        valid_months=row["valid_months"],
        reasons=tuple(row["reasons"]),
        evidence_ids=tuple(row["evidence_ids"]),
        evidence_class=tuple(row["evidence_class"]),
        rule_set=row["rule_set"],
        assessed_on=row["assessed_on"],
    )


async def count_decisions(tx: ReadTx) -> dict[str, int]:
    """People by decision."""
    found = await tx.fetch("SELECT decision, count(*) AS n FROM assessment GROUP BY decision")
    return {str(word): 0 for word in Decision} | {row["decision"]: row["n"] for row in found}


def shard_of(subject: UUID) -> int:
    """The shard a subject belongs to."""
    return subject.bytes[0] >> 4


def word_of(subject: UUID) -> Array:
    """A subject as a column of one."""
    return np.frombuffer(subject.bytes, dtype="S16")


def subjects_of(array: Array) -> list[UUID]:
    """Byte strings of 16 as UUIDs."""
    return [UUID(bytes=each.tobytes()) for each in columns.raw_subjects(array)]
