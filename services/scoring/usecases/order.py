"""Ordering visits: the risk of many people at once, from their signals and what the caller knows of them."""

import asyncio
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import numpy as np

from services.scoring.domain.priority import Candidates, VisitRisks, visit_risks
from services.scoring.domain.rules import RuleSet
from services.scoring.domain.signals import Array, Origins, Signals, among, union
from services.scoring.domain.weighing import Scale, scale_of
from services.scoring.store import looks, signals
from services.scoring.store.assessments import subjects_of
from services.scoring.usecases.look import Looker
from shared.kit.db import WriteTx


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Asked:
    """Whose visits are to be ordered: distinct sorted subjects, and age (years) and sex (1 male) beside them or NaN."""

    subjects: Array
    age: Array
    male: Array

    def take(self, places: Array) -> "Asked":
        """Those at these places."""
        return Asked(subjects=self.subjects[places], age=self.age[places], male=self.male[places])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ordered:
    """The same people, the most urgent visit first, ties by subject; `reasons` are bits of `domain.priority`."""

    subjects: list[UUID]
    risk: Array
    reasons: Array


async def order_visits(tx: WriteTx, asked: Asked, *, rules: RuleSet, today: date, looker: Looker) -> Ordered:
    """The candidates, those first whom a visit most likely finds to have lost eligibility; the looks are noted."""
    everybody = subjects_of(asked.subjects)
    await looks.note_many(tx, everybody, client_id=looker.client_id, user=looker.user, what=looker.what)
    shards = asked.subjects.view(np.uint8).reshape(-1, 16)[:, 0] >> 4
    parts: list[VisitRisks] = []
    for shard in np.unique(shards).tolist():
        here = asked.take(np.flatnonzero(shards == shard))
        blocks = await signals.read_people(tx, shard, subjects_of(here.subjects))
        # After the blocks: they name no origin that is not known by then.
        origins = await signals.get_origins(tx)
        parts.append(await asyncio.to_thread(_risks, blocks, here, origins, scale_of(rules, origins, today)))
    risk = np.concatenate([part.risk for part in parts])
    reasons = np.concatenate([part.reasons for part in parts])
    order = np.argsort(-risk, kind="stable")
    return Ordered(subjects=subjects_of(asked.subjects[order]), risk=risk[order], reasons=reasons[order])


def _risks(parts: list[Signals], asked: Asked, origins: Origins, scale: Scale) -> VisitRisks:
    known = union([each.take(asked.subjects) for each in parts], origins)
    everyone = among(known, asked.subjects)
    return visit_risks(everyone, origins, scale, Candidates(age=asked.age, male=asked.male))
