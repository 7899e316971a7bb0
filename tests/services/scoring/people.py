"""People and their signals in words, for tests of scoring."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from hashlib import blake2b
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa

from services.scoring import policies
from services.scoring.domain.assessment import assess
from services.scoring.domain.opinions import DECISIONS, LEVELS, STRENGTHS, Opinions
from services.scoring.domain.rules import RuleSet
from services.scoring.domain.signals import (
    Kind,
    Origin,
    Rows,
    Signals,
    day_number,
    day_of,
    from_rows,
    origins_of,
    subject_words,
)
from services.scoring.domain.suspicions import consequence
from services.scoring.domain.weighing import scale_of
from shared.contracts.events import EVIDENCE_ACCEPTED, EVIDENCE_CORRECTED, HINTS_RECORDED
from shared.contracts.vocabulary import CaseConclusion, EvidenceKind, SuspicionKind
from shared.kit import arrow

TODAY = date(2023, 11, 1)
WEAK = {
    "transport_bus_card": "transport",
    "medins_pharmacy": "medins",
    "medins_outpatient": "medins",
    "hrss_card_consume": "hrss",
    "bank_self_service": "bank",
    "telecom_activity": "telecom",
    "tax_medins_pay": "tax",
}
STRONG = {
    "hrss_face_auth": "hrss",
    "medins_inpatient": "medins",
    "health_inpatient_emr": "health",
    "police_hotel": "police",
    "rail_trip": "rail",
    "justice_community_corr": "justice",
    "police_hukou_cancel": "police",
    "civil_cremation": "civil",
    "health_death_cert": "health",
    "prison_custody": "prison",
    "court_judgment": "court",
    "case_conclusion": "grid",
    "stop_request": "family",
    "evidence_correction": "police",
}
ORIGINS = origins_of(
    [Origin(source=source, department=department, strong=False) for source, department in WEAK.items()]
    + [Origin(source=source, department=department, strong=True) for source, department in STRONG.items()]
    + [Origin(source="civil_cremation", department="civil", strong=True, candidates=number) for number in (2, 5)]
)
NUMBER: dict[str, int] = {}
for _number, _origin in enumerate(ORIGINS.items):
    NUMBER.setdefault(_origin.source, _number)
NUMBER |= {f"civil_cremation/{origin.candidates}": number for number, origin in enumerate(ORIGINS.items)
           if origin.candidates > 1}  # fmt: skip
FIRST: RuleSet = policies.load()[0]
RULES: RuleSet = policies.in_force(policies.load(), "standard", TODAY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Saw:
    """One signal in words."""

    who: str = "a"
    source: str
    on: date
    kind: Kind = Kind.SEEN
    full: bool = True
    evidence: int = 0


def subject_of(who: str, *, shard: int = 0) -> UUID:
    """A subject for a name, in a shard."""
    raw = bytearray(blake2b(who.encode(), digest_size=16).digest())
    raw[0] = shard << 4 | raw[0] & 15
    return UUID(bytes=bytes(raw))


def rows_of(saws: Sequence[Saw]) -> Rows:
    """Signals in words as arriving rows."""
    raw = b"".join(subject_of(saw.who).bytes for saw in saws)
    return Rows(
        subjects=subject_words(np.frombuffer(raw, dtype=np.uint8).reshape(-1, 16)),
        origin=np.asarray([NUMBER[saw.source] for saw in saws], dtype=np.uint16),
        day=np.asarray([day_number(saw.on) for saw in saws], dtype=np.uint16),
        kind=np.asarray([saw.kind for saw in saws], dtype=np.uint8),
        full=np.asarray([saw.full for saw in saws], dtype=bool),
        evidence=np.asarray([saw.evidence for saw in saws], dtype=np.int64),
    )


def signals_of(saws: Iterable[Saw]) -> Signals:
    """Signals in words as signals; evidence ids are given in order where there are none."""
    numbered = [saw if saw.evidence else replace(saw, evidence=place + 1) for place, saw in enumerate(saws)]
    return from_rows([rows_of(numbered)], ORIGINS)


def concluded(
    kind: SuspicionKind, conclusion: CaseConclusion, on: date, who: str = "a", *, said: date | None = None
) -> list[Saw]:
    """The facts that follow from a conclusion of people, about a day; `said` on which they concluded it."""
    follows = consequence(kind, conclusion)
    if follows is None:
        return []
    facts = [(on, fact) for fact in (*follows.refuted, *follows.found)]
    facts += [(said or on, fact) for fact in follows.explained]
    at = -day_number(said) if said else 0
    return [Saw(who=who, source="case_conclusion", on=day, kind=fact, evidence=at) for day, fact in facts]


def opinions_of(saws: Iterable[Saw], *, today: date = TODAY, rules: RuleSet = RULES) -> Opinions:
    """Opinions on signals in words."""
    return assess(signals_of(saws), ORIGINS, scale_of(rules, ORIGINS, today))


def in_words(opinions: Opinions, person: int = 0) -> dict[str, Any]:
    """One opinion as a readable value."""
    as_of = int(opinions.as_of[person])
    return {
        "level": LEVELS[int(opinions.level[person])].value,
        "decision": DECISIONS[int(opinions.decision[person])].value,
        "strength": STRENGTHS[int(opinions.strength[person])],
        "as_of": day_of(as_of) if as_of else None,
        "points": int(opinions.points[person]),
        "valid_months": int(opinions.valid_months[person]) or None,
        "reasons": opinions.reasons_of(person),
        "evidence": opinions.evidence.of(person).tolist(),
        "suspicions": opinions.suspicions.get(person, ()),
    }


def by_subject(opinions: Opinions) -> dict[bytes, dict[str, Any]]:
    """All opinions as readable values, by subject."""
    raw = opinions.subjects.view(np.uint8).reshape(-1, 16)
    return {raw[person].tobytes(): in_words(opinions, person) for person in range(len(opinions))}


def message_of(saws: Sequence[Saw], *, shard: int = 0, received_on: date | None = None) -> bytes:
    """The body of an evidence message: all saws of one source, by default received on the day of the newest."""
    received_on = received_on or max(saw.on for saw in saws)
    source = saws[0].source
    number = NUMBER[source]
    table = pa.table(
        {
            "subject": pa.array([subject_of(saw.who, shard=shard).bytes for saw in saws], pa.binary(16)),
            "occurred_on": pa.array([saw.on for saw in saws], pa.date32()),
            "kind": pa.array([EvidenceKind[saw.kind.name].value for saw in saws]),
            "polarity": pa.array(["positive" if saw.kind is Kind.SEEN else "negative" for saw in saws]),
            "identity": pa.array(["full" if saw.full else "id_only" for saw in saws]),
            "evidence_id": pa.array([saw.evidence for saw in saws], pa.int64()),
        }
    )
    attributes = {
        "source": source,
        "department": ORIGINS.items[number].department,
        "strength": "strong" if ORIGINS.items[number].strong else "weak",
        "received_at": f"{received_on.isoformat()}T04:00:00+00:00",
    }
    return arrow.encode(arrow.conform(EVIDENCE_ACCEPTED, table, attributes))


def correction_of(saws: Sequence[Saw], *, shard: int = 0, on: date = TODAY) -> pa.Table:
    """A message that takes back what these saws said, all of one source."""
    table = pa.table(
        {
            "subject": pa.array([subject_of(saw.who, shard=shard).bytes for saw in saws], pa.binary(16)),
            "occurred_on": pa.array([saw.on for saw in saws], pa.date32()),
            "kind": pa.array([saw.kind.name.lower() for saw in saws]),
            "polarity": pa.array(["positive" if saw.kind is Kind.SEEN else "negative" for saw in saws]),
            "evidence_id": pa.array([saw.evidence for saw in saws], pa.int64()),
        }
    )
    attributes = {
        "source": saws[0].source,
        "department": ORIGINS.items[NUMBER[saws[0].source]].department,
        "reason": "entered for the wrong person",
        "corrected_at": f"{on.isoformat()}T00:00:00+00:00",
    }
    return arrow.conform(EVIDENCE_CORRECTED, table, attributes)


def hint_of(people: Sequence[str], *, on: date, evidence: int, kind: str = "died", shard: int = 0) -> pa.Table:
    """A message of one record without a number, and the people it may mean."""
    rows = len(people)
    table = pa.table(
        {
            "subject": pa.array([subject_of(who, shard=shard).bytes for who in people], pa.binary(16)),
            "hint_id": pa.array([bytes(16)] * rows, pa.binary(16)),
            "occurred_on": pa.array([on] * rows, pa.date32()),
            "kind": pa.array([kind] * rows),
            "candidates": pa.array([rows] * rows, pa.int16()),
            "evidence_id": pa.array([evidence] * rows, pa.int64()),
        }
    )
    attributes = {"source": "civil_cremation", "department": "civil", "received_at": "2023-11-01T00:00:00+00:00"}
    return arrow.conform(HINTS_RECORDED, table, attributes)
