"""Schema of recognition, a module a topic. Bulk tables start with the subject, so that they can be spread by it."""

from services.recognition.tables import (
    certificates,
    clients,
    decisions,
    enrolments,
    jobs,
    notices,
    overpayments,
    partners,
    payments,
    places,
    runs,
    seals,
    usage,
)
from services.recognition.tables.base import METADATA
from shared.kit.inbox import dead_letter_table, inbox_table
from shared.kit.outbox import outbox_table

outbox_table(METADATA)
inbox_table(METADATA)
dead_letter_table(METADATA)

__all__ = [
    "METADATA",
    "certificates",
    "clients",
    "decisions",
    "enrolments",
    "jobs",
    "notices",
    "overpayments",
    "partners",
    "payments",
    "places",
    "runs",
    "seals",
    "usage",
]
