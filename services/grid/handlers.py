"""Events in."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from services.grid.usecases import asking, hearing, stopping, tipping
from services.grid.usecases.deps import Deps
from shared.contracts.events import CERTIFICATES_ISSUED, CERTIFICATIONS_DUE, ENROLMENTS_CHANGED, SUSPICION_RAISED
from shared.contracts.events.recognition import (
    ENROLMENT_RESUMED,
    ENROLMENT_SUSPENDED,
    ENROLMENT_TERMINATED,
    OVERPAYMENT_CHANGED,
    STOP_REQUESTED,
    VISIT_REQUESTED,
    EnrolmentStateChanged,
    OverpaymentChanged,
    StopRequested,
    VisitRequested,
)
from shared.kit.bus import Message, Subscription
from shared.kit.db import WriteTx


def subscriptions(deps: Deps) -> Sequence[Subscription]:
    """Everything grid hears."""

    async def on_enrolments_changed(tx: WriteTx, message: Message) -> None:
        await hearing.note_enrolments(
            tx,
            deps,
            hearing.columns(message.table()),
            shard=message.shard,
            program=message.attributes["program"],
            received_at=datetime.fromisoformat(message.attributes["received_at"]),
        )

    async def on_certifications_due(tx: WriteTx, message: Message) -> None:
        rows = hearing.columns(message.table())
        await hearing.open_tasks(tx, deps, rows, shard=message.shard, run=message.attributes["run"])

    async def on_certificates_issued(tx: WriteTx, message: Message) -> None:
        await hearing.note_certificates(tx, deps, hearing.columns(message.table()), shard=message.shard)

    async def on_suspicion_raised(tx: WriteTx, message: Message) -> None:
        rows = hearing.columns(message.table())
        await hearing.take_suspicions(tx, deps, rows, shard=message.shard, rule_set=message.attributes["rule_set"])

    async def on_visit_requested(tx: WriteTx, message: Message) -> None:
        await asking.take_request(tx, deps, message.fact(VisitRequested))

    async def on_stop_requested(tx: WriteTx, message: Message) -> None:
        await stopping.take(tx, deps, message.fact(StopRequested))

    async def on_overpayment_changed(tx: WriteTx, message: Message) -> None:
        await tipping.hear_recovery(tx, deps, message.fact(OverpaymentChanged))

    return (
        Subscription(event=ENROLMENTS_CHANGED, handler=on_enrolments_changed),
        Subscription(event=CERTIFICATIONS_DUE, handler=on_certifications_due),
        Subscription(event=CERTIFICATES_ISSUED, handler=on_certificates_issued),
        Subscription(event=SUSPICION_RAISED, handler=on_suspicion_raised),
        Subscription(event=VISIT_REQUESTED, handler=on_visit_requested),
        Subscription(event=STOP_REQUESTED, handler=on_stop_requested),
        Subscription(event=OVERPAYMENT_CHANGED, handler=on_overpayment_changed),
        Subscription(event=ENROLMENT_SUSPENDED, handler=_noting(deps, "suspended")),
        Subscription(event=ENROLMENT_RESUMED, handler=_noting(deps, "resumed")),
        Subscription(event=ENROLMENT_TERMINATED, handler=_noting(deps, "terminated")),
    )


def _noting(deps: Deps, state: str) -> Callable[[WriteTx, Message], Awaitable[None]]:
    async def on_enrolment_decided(tx: WriteTx, message: Message) -> None:
        await hearing.note_decision(tx, deps, message.fact(EnrolmentStateChanged), state)

    return on_enrolment_decided
