"""Reassessments in the database: a request, and one row for the share of each shard."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import orjson

from services.scoring.domain.runs import RunState
from shared.kit.db import ReadTx, WriteTx


@dataclass(frozen=True, slots=True, kw_only=True)
class Reassessment:
    """A request to form opinions anew, and how far it is."""

    reassessment_id: UUID
    rule_set: str
    shadow: bool
    division: str | None
    assess_on: date
    requested_by: str
    requested_at: datetime
    cancelled_at: datetime | None
    shards: int
    finished: int
    people: int
    changed: int
    moves: Mapping[str, int]
    finished_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """The share of one shard that waits."""

    reassessment_id: UUID
    shard: int
    rule_set: str
    shadow: bool
    division: str | None
    assess_on: date


async def add(tx: WriteTx, request: Reassessment, shards: Sequence[int]) -> None:
    """Keep a request and queue its shards."""
    await tx.run(
        "INSERT INTO reassessment (reassessment_id, rule_set, shadow, division, assess_on, requested_by, requested_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7)",
        request.reassessment_id,
        request.rule_set,
        request.shadow,
        request.division,
        request.assess_on,
        request.requested_by,
        request.requested_at,
    )
    await tx.run(
        "INSERT INTO reassessment_shard (reassessment_id, shard, state) SELECT $1, unnest($2::int[]), 'queued'",
        request.reassessment_id,
        list(shards),
    )


_HOW_FAR = """
SELECT r.*, s.shards, s.finished, s.people, s.changed, s.finished_at, m.moves FROM reassessment r, LATERAL (
 SELECT count(*) AS shards, count(*) FILTER (WHERE state <> 'queued') AS finished, sum(people) AS people,
 sum(changed) AS changed, max(finished_at) AS finished_at FROM reassessment_shard s
 WHERE s.reassessment_id = r.reassessment_id) s, LATERAL (
 SELECT coalesce(jsonb_object_agg(key, people), '{}')::text AS moves FROM (
  SELECT m.key, sum(m.value::bigint) AS people FROM reassessment_shard s, jsonb_each_text(s.moves) m
  WHERE s.reassessment_id = r.reassessment_id GROUP BY m.key) m) m
"""


async def find(tx: ReadTx, reassessment_id: UUID) -> Reassessment | None:
    """A request and how far it is."""
    found = await tx.fetch(f"{_HOW_FAR} WHERE r.reassessment_id = $1", reassessment_id)
    return _reassessment(found[0]) if found else None


async def list_newest(tx: ReadTx, *, before: UUID | None, limit: int) -> list[Reassessment]:
    """Requests, the newest first; those asked for before this one, whose ids follow time."""
    found = await tx.fetch(
        f"{_HOW_FAR} WHERE $1::uuid IS NULL OR r.reassessment_id < $1 ORDER BY r.reassessment_id DESC LIMIT $2",
        before,
        limit,
    )
    return [_reassessment(each) for each in found]


def _reassessment(row: Mapping[str, Any]) -> Reassessment:
    return Reassessment(
        reassessment_id=row["reassessment_id"],
        rule_set=row["rule_set"],
        shadow=row["shadow"],
        division=row["division"],
        assess_on=row["assess_on"],
        requested_by=row["requested_by"],
        requested_at=row["requested_at"],
        cancelled_at=row["cancelled_at"],
        shards=row["shards"],
        finished=row["finished"],
        people=int(row["people"] or 0),
        changed=int(row["changed"] or 0),
        moves=orjson.loads(row["moves"]),
        finished_at=row["finished_at"],
    )


async def cancel(tx: WriteTx, reassessment_id: UUID, at: datetime) -> None:
    """Do not begin the shards that still wait; what is done stays done."""
    await tx.run(
        "UPDATE reassessment_shard SET state = 'cancelled', finished_at = $2"
        " WHERE reassessment_id = $1 AND state = 'queued'",
        reassessment_id,
        at,
    )
    await tx.run("UPDATE reassessment SET cancelled_at = $2 WHERE reassessment_id = $1", reassessment_id, at)


async def give_up(tx: WriteTx, share: Share, at: datetime) -> None:
    """Call off what cannot be done, one shard's share at a time: each worker then waits for no other's."""
    await tx.run(
        "UPDATE reassessment_shard SET state = 'cancelled', finished_at = $3 WHERE reassessment_id = $1 AND shard = $2",
        share.reassessment_id,
        share.shard,
        at,
    )
    await tx.run(
        "UPDATE reassessment SET cancelled_at = coalesce(cancelled_at, $2) WHERE reassessment_id = $1",
        share.reassessment_id,
        at,
    )


async def list_queued(tx: ReadTx) -> list[Share]:
    """Shares that wait, oldest request first."""
    found = await tx.fetch(
        "SELECT s.reassessment_id, s.shard, r.rule_set, r.shadow, r.division, r.assess_on FROM reassessment_shard s"
        " JOIN reassessment r USING (reassessment_id) WHERE s.state = 'queued' ORDER BY r.requested_at, s.shard"
    )
    return [
        Share(reassessment_id=row[0], shard=row[1], rule_set=row[2], shadow=row[3], division=row[4], assess_on=row[5])
        for row in found
    ]


async def lock_queued(tx: WriteTx, share: Share) -> bool:
    """Take a share; False when it was done or cancelled meanwhile."""
    found = await tx.fetch(
        "SELECT 1 FROM reassessment_shard WHERE reassessment_id = $1 AND shard = $2 AND state = 'queued' FOR UPDATE",
        share.reassessment_id,
        share.shard,
    )
    return bool(found)


async def finish(
    tx: WriteTx, share: Share, *, people: int, changed: int, moves: Mapping[str, int], at: datetime
) -> None:
    """Note what a share came to."""
    await tx.run(
        "UPDATE reassessment_shard SET state = $3, people = $4, changed = $5, moves = $6::text::jsonb,"
        " finished_at = $7 WHERE reassessment_id = $1 AND shard = $2",
        share.reassessment_id,
        share.shard,
        RunState.SUCCEEDED.value,
        people,
        changed,
        orjson.dumps(dict(moves)).decode(),
        at,
    )
