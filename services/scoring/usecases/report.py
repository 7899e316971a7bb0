"""Counting: what an operator asks first."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.scoring.store import assessments, signals, suspicions
from shared.contracts.vocabulary import Decision
from shared.kit.db import ReadTx


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Signals, people by decision, open suspicions by kind."""

    signals: int
    assessments: int
    certifiable: int
    insufficient: int
    suspected: int
    suspicions_open: Mapping[str, int]


async def figures(tx: ReadTx) -> Figures:
    """The counts of now."""
    people = await assessments.count_decisions(tx)
    return Figures(
        signals=await signals.count_signals(tx),
        assessments=sum(people.values()),
        certifiable=people[Decision.CERTIFIABLE],
        insufficient=people[Decision.INSUFFICIENT],
        suspected=people[Decision.SUSPECTED],
        suspicions_open=await suspicions.count_open(tx),
    )
