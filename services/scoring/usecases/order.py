"""Ordering visits: the risk of many people at once, from their signals and what the caller knows of them."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from uuid import UUID

import numpy as np

from services.scoring.domain.priority import Candidate, VisitRisk, visit_risks
from services.scoring.domain.rules import RuleSet
from services.scoring.domain.signals import Array, Origins, Signals, union
from services.scoring.domain.weighing import Scale, scale_of
from services.scoring.store import signals
from services.scoring.store.assessments import shard_of, subjects_of
from shared.kit.db import ReadTx


async def order_visits(
    tx: ReadTx, candidates: Mapping[UUID, Candidate], *, rules: RuleSet, today: date
) -> list[tuple[UUID, VisitRisk]]:
    """The candidates, those first whom a visit most likely finds to have lost eligibility; ties by subject."""
    shards: dict[int, list[UUID]] = defaultdict(list)
    for subject in candidates:
        shards[shard_of(subject)].append(subject)
    found: list[tuple[UUID, VisitRisk]] = []
    for shard, subjects in shards.items():
        words = np.sort(np.frombuffer(b"".join(each.bytes for each in subjects), dtype="S16"))
        parts = await signals.read_people(tx, shard, subjects)
        # After the blocks: they name no origin that is not known by then.
        origins = await signals.get_origins(tx)
        scale = scale_of(rules, origins, today)
        found += await asyncio.to_thread(_risks, parts, words, origins, scale, candidates)
    return sorted(found, key=lambda each: (-each[1].risk, each[0]))


def _risks(
    parts: list[Signals], words: Array, origins: Origins, scale: Scale, candidates: Mapping[UUID, Candidate]
) -> list[tuple[UUID, VisitRisk]]:
    known = union([each.take(words) for each in parts], origins)
    # People whom nobody ever saw have no signals: they stand in the same table with none.
    places = np.searchsorted(known.subjects, words)
    counts = np.zeros(len(words), dtype=np.int64)
    here = np.isin(words, known.subjects)
    counts[here] = np.diff(known.starts)[places[here]]
    everyone = replace(known, subjects=words, starts=np.concatenate(([0], np.cumsum(counts))))
    subjects = subjects_of(words)
    risks = visit_risks(everyone, origins, scale, [candidates[subject] for subject in subjects])
    return list(zip(subjects, risks, strict=True))
