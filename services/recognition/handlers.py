"""Events in: each message becomes one call of a use case in its transaction."""

from collections.abc import Sequence
from datetime import datetime

from services.recognition.usecases import hearing
from services.recognition.usecases.deps import Deps
from shared.contracts.events import (
    ASSESSMENTS_CHANGED,
    CASE_CONCLUDED,
    ENROLMENTS_CHANGED,
    MESSAGE_DELIVERED,
    VISIT_CONCLUDED,
    CaseConcluded,
    VisitConcluded,
)
from shared.contracts.vocabulary import SHARDS
from shared.kit.bus import Message, PoisonError, Subscription
from shared.kit.db import WriteTx


class Handlers:
    """Handlers bound to the service's dependencies."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    async def on_assessments_changed(self, tx: WriteTx, message: Message) -> None:
        await hearing.hear_assessments(
            self._deps,
            tx,
            message.table(),
            shard=_shard(message),
            attributes=message.attributes,
            said_at=message.happened_at,
            said_id=message.id,
        )

    async def on_enrolments_changed(self, tx: WriteTx, message: Message) -> None:
        await hearing.hear_enrolments(
            self._deps,
            tx,
            message.table(),
            shard=_shard(message),
            program=message.attributes["program"],
            received_at=datetime.fromisoformat(message.attributes["received_at"]),
        )

    async def on_visit_concluded(self, tx: WriteTx, message: Message) -> None:
        await hearing.hear_visit(self._deps, tx, message.fact(VisitConcluded))

    async def on_case_concluded(self, tx: WriteTx, message: Message) -> None:
        await hearing.hear_case(self._deps, tx, message.fact(CaseConcluded))

    async def on_message_delivered(self, tx: WriteTx, message: Message) -> None:
        await hearing.hear_deliveries(tx, message.table())


def _shard(message: Message) -> str:
    if message.shard is None or message.shard not in SHARDS:
        msg = f"{message.event.name} came without a shard"
        raise PoisonError(msg)
    return message.shard


def subscriptions(deps: Deps) -> Sequence[Subscription]:
    """What recognition hears."""
    handlers = Handlers(deps)
    return (
        Subscription(event=ASSESSMENTS_CHANGED, handler=handlers.on_assessments_changed),
        Subscription(event=ENROLMENTS_CHANGED, handler=handlers.on_enrolments_changed),
        Subscription(event=VISIT_CONCLUDED, handler=handlers.on_visit_concluded),
        Subscription(event=CASE_CONCLUDED, handler=handlers.on_case_concluded),
        Subscription(event=MESSAGE_DELIVERED, handler=handlers.on_message_delivered),
    )
