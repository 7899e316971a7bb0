"""The sweep: take what a shard has heard, form the opinions it changes, and merge it into what is known."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from services.scoring.domain.assessment import assess
from services.scoring.domain.changes import Work, divide
from services.scoring.domain.opinions import Opinions, concatenated
from services.scoring.domain.runs import cuts, runs_to_fold
from services.scoring.domain.signals import BY_PEOPLE, Array, Kind, Origins, Signals, from_rows, union
from services.scoring.domain.weighing import Scale, scale_of
from services.scoring.store import assessments, columns, signals
from services.scoring.store.signals import Block, Segment
from services.scoring.usecases.forming import Heard, Means, Outcome, keep
from shared.kit.db import WriteTx

_DECODED_ROWS = 250_000


async def sweep(tx: WriteTx, means: Means, shard: int, *, urgent_only: bool = False) -> Outcome | None:
    """Take what a shard has heard, or only messages with negatives. None while another worker has the shard."""
    head = await signals.lock_head(tx, shard)
    if head is None:
        return None
    taken = await signals.list_segments(tx, shard, urgent_only=urgent_only, rows=means.rows)
    if not taken:
        return Outcome()
    means = replace(means, now=await signals.next_instant(tx, shard, means.now))
    new, origins, arrivals = await _heard(tx, taken)
    outcome = await _take_in(tx, means, shard, new, origins)
    await signals.note_arrivals(tx, shard, arrivals)
    await signals.delete_segments(tx, shard, taken)
    fresh = head.assessed_on is None
    await signals.save_head(
        tx,
        replace(
            head,
            heard_at=max(each.heard_at for each in taken),
            assessed_on=means.today if fresh else head.assessed_on,
            rule_set=means.rules.name if fresh else head.rule_set,
            rules_digest=means.rules.digest if fresh else head.rules_digest,
        ),
    )
    return replace(outcome, signals=len(new), more=len(new) >= means.rows)


async def _heard(tx: WriteTx, taken: Sequence[Segment]) -> tuple[Signals, Origins, dict[int, date]]:
    said = [columns.origin_of(each.body) for each in taken]
    origins = await signals.add_origins(tx, said)
    numbers = {origin: number for number, origin in enumerate(origins.items)}
    new, arrivals = await asyncio.to_thread(_decoded, taken, [numbers[each] for each in said], origins)
    return new, origins, arrivals


def _decoded(taken: Sequence[Segment], numbers: Sequence[int], origins: Origins) -> tuple[Signals, dict[int, date]]:
    """The signals in segments and when batches came; a few at a time, so that rows never lie in memory all at once."""
    parts, rows, waiting = [], [], 0
    arrivals: dict[int, date] = {}
    for segment, number in zip(taken, numbers, strict=True):
        heard = columns.read_message(segment.body)
        arrivals = heard.late() | arrivals
        rows.append(columns.at_origin(heard.rows, number))
        waiting += len(rows[-1].day)
        if waiting >= _DECODED_ROWS:
            parts.append(from_rows(rows, origins))
            rows, waiting = [], 0
    return union([*parts, from_rows(rows, origins)], origins), arrivals


async def _take_in(tx: WriteTx, means: Means, shard: int, new: Signals, origins: Origins) -> Outcome:
    """Form the opinions that new signals change and merge them into a run, one range of people after the other."""
    scale = scale_of(means.rules, origins, means.today)
    stored = await assessments.stored_of(tx, shard, new.subjects)
    work = divide(new, stored, scale)
    plan = _planned(await signals.list_blocks(tx, shard), new, work)
    outcome, written = Outcome(), 0
    for low, high in cuts(_sizes(new, plan.read, means.block_rows), means.piece_rows):
        near = [each for each in plan.read if each.meets(low, high)]
        older = [each.between(low, high) for each in await signals.read_blocks(tx, shard, near)]
        folded = [part for block, part in zip(near, older, strict=True) if block.run in plan.fold]
        piece = new.between(low, high)
        opinions = await asyncio.to_thread(_form, piece, older, origins, scale, work)
        heard = Heard(concluded=_concluded(piece, origins), taken_back=_taken_back(piece))
        outcome = outcome.plus(await keep(tx, means, opinions, stored, heard=heard))
        merged = await asyncio.to_thread(union, [piece, *folded], origins)
        written = await signals.write_blocks(tx, shard, plan.run, merged, after=written, rows=means.block_rows)
    if plan.fold:
        await signals.delete_runs(tx, shard, plan.fold)
    return outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """Blocks to read in the order of their runs, runs to fold into the new one, and its number."""

    read: list[Block]
    fold: list[int]
    run: int


def _planned(blocks: Sequence[Block], new: Signals, work: Work) -> _Plan:
    sizes: dict[int, int] = {}
    for block in blocks:
        sizes[block.run] = sizes.get(block.run, 0) + block.rows
    fold = runs_to_fold(len(new), list(sizes.items()))
    needed = set(signals.blocks_with(blocks, work.whole))
    read = [each for each in blocks if each.run in fold or each in needed]
    return _Plan(read=read, fold=fold, run=max(sizes, default=0) + 1)


def _sizes(new: Signals, read: Sequence[Block], rows: int) -> list[tuple[bytes, int]]:
    """Where signals lie among the subjects: by the blocks of the largest run to read, or by the new ones themselves."""
    total = len(new) + sum(each.rows for each in read)
    largest = max((each.run for each in read), key=lambda run: sum(b.rows for b in read if b.run == run), default=None)
    marks = [(each.first, each.rows) for each in read if each.run == largest]
    if sum(size for _, size in marks) < len(new):
        marks = [(piece.subjects[0].item(), len(piece)) for piece in new.pieces(rows)]
    share = total / max(sum(size for _, size in marks), 1)
    return [(subject, round(size * share)) for subject, size in marks]


def _concluded(new: Signals, origins: Origins) -> Array:
    """Subjects of whom people have concluded something."""
    by_people = np.asarray([each.source in BY_PEOPLE for each in origins.items], dtype=bool)
    return _of_rows(new, by_people[new.origin])


def _taken_back(new: Signals) -> Array:
    """Subjects of whom a department has taken evidence back."""
    return _of_rows(new, new.kind == Kind.TAKEN_BACK)


def _of_rows(new: Signals, chosen: Array) -> Array:
    return new.subjects[np.unique(np.searchsorted(new.starts, np.flatnonzero(chosen), side="right") - 1)]


def _form(new: Signals, older: list[Signals], origins: Origins, scale: Scale, work: Work) -> Opinions:
    whole = union([each.take(work.whole) for each in (*older, new)], origins)
    return concatenated([assess(new.take(work.own), origins, scale), assess(whole, origins, scale)])
