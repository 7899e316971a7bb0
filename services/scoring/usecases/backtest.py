"""Trying a rule set on the past: month by month, beside known outcomes, on one or a few shards."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import date
from uuid import UUID

import numpy as np

from services.scoring.domain.backtest import BacktestRow, added, backtest_row
from services.scoring.domain.rules import RuleSet
from services.scoring.domain.signals import Array, Signals, day_number, union
from services.scoring.domain.weighing import scale_of
from services.scoring.store import looks, signals, suspicions
from services.scoring.store.assessments import word_of
from services.scoring.usecases.look import Looker
from shared.kit.db import ReadTx, WriteTx


async def note_outcomes(tx: WriteTx, outcomes: Mapping[UUID, date], looker: Looker) -> None:
    """Note whose outcomes somebody holds the rules against."""
    await looks.note_many(tx, list(outcomes), client_id=looker.client_id, user=looker.user, what=looker.what)


async def backtest(
    tx: ReadTx,
    *,
    rules: RuleSet,
    days: Sequence[date],
    shards: Sequence[int],
    outcomes: Mapping[UUID, date] | None,
) -> list[BacktestRow]:
    """What `rules` would have decided on past days.

    Without `outcomes` the deaths that people have confirmed are what is known; with them, they alone. A shard holds a
    sixteenth of the city, taken by a keyed hash, so that one is a fair sample.
    """
    rows: list[BacktestRow] = []
    for shard in shards:
        lost = await suspicions.list_confirmed(tx, shard) if outcomes is None else outcomes
        parts = await signals.read_shard(tx, shard)
        origins = await signals.get_origins(tx)
        known = await asyncio.to_thread(union, parts, origins)
        lost_on = _aligned(known, lost)
        scales = [scale_of(rules, origins, day) for day in days]
        rows += [await asyncio.to_thread(backtest_row, known, origins, scale, lost_on) for scale in scales]
    return added(rows)


def _aligned(known: Signals, lost: Mapping[UUID, date]) -> Array:
    """The day number of each person's loss, 0 for none."""
    days = np.zeros(known.people, dtype=np.int64)
    for subject, day in lost.items():
        place = int(np.searchsorted(known.subjects, word_of(subject))[0])
        if place < known.people and known.subjects[place] == word_of(subject)[0]:
            days[place] = day_number(day)
    return days
