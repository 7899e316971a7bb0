"""What scoring says."""

import pyarrow as pa

from shared.contracts.events.base import EVIDENCE_IDS, SUBJECT, WORD, WORDS, TableEvent

ASSESSMENTS_CHANGED = TableEvent(
    name="scoring.assessments.changed.v1",
    doc="Scoring's opinion changed in level, decision or the month of as_of.",
    columns={
        "subject": SUBJECT,
        "level": WORD,  # Level
        "decision": WORD,  # Decision
        "as_of": pa.date32(),  # day of the newest evidence the decision rests on; null if insufficient
        "strength": WORD,  # strong | weak, of what it rests on; null if insufficient
        "valid_months": pa.int16(),  # cap of the rule set (weak-only passes), null = the program's cycle
        "points": pa.int16(),
        "reasons": WORDS,  # reason codes, e.g. strong_evidence, weak_combination, missing:departments:1
        "evidence_ids": EVIDENCE_IDS,
        "evidence_class": WORDS,  # departments' classes a citizen may read: medical, travel, in_person, ...
    },
    attributes={"rule_set": "code@version", "assessed_on": "business date"},
)

SUSPICION_RAISED = TableEvent(
    name="scoring.suspicion.raised.v1",
    doc="Someone may have lost eligibility: to be looked into by people. Repeated as evidence is added or taken back.",
    columns={
        "subject": SUBJECT,
        "suspicion_id": pa.binary(16),
        "kind": WORD,  # SuspicionKind
        "confidence": WORD,  # Confidence
        "event_on": pa.date32(),  # death, admission, ...; earliest when registers disagree
        "revision": pa.int32(),  # grows with evidence
        "evidence_ids": EVIDENCE_IDS,
        "sources": WORDS,
        "reasons": WORDS,
    },
    attributes={"rule_set": "code@version", "assessed_on": "business date"},
)
