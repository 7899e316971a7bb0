"""Every message between services: its subject, who says it, and the exact shape of its body; one module a speaker.

An event is listed here once somebody says it and somebody hears it; until then it stands in its speaker's module only.
"""

from shared.contracts.events.base import EVIDENCE_IDS, SUBJECT, WORD, WORDS, Event, Fact, FactEvent, TableEvent
from shared.contracts.events.grid import CASE_CONCLUDED, VISIT_CONCLUDED, CaseConcluded, VisitConcluded
from shared.contracts.events.ingest import (
    BATCH_COMPLETED,
    CONTACTS_CHANGED,
    CORRECTION_CHANGED,
    ENROLMENTS_CHANGED,
    EVIDENCE_ACCEPTED,
    EVIDENCE_CORRECTED,
    HINTS_RECORDED,
    BatchCompleted,
    CorrectionChanged,
)
from shared.contracts.events.notify import (
    ENDPOINT_CHANGED,
    MESSAGE_DELIVERED,
    RECEIPT_RECORDED,
    EndpointChanged,
)
from shared.contracts.events.recognition import (
    CERTIFICATE_REVOKED,
    CERTIFICATES_ISSUED,
    CERTIFICATIONS_DUE,
    CORRECTION_REQUESTED,
    PARTNER_EVENTS_RECORDED,
    SUBSCRIPTION_CHANGED,
    CertificateRevoked,
    CorrectionRequested,
    SubscriptionChanged,
)
from shared.contracts.events.scoring import ASSESSMENTS_CHANGED, SUSPICION_RAISED

EVENTS: tuple[Event, ...] = (
    EVIDENCE_ACCEPTED,
    EVIDENCE_CORRECTED,
    HINTS_RECORDED,
    ENROLMENTS_CHANGED,
    CONTACTS_CHANGED,
    BATCH_COMPLETED,
    ASSESSMENTS_CHANGED,
    SUSPICION_RAISED,
    CERTIFICATES_ISSUED,
    CERTIFICATIONS_DUE,
    CERTIFICATE_REVOKED,
    VISIT_CONCLUDED,
    CASE_CONCLUDED,
    MESSAGE_DELIVERED,
    CORRECTION_CHANGED,
    CORRECTION_REQUESTED,
    PARTNER_EVENTS_RECORDED,
    SUBSCRIPTION_CHANGED,
    RECEIPT_RECORDED,
    ENDPOINT_CHANGED,
)
__all__ = [
    "ASSESSMENTS_CHANGED",
    "BATCH_COMPLETED",
    "CASE_CONCLUDED",
    "CERTIFICATES_ISSUED",
    "CERTIFICATE_REVOKED",
    "CERTIFICATIONS_DUE",
    "CONTACTS_CHANGED",
    "CORRECTION_CHANGED",
    "CORRECTION_REQUESTED",
    "ENDPOINT_CHANGED",
    "ENROLMENTS_CHANGED",
    "EVENTS",
    "EVIDENCE_ACCEPTED",
    "EVIDENCE_CORRECTED",
    "EVIDENCE_IDS",
    "HINTS_RECORDED",
    "MESSAGE_DELIVERED",
    "PARTNER_EVENTS_RECORDED",
    "RECEIPT_RECORDED",
    "SUBJECT",
    "SUBSCRIPTION_CHANGED",
    "SUSPICION_RAISED",
    "VISIT_CONCLUDED",
    "WORD",
    "WORDS",
    "BatchCompleted",
    "CaseConcluded",
    "CertificateRevoked",
    "CorrectionChanged",
    "CorrectionRequested",
    "EndpointChanged",
    "Event",
    "Fact",
    "FactEvent",
    "SubscriptionChanged",
    "TableEvent",
    "VisitConcluded",
]
