"""Events in."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import date, datetime
from functools import partial

from services.notify.domain import facts
from services.notify.usecases import hear, webhooks
from services.notify.usecases.deps import Deps
from shared.contracts.events import (
    BATCH_COMPLETED,
    CASE_CONCLUDED,
    CERTIFICATE_REVOKED,
    CERTIFICATES_ISSUED,
    CERTIFICATIONS_DUE,
    CONTACTS_CHANGED,
    DEATH_RETRACTED,
    SUSPICION_RAISED,
    BatchCompleted,
    CaseConcluded,
    CertificateRevoked,
    DeathRetracted,
    Event,
)
from shared.contracts.events.grid import (
    CASE_OVERDUE,
    REPORT_LOCKED,
    STOP_REQUEST_CONCLUDED,
    TASK_OVERDUE,
    VISIT_CONCLUDED,
    WORKDAY_PLANNED,
    CaseOverdue,
    ReportLocked,
    StopRequestConcluded,
    TaskOverdue,
    VisitConcluded,
    WorkdayPlanned,
)
from shared.contracts.events.ingest import CORRECTION_CHANGED, DELIVERY_MISSED, CorrectionChanged, DeliveryMissed
from shared.contracts.events.recognition import (
    NOTICE_GIVEN,
    PARTNER_EVENTS_RECORDED,
    SUBSCRIPTION_CHANGED,
    WORK_WAITING,
    NoticeGiven,
    SubscriptionChanged,
    WorkWaiting,
)
from shared.kit.bus import Message, PoisonError, Subscription
from shared.kit.crypto import SealBrokenError
from shared.kit.db import WriteTx

Handler = Callable[[WriteTx, Message], Awaitable[None]]


def subscriptions(deps: Deps) -> Sequence[Subscription]:
    """What notify hears."""
    heard: Sequence[tuple[Event, Handler]] = (
        (CONTACTS_CHANGED, partial(on_contacts_changed, deps)),
        (CERTIFICATES_ISSUED, partial(on_certificates_issued, deps)),
        (CERTIFICATIONS_DUE, partial(on_certifications_due, deps)),
        (SUSPICION_RAISED, partial(on_suspicion_raised, deps)),
        (CERTIFICATE_REVOKED, partial(on_certificate_revoked, deps)),
        (CASE_CONCLUDED, partial(on_case_concluded, deps)),
        (DEATH_RETRACTED, partial(on_death_retracted, deps)),
        (VISIT_CONCLUDED, partial(on_visit_concluded, deps)),
        (STOP_REQUEST_CONCLUDED, partial(on_stop_request_concluded, deps)),
        (NOTICE_GIVEN, partial(on_notice_given, deps)),
        (WORKDAY_PLANNED, partial(on_workday_planned, deps)),
        (WORK_WAITING, partial(on_work_waiting, deps)),
        (TASK_OVERDUE, partial(on_task_overdue, deps)),
        (CASE_OVERDUE, partial(on_case_overdue, deps)),
        (REPORT_LOCKED, partial(on_report_locked, deps)),
        (CORRECTION_CHANGED, partial(on_correction_changed, deps)),
        (DELIVERY_MISSED, partial(on_delivery_missed, deps)),
        (PARTNER_EVENTS_RECORDED, partial(on_partner_events_recorded, deps)),
        (SUBSCRIPTION_CHANGED, partial(on_subscription_changed, deps)),
        (BATCH_COMPLETED, partial(on_batch_completed, deps)),
    )
    return [Subscription(event=event, handler=handler) for event, handler in heard]


async def on_contacts_changed(deps: Deps, tx: WriteTx, message: Message) -> None:
    received_at = _instant(message, "received_at")
    await hear.hear_contacts(tx, deps, message.table(), received_at=received_at)
    tx.after_commit.append(deps.wake.set)


async def on_certificates_issued(deps: Deps, tx: WriteTx, message: Message) -> None:
    await hear.hear_certificates(
        tx,
        deps,
        message.table(),
        shard=message.one_shard(),
        issued_on=_day(message, "issued_on"),
        said_at=message.happened_at,
    )


async def on_certifications_due(deps: Deps, tx: WriteTx, message: Message) -> None:
    await hear.hear_due(tx, deps, message.table(), shard=message.one_shard(), run_on=_day(message, "run_on"))


async def on_suspicion_raised(deps: Deps, tx: WriteTx, message: Message) -> None:
    raised_at = message.happened_at
    await hear.hear_suspicions(tx, deps, message.table(), shard=message.one_shard(), raised_at=raised_at)


async def on_certificate_revoked(deps: Deps, tx: WriteTx, message: Message) -> None:
    await hear.hear_revocation(tx, deps, message.fact(CertificateRevoked))


async def on_case_concluded(deps: Deps, tx: WriteTx, message: Message) -> None:
    await hear.hear_case(tx, deps, message.fact(CaseConcluded))


async def on_death_retracted(deps: Deps, tx: WriteTx, message: Message) -> None:
    await hear.hear_retraction(tx, deps, message.fact(DeathRetracted))


async def on_visit_concluded(deps: Deps, tx: WriteTx, message: Message) -> None:
    await hear.hear_visit(tx, deps, message.fact(VisitConcluded))


async def on_stop_request_concluded(deps: Deps, tx: WriteTx, message: Message) -> None:
    await hear.hear_stop_request(tx, deps, message.fact(StopRequestConcluded))


async def on_notice_given(deps: Deps, tx: WriteTx, message: Message) -> None:
    await hear.hear_notice(tx, deps, message.fact(NoticeGiven))


async def on_workday_planned(deps: Deps, tx: WriteTx, message: Message) -> None:
    await hear.write(tx, deps, [facts.workday(message.fact(WorkdayPlanned))])


async def on_work_waiting(deps: Deps, tx: WriteTx, message: Message) -> None:
    await hear.write(tx, deps, [facts.work_waiting(message.fact(WorkWaiting))])


async def on_task_overdue(deps: Deps, tx: WriteTx, message: Message) -> None:
    await hear.write(tx, deps, facts.overdue(message.fact(TaskOverdue)))


async def on_case_overdue(deps: Deps, tx: WriteTx, message: Message) -> None:
    await hear.write(tx, deps, facts.case_overdue(message.fact(CaseOverdue)))


async def on_report_locked(deps: Deps, tx: WriteTx, message: Message) -> None:
    await hear.write(tx, deps, [facts.report(message.fact(ReportLocked))])


async def on_correction_changed(deps: Deps, tx: WriteTx, message: Message) -> None:
    await hear.write(tx, deps, [facts.correction(message.fact(CorrectionChanged))])


async def on_delivery_missed(deps: Deps, tx: WriteTx, message: Message) -> None:
    await hear.write(tx, deps, [facts.missed(message.fact(DeliveryMissed))])


async def on_partner_events_recorded(deps: Deps, tx: WriteTx, message: Message) -> None:
    said = message.attributes
    await webhooks.hear_events(tx, deps, message.table(), client_id=said["client_id"], program=said["program"])


async def on_subscription_changed(deps: Deps, tx: WriteTx, message: Message) -> None:
    try:
        await webhooks.hear_subscription(tx, deps, message.fact(SubscriptionChanged))
    except SealBrokenError as error:
        msg = "the secret was not sealed for this subscription"
        raise PoisonError(msg) from error


async def on_batch_completed(deps: Deps, tx: WriteTx, message: Message) -> None:
    await hear.hear_batch(tx, deps, message.fact(BatchCompleted))


def _instant(message: Message, attribute: str) -> datetime:
    try:
        return datetime.fromisoformat(message.attributes[attribute])
    except (KeyError, ValueError) as error:
        msg = f"the attribute {attribute} is no instant"
        raise PoisonError(msg) from error


def _day(message: Message, attribute: str) -> date:
    try:
        return date.fromisoformat(message.attributes[attribute])
    except (KeyError, ValueError) as error:
        msg = f"the attribute {attribute} is no date"
        raise PoisonError(msg) from error
