"""Forming all opinions of a shard anew: another day, another rule set, or only to see what a rule set would change."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from services.scoring.domain.assessment import assess
from services.scoring.domain.changes import Stored, difference, positions
from services.scoring.domain.opinions import DECISIONS, INSUFFICIENT, Opinions
from services.scoring.domain.signals import Origins, Signals, union
from services.scoring.domain.weighing import scale_of
from services.scoring.store import assessments, signals
from services.scoring.usecases.sweep import Means, Outcome, keep
from shared.kit.db import WriteTx


@dataclass(frozen=True, slots=True, kw_only=True)
class Reassessed:
    """What forming the opinions of a shard anew came to; `moves` counts people by decision before and after."""

    outcome: Outcome
    moves: Mapping[str, int]


async def reassess(tx: WriteTx, means: Means, shard: int, *, shadow: bool) -> Reassessed | None:
    """Form every opinion of a shard anew. None while another worker has the shard.

    Signals that wait for a sweep are not in it: their sweep follows, and ends in the same opinions.
    """
    head = await signals.lock_head(tx, shard)
    if head is None:
        return None
    blocks = await signals.list_blocks(tx, shard)
    origins = await signals.get_origins(tx)
    parts = await signals.read_blocks(tx, shard, blocks)
    runs = sorted({each.run for each in blocks})
    # Blocks of one run are in order already and need no merging.
    groups = parts if len(runs) == 1 else [await asyncio.to_thread(union, parts, origins)]
    stored = await assessments.stored_of(tx, shard, None)
    outcome, moves = await _judge_all(tx, means, groups, origins, stored, shadow=shadow)
    if shadow:
        return Reassessed(outcome=outcome, moves=moves)
    if len(runs) > 1:
        await signals.write_run(tx, shard, runs[-1] + 1, groups[0])
        await signals.delete_runs(tx, shard, runs)
    await signals.save_head(tx, replace(head, assessed_on=means.today, rule_set=means.rules.name))
    return Reassessed(outcome=outcome, moves=moves)


async def _judge_all(
    tx: WriteTx, means: Means, groups: list[Signals], origins: Origins, stored: Stored, *, shadow: bool
) -> tuple[Outcome, dict[str, int]]:
    scale = scale_of(means.rules, origins, means.today)
    total, moves = Outcome(), dict[str, int]()
    for group in groups:
        opinions = await asyncio.to_thread(assess, group, origins, scale)
        for move, people in _moves(opinions, stored).items():
            moves[move] = moves.get(move, 0) + people
        done = _compared(opinions, stored, group) if shadow else await keep(tx, means, opinions, stored)
        total = Outcome(
            signals=total.signals + len(group),
            people=total.people + done.people,
            changed=total.changed + done.changed,
            said=total.said + done.said,
            raised=total.raised + done.raised,
        )
    return total, moves


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
