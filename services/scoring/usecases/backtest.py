"""Trying a rule set on the past: month by month, beside known outcomes, on one or a few shards."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from services.scoring.domain.backtest import BacktestRow, Loss, added, backtest_row, delivered, losses_of, note_of
from services.scoring.domain.rules import RuleSet
from services.scoring.domain.signals import day_of, union
from services.scoring.domain.weighing import scale_of
from services.scoring.store import signals, suspicions
from services.scoring.store.assessments import shard_of
from shared.kit.db import ReadTx


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtest:
    """One row a day, and what to know of days before the first delivery."""

    rows: list[BacktestRow]
    note: str | None


async def backtest(
    tx: ReadTx,
    *,
    rules: RuleSet,
    days: Sequence[date],
    shards: Sequence[int],
    outcomes: Mapping[UUID, date] | None,
) -> Backtest:
    """What `rules` would have decided on past days.

    Without `outcomes` what people have confirmed is what is known; with them, they alone. A shard holds a sixteenth of
    the city, taken by a keyed hash, so that one is a fair sample.
    """
    rows: list[BacktestRow] = []
    firsts: list[date] = []
    undated = 0
    for shard in shards:
        lost = await suspicions.list_confirmed(tx, shard) if outcomes is None else _said(outcomes, shard)
        parts = await signals.read_shard(tx, shard)
        origins = await signals.get_origins(tx)
        known = await asyncio.to_thread(union, parts, origins)
        losses = losses_of(known, lost, origins, rules, whole=outcomes is not None)
        told, came_on = delivered(known, origins, await signals.list_arrivals(tx, shard))
        dated = came_on[came_on > 0]
        firsts += [day_of(dated.min())] if len(dated) else []
        undated += len(came_on) - len(dated)
        scales = [scale_of(rules, origins, day) for day in days]
        rows += [await asyncio.to_thread(backtest_row, told, came_on, origins, scale, losses) for scale in scales]
    return Backtest(rows=added(rows), note=note_of(days, min(firsts, default=None), undated))


def _said(outcomes: Mapping[UUID, date], shard: int) -> list[Loss]:
    here = ((subject, day) for subject, day in outcomes.items() if shard_of(subject) == shard)
    return [Loss(subject=subject.bytes, lost_on=day) for subject, day in here]
