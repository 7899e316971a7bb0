"""Signals in the database: segments as heard, runs of sorted blocks as swept, and the row a sweeping worker locks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import numpy as np

from services.scoring.domain.runs import Waiting
from services.scoring.domain.signals import Array, Origin, Origins, Signals, origins_of
from services.scoring.store import columns
from shared.kit.db import ReadTx, WriteTx


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What is known of a shard as a whole."""

    shard: int
    heard_at: datetime | None
    assessed_on: date | None
    rule_set: str | None
    rules_digest: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSegment:
    """Signals of a message, about to be kept."""

    shard: int
    rows: int
    urgent: bool
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Signals as they were heard."""

    seq: int
    body: bytes
    heard_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Where a part of a run lies and whom it holds, without its body."""

    run: int
    block: int
    first: bytes
    last: bytes
    rows: int

    def meets(self, low: bytes, high: bytes | None) -> bool:
        """Whether it may hold people from `low` on and before `high`."""
        return self.last >= low and (high is None or self.first < high)


# ---- segments --------------------------------------------------------------------------------------------------------


async def append(tx: WriteTx, heard: Sequence[NewSegment]) -> None:
    """Keep signals as they were heard until the next sweep of their shards."""
    if not heard:
        return
    await tx.run(
        "INSERT INTO signal_segment (shard, rows, urgent, body)"
        " SELECT * FROM unnest($1::smallint[], $2::int[], $3::bool[], $4::bytea[])",
        [each.shard for each in heard],
        [each.rows for each in heard],
        [each.urgent for each in heard],
        [each.body for each in heard],
    )


async def list_waiting(tx: ReadTx) -> list[Waiting]:
    """Shards with signals that wait for a sweep."""
    found = await tx.fetch(
        "SELECT shard, sum(rows) AS rows, min(heard_at) AS oldest, max(heard_at) AS newest,"
        " min(heard_at) FILTER (WHERE urgent) AS urgent, (SELECT heard_at FROM shard_head h WHERE h.shard = s.shard)"
        " AS heard, clock_timestamp() AS now FROM signal_segment s GROUP BY shard"
    )
    return [
        Waiting(
            shard=row["shard"],
            rows=int(row["rows"]),
            oldest_at=row["oldest"],
            newest_at=row["newest"],
            urgent_at=row["urgent"],
            heard_at=row["heard"],
            now=row["now"],
        )
        for row in found
    ]


async def count_waiting(tx: ReadTx) -> int:
    """Segments that wait for a sweep."""
    return int((await tx.fetch("SELECT count(*) AS n FROM signal_segment"))[0]["n"])


async def list_segments(tx: ReadTx, shard: int, *, urgent_only: bool, rows: int) -> list[Segment]:
    """The oldest segments of a shard, at least one, until they hold `rows` signals."""
    found = await tx.fetch(
        "SELECT s.seq, s.body, s.heard_at FROM (SELECT seq, sum(rows) OVER (ORDER BY seq) - rows AS before"
        " FROM signal_segment WHERE shard = $1 AND (urgent OR NOT $2)) w"
        " JOIN signal_segment s ON s.shard = $1 AND s.seq = w.seq WHERE w.before < $3 ORDER BY s.seq",
        shard,
        urgent_only,
        rows,
    )
    return [Segment(seq=row["seq"], body=row["body"], heard_at=row["heard_at"]) for row in found]


async def delete_segments(tx: WriteTx, shard: int, segments: Sequence[Segment]) -> None:
    """Forget segments whose signals are in a run now."""
    seqs = [each.seq for each in segments]
    await tx.run("DELETE FROM signal_segment WHERE shard = $1 AND seq = ANY($2::bigint[])", shard, seqs)


# ---- origins ---------------------------------------------------------------------------------------------------------


async def note_arrivals(tx: WriteTx, shard: int, arrivals: Mapping[int, date]) -> None:
    """Keep on which day batches came; a batch comes once, whatever is heard of it later."""
    if arrivals:
        await tx.run(
            "INSERT INTO arrival (shard, batch, received_on) SELECT $1, * FROM unnest($2::int[], $3::date[])"
            " ON CONFLICT DO NOTHING",
            shard,
            list(arrivals),
            list(arrivals.values()),
        )


async def list_arrivals(tx: ReadTx, shard: int) -> dict[int, date]:
    """On which day batches came, by number."""
    found = await tx.fetch("SELECT batch, received_on FROM arrival WHERE shard = $1", shard)
    return {row["batch"]: row["received_on"] for row in found}


async def get_origins(tx: ReadTx) -> Origins:
    """All known origins."""
    found = await tx.fetch("SELECT source, department, strong, candidates FROM origin ORDER BY number")
    return origins_of([Origin(source=row[0], department=row[1], strong=row[2], candidates=row[3]) for row in found])


async def add_origins(tx: WriteTx, wanted: Sequence[Origin]) -> Origins:
    """All known origins, with those in `wanted` that were new."""
    known = await get_origins(tx)
    if set(wanted) <= set(known.items):
        return known
    # Two sweeps that meet a new source at once must not give its number to different ones.
    await tx.run("LOCK TABLE origin IN SHARE ROW EXCLUSIVE MODE")
    known = await get_origins(tx)
    new = [each for each in dict.fromkeys(wanted) if each not in known.items]
    for number, each in enumerate(new, start=len(known)):
        await tx.run(
            "INSERT INTO origin (number, source, department, strong, candidates) VALUES ($1, $2, $3, $4, $5)",
            number,
            each.source,
            each.department,
            each.strong,
            each.candidates,
        )
    return origins_of([*known.items, *new])


# ---- blocks ----------------------------------------------------------------------------------------------------------


async def list_blocks(tx: ReadTx, shard: int) -> list[Block]:
    """All blocks of a shard."""
    found = await tx.fetch(
        "SELECT run, block, first_subject, last_subject, rows FROM signal_block WHERE shard = $1 ORDER BY run, block",
        shard,
    )
    return [Block(run=row[0], block=row[1], first=row[2].bytes, last=row[3].bytes, rows=row[4]) for row in found]


async def read_blocks(tx: ReadTx, shard: int, blocks: Sequence[Block]) -> list[Signals]:
    """The signals in blocks."""
    found = await tx.fetch(
        "SELECT b.body FROM unnest($2::bigint[], $3::int[]) AS w (run, block)"
        " JOIN signal_block b ON b.shard = $1 AND b.run = w.run AND b.block = w.block ORDER BY b.run, b.block",
        shard,
        [each.run for each in blocks],
        [each.block for each in blocks],
    )
    return [columns.read_block(row["body"]) for row in found]


async def read_people(tx: ReadTx, shard: int, subjects: Sequence[UUID]) -> list[Signals]:
    """The blocks that may hold these people, in one statement: a merge beside it moves signals to other blocks."""
    found = await tx.fetch(
        "SELECT body FROM signal_block b WHERE shard = $1 AND EXISTS (SELECT FROM unnest($2::uuid[]) AS w (subject)"
        " WHERE w.subject BETWEEN b.first_subject AND b.last_subject) ORDER BY run, block",
        shard,
        list(subjects),
    )
    return [columns.read_block(row["body"]) for row in found]


async def read_shard(tx: ReadTx, shard: int) -> list[Signals]:
    """All blocks of a shard, in one statement."""
    found = await tx.fetch("SELECT body FROM signal_block WHERE shard = $1 ORDER BY run, block", shard)
    return [columns.read_block(row["body"]) for row in found]


def blocks_with(blocks: Sequence[Block], subjects: Array) -> list[Block]:
    """Blocks that may hold one of the sorted subjects."""
    if not len(subjects) or not blocks:
        return []
    first = np.searchsorted(subjects, np.asarray([each.first for each in blocks], dtype="S16"), side="left")
    last = np.searchsorted(subjects, np.asarray([each.last for each in blocks], dtype="S16"), side="right")
    return [each for each, some in zip(blocks, (last > first).tolist(), strict=True) if some]


async def write_blocks(tx: WriteTx, shard: int, run: int, signals: Signals, *, after: int, rows: int) -> int:
    """Keep signals as blocks of about `rows`, behind `after` blocks of a run. Returns how many it has now."""
    driver = await tx.driver()
    blocks = []
    for number, piece in enumerate(signals.pieces(rows), start=after):
        ends = columns.raw_subjects(piece.subjects[[0, -1]])
        first, last = (UUID(bytes=each.tobytes()) for each in ends)
        blocks.append((shard, run, number, first, last, piece.people, len(piece), columns.write_block(piece)))
    await driver.executemany(
        "INSERT INTO signal_block (shard, run, block, first_subject, last_subject, people, rows, body)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        blocks,
    )
    return after + len(blocks)


async def delete_runs(tx: WriteTx, shard: int, runs: Sequence[int]) -> None:
    """Forget runs that were merged into another."""
    await tx.run("DELETE FROM signal_block WHERE shard = $1 AND run = ANY($2::bigint[])", shard, list(runs))


# ---- heads -----------------------------------------------------------------------------------------------------------


async def ensure_heads(tx: WriteTx) -> None:
    """Make the rows that workers lock."""
    await tx.run("INSERT INTO shard_head (shard) SELECT generate_series(0, 15) ON CONFLICT DO NOTHING")


_HEAD = "SELECT shard, heard_at, assessed_on, rule_set, rules_digest FROM shard_head"


async def list_heads(tx: ReadTx) -> list[Head]:
    """All shards."""
    return [Head(**row) for row in await tx.fetch(f"{_HEAD} ORDER BY shard")]


async def lock_head(tx: WriteTx, shard: int) -> Head | None:
    """Take a shard for this transaction; None while another worker has it."""
    found = await tx.fetch(f"{_HEAD} WHERE shard = $1 FOR UPDATE SKIP LOCKED", shard)
    return Head(**found[0]) if found else None


async def await_head(tx: WriteTx, shard: int) -> None:
    """Take a shard for this transaction as soon as no worker has it."""
    await tx.fetch("SELECT FROM shard_head WHERE shard = $1 FOR UPDATE", shard)


async def next_instant(tx: WriteTx, shard: int, now: datetime) -> datetime:
    """When what a shard says now is said: after all that it has said, whatever became of the clock.

    Who hears it keeps the newest word, of two at one instant that with the later id. One said under a clock that ran
    ahead, by a jump or in another process, would outweigh each later one: a death found since would begin no review.
    Ids are made by the clock, too: they decide nothing between two words of one shard.
    """
    said = await tx.fetch(
        "UPDATE shard_head SET said_at = greatest($2, said_at + interval '1 microsecond') WHERE shard = $1 "
        "RETURNING said_at",
        shard,
        now,
    )
    instant: datetime = said[0]["said_at"]
    return instant


async def save_head(tx: WriteTx, head: Head) -> None:
    """Note until when a shard was heard, and for which day and rules its opinions hold."""
    await tx.run(
        "UPDATE shard_head SET heard_at = greatest(heard_at, $2), assessed_on = $3, rule_set = $4, rules_digest = $5"
        " WHERE shard = $1",
        head.shard,
        head.heard_at,
        head.assessed_on,
        head.rule_set,
        head.rules_digest,
    )


async def count_signals(tx: ReadTx) -> int:
    """Signals kept, swept or not; one that came twice counts once it is merged."""
    found = await tx.fetch(
        "SELECT coalesce((SELECT sum(rows) FROM signal_block), 0) + coalesce((SELECT sum(rows) FROM signal_segment), 0)"
        " AS n"
    )
    return int(found[0]["n"])
