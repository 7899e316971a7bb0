"""Forming opinions of a shard anew: another day, another rule set, or only to see what a rule set would change."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from services.scoring.domain.assessment import assess
from services.scoring.domain.changes import Stored, difference, positions
from services.scoring.domain.opinions import DECISIONS, INSUFFICIENT, Opinions
from services.scoring.domain.runs import cuts
from services.scoring.domain.signals import Array, Origins, Signals, union
from services.scoring.domain.weighing import Scale, scale_of
from services.scoring.store import assessments, signals
from services.scoring.store.signals import Block
from services.scoring.usecases.forming import Means, Outcome, keep
from shared.kit.db import WriteTx


@dataclass(frozen=True, slots=True, kw_only=True)
class Reassessed:
    """What forming the opinions of a shard anew came to; `moves` counts people by decision before and after."""

    outcome: Outcome
    moves: Mapping[str, int]


async def reassess(
    tx: WriteTx, means: Means, shard: int, *, shadow: bool, only: Array | None = None
) -> Reassessed | None:
    """Form every opinion of a shard anew, or those of `only` these sorted subjects. None while another has the shard.

    Signals that wait for a sweep are not in it: their sweep follows, and ends in the same opinions.
    """
    head = await signals.lock_head(tx, shard)
    if head is None:
        return None
    if not shadow:
        means = replace(means, now=await signals.next_instant(tx, shard, means.now))
    blocks = await signals.list_blocks(tx, shard)
    if only is not None:
        blocks = signals.blocks_with(blocks, only)
    runs = sorted({each.run for each in blocks})
    whole = only is None and not shadow
    merge = len(runs) > 1 and whole
    origins = await signals.get_origins(tx)
    scale = scale_of(means.rules, origins, means.today)
    stored = await assessments.stored_of(tx, shard, only)
    total, moves, written = Outcome(), Counter[str](), 0
    for low, high in _ranges(blocks, means.piece_rows):
        near = [each for each in blocks if each.meets(low, high)]
        parts = [each.between(low, high) for each in await signals.read_blocks(tx, shard, near)]
        piece, opinions = await asyncio.to_thread(_form, parts, origins, scale, only)
        moves.update(_moves(opinions, stored))
        done = keep(tx, means, opinions, stored, looked_at=len(piece)) if not shadow else None
        total = total.plus(await done if done else _compared(opinions, stored, piece))
        if merge:
            written = await signals.write_blocks(tx, shard, runs[-1] + 1, piece, after=written, rows=means.block_rows)
    if merge:
        await signals.delete_runs(tx, shard, runs)
    if whole:
        rules = means.rules
        held = replace(head, assessed_on=means.today, rule_set=rules.name, rules_digest=rules.digest)
        await signals.save_head(tx, held)
    return Reassessed(outcome=total, moves=moves)


def _ranges(blocks: Sequence[Block], rows: int) -> list[tuple[bytes, bytes | None]]:
    sizes: Counter[int] = Counter()
    for block in blocks:
        sizes[block.run] += block.rows
    largest = max(sizes, key=lambda run: sizes[run], default=0)
    share = sizes.total() / max(sizes[largest], 1)
    return cuts([(each.first, round(each.rows * share)) for each in blocks if each.run == largest], rows)


def _form(parts: list[Signals], origins: Origins, scale: Scale, only: Array | None) -> tuple[Signals, Opinions]:
    piece = union(parts if only is None else [each.take(only) for each in parts], origins)
    return piece, assess(piece, origins, scale)


def _compared(opinions: Opinions, stored: Stored, group: Signals) -> Outcome:
    differs = difference(opinions, opinions.digests(), stored)
    return Outcome(signals=len(group), people=len(opinions), changed=len(differs.changed), said=0)


def _moves(opinions: Opinions, stored: Stored) -> dict[str, int]:
    places = positions(opinions.subjects, stored.subjects)
    before = np.full(len(opinions), INSUFFICIENT)
    before[places >= 0] = stored.decision[places[places >= 0]]
    pairs, counts = np.unique(before * len(DECISIONS) + opinions.decision, return_counts=True)
    return {
        f"{DECISIONS[pair // len(DECISIONS)]}>{DECISIONS[pair % len(DECISIONS)]}": int(count)
        for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True)
    }
