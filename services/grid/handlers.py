"""Events in."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TypeVar

from services.grid.usecases import asking, hearing, stopping, tipping
from services.grid.usecases.deps import Deps
from shared.contracts.events import (
    CERTIFICATE_REVOKED,
    CERTIFICATES_ISSUED,
    CERTIFICATIONS_DUE,
    ENROLMENTS_CHANGED,
    SUSPICION_RAISED,
    CertificateRevoked,
    Fact,
)
from shared.contracts.events.recognition import (
    ENROLMENT_RESUMED,
    ENROLMENT_SUSPENDED,
    ENROLMENT_TERMINATED,
    OVERPAYMENT_CHANGED,
    STOP_REQUEST_WITHDRAWN,
    STOP_REQUESTED,
    VISIT_REQUESTED,
    EnrolmentStateChanged,
    OverpaymentChanged,
    StopRequested,
    StopRequestWithdrawn,
    VisitRequested,
)
from shared.kit import arrow
from shared.kit.bus import Message, PoisonError, Subscription
from shared.kit.crypto import SealBrokenError
from shared.kit.db import WriteTx

FactT = TypeVar("FactT", bound=Fact)
Handler = Callable[[WriteTx, Message], Awaitable[None]]


def subscriptions(deps: Deps) -> Sequence[Subscription]:
    """Everything grid hears."""

    async def on_enrolments_changed(tx: WriteTx, message: Message) -> None:
        table = message.table()
        await hearing.note_enrolments(
            tx,
            deps,
            hearing.columns(table),
            shards=arrow.shards_of(table),
            program=message.attributes["program"],
            received_at=datetime.fromisoformat(message.attributes["received_at"]),
        )

    async def on_certifications_due(tx: WriteTx, message: Message) -> None:
        rows = hearing.columns(message.table())
        await hearing.open_tasks(tx, deps, rows, shard=message.one_shard(), run=message.attributes["run"])

    async def on_certificates_issued(tx: WriteTx, message: Message) -> None:
        rows = hearing.columns(message.table())
        await hearing.note_certificates(tx, deps, rows, shard=message.one_shard(), said_at=message.happened_at)

    async def on_suspicion_raised(tx: WriteTx, message: Message) -> None:
        rows = hearing.columns(message.table())
        await hearing.take_suspicions(
            tx, deps, rows, shard=message.one_shard(), rule_set=message.attributes["rule_set"]
        )

    return (
        Subscription(event=ENROLMENTS_CHANGED, handler=on_enrolments_changed),
        Subscription(event=CERTIFICATIONS_DUE, handler=on_certifications_due),
        Subscription(event=CERTIFICATES_ISSUED, handler=on_certificates_issued),
        Subscription(event=CERTIFICATE_REVOKED, handler=_told(deps, CertificateRevoked, hearing.note_revoked)),
        Subscription(event=SUSPICION_RAISED, handler=on_suspicion_raised),
        Subscription(event=VISIT_REQUESTED, handler=_told(deps, VisitRequested, asking.take_request)),
        Subscription(event=STOP_REQUESTED, handler=_told(deps, StopRequested, _taking_stop)),
        Subscription(event=STOP_REQUEST_WITHDRAWN, handler=_told(deps, StopRequestWithdrawn, stopping.take_back)),
        Subscription(event=OVERPAYMENT_CHANGED, handler=_told(deps, OverpaymentChanged, tipping.hear_recovery)),
        Subscription(event=ENROLMENT_SUSPENDED, handler=_noting(deps, "suspended")),
        Subscription(event=ENROLMENT_RESUMED, handler=_noting(deps, "resumed")),
        Subscription(event=ENROLMENT_TERMINATED, handler=_noting(deps, "terminated")),
    )


async def _taking_stop(tx: WriteTx, deps: Deps, fact: StopRequested) -> None:
    try:
        await stopping.take(tx, deps, fact)
    except SealBrokenError as error:
        msg = "the words were not sealed for this request"
        raise PoisonError(msg) from error


def _told(deps: Deps, model: type[FactT], verb: Callable[[WriteTx, Deps, FactT], Awaitable[None]]) -> Handler:
    async def on_fact(tx: WriteTx, message: Message) -> None:
        await verb(tx, deps, message.fact(model))

    return on_fact


def _noting(deps: Deps, state: str) -> Handler:
    async def on_enrolment_decided(tx: WriteTx, message: Message) -> None:
        await hearing.note_decision(tx, deps, message.fact(EnrolmentStateChanged), state)

    return on_enrolment_decided
