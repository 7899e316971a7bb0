"""What notify says."""

from datetime import datetime
from uuid import UUID

import pyarrow as pa

from shared.contracts.events.base import SUBJECT, WORD, Fact, FactEvent, TableEvent
from shared.contracts.vocabulary import SubscriptionStatus

MESSAGE_DELIVERED = TableEvent(
    name="notify.message.delivered.v1",
    doc="Messages that reached their channel's end: the proof that someone was told. A legal notice in the inbox has "
    "once its person has looked at it.",
    columns={
        "subject": SUBJECT,
        "message_id": pa.binary(16),
        "about": pa.binary(16),  # notice or event it told of; null for a merged message
        "template": WORD,
        "channel": WORD,
        "delivered_at": pa.timestamp("us", "UTC"),
    },
    attributes={},
    added=frozenset({"about"}),
)

MESSAGE_FAILED = TableEvent(
    name="notify.message.failed.v1",
    doc="Attempts that reached nobody; the proof that someone was tried. A letter nobody has brought is none.",
    columns={
        "subject": SUBJECT,
        "message_id": pa.binary(16),
        "about": pa.binary(16),  # notice or event it told of; null for a merged message
        "template": WORD,
        "channel": WORD,
        "reason": WORD,
        "failed_at": pa.timestamp("us", "UTC"),
    },
    attributes={},
)

RECEIPT_RECORDED = TableEvent(
    name="notify.receipt.recorded.v1",
    doc="What became of an event on its way to a partner's endpoint.",
    columns={
        "subject": SUBJECT,
        "event_id": pa.binary(16),
        "outcome": WORD,  # delivered | failed
        "attempts": pa.int16(),
        "recorded_at": pa.timestamp("us", "UTC"),
    },
    attributes={"client_id": "the partner", "subscription": "id of the subscription"},
)


class EndpointChanged(Fact):
    """A partner's endpoint was proved, paused, or is gone."""

    subscription_id: UUID
    client_id: str
    status: SubscriptionStatus
    reason: str
    changed_at: datetime


ENDPOINT_CHANGED = FactEvent(
    name="notify.endpoint.changed.v1", model=EndpointChanged, doc="A webhook endpoint answered its challenge, or fails."
)
