"""Events in: each message becomes one call of a use case in its transaction."""

from collections.abc import Sequence
from datetime import datetime

from services.recognition.domain.feed import EventKind
from services.recognition.usecases import corrections, feed, hearing, noticing, places, proposing, withdrawing
from services.recognition.usecases import subscriptions as endpoints
from services.recognition.usecases.deps import Deps
from services.recognition.usecases.feed import Happened
from shared.contracts.events import (
    ASSESSMENTS_CHANGED,
    CASE_CONCLUDED,
    ENROLMENTS_CHANGED,
    EVIDENCE_CORRECTED,
    MESSAGE_DELIVERED,
    MESSAGE_FAILED,
    SECOND_PLACES_CHANGED,
    TASKS_OPENED,
    VISIT_CONCLUDED,
    VISIT_WITHDRAWN,
    CaseConcluded,
    VisitConcluded,
    VisitWithdrawn,
)
from shared.contracts.events.grid import REPORT_LOCKED, STOP_REQUEST_CONCLUDED, ReportLocked, StopRequestConcluded
from shared.contracts.events.ingest import CORRECTION_CHANGED, CorrectionChanged
from shared.contracts.events.notify import ENDPOINT_CHANGED, RECEIPT_RECORDED, EndpointChanged
from shared.contracts.events.recognition import (
    CERTIFICATE_REVOKED,
    CERTIFICATES_ISSUED,
    ENROLMENT_RESUMED,
    ENROLMENT_SUSPENDED,
    ENROLMENT_TERMINATED,
    CertificateRevoked,
    EnrolmentStateChanged,
)
from shared.kit.bus import Message, PoisonError, Subscription
from shared.kit.crypto import SealBrokenError
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
            shard=message.one_shard(),
            attributes=message.attributes,
            said_at=message.happened_at,
            said_id=message.id,
        )
        if rest := await withdrawing.certify_by_the_rest(self._deps, tx):
            await hearing.announce(self._deps, tx, rest)

    async def on_enrolments_changed(self, tx: WriteTx, message: Message) -> None:
        await hearing.hear_enrolments(
            self._deps,
            tx,
            message.table(),
            program=message.attributes["program"],
            received_at=datetime.fromisoformat(message.attributes["received_at"]),
        )

    async def on_second_places_changed(self, tx: WriteTx, message: Message) -> None:
        program, received_at = message.attributes["program"], message.attributes["received_at"]
        await places.hear(self._deps, tx, message.table(), program, datetime.fromisoformat(received_at))

    async def on_visit_concluded(self, tx: WriteTx, message: Message) -> None:
        await hearing.hear_visit(self._deps, tx, message.fact(VisitConcluded))

    async def on_visit_withdrawn(self, tx: WriteTx, message: Message) -> None:
        await withdrawing.hear_visit_withdrawn(self._deps, tx, message.fact(VisitWithdrawn))

    async def on_tasks_opened(self, tx: WriteTx, message: Message) -> None:
        await hearing.hear_tasks(tx, message.table(), shard=message.one_shard())

    async def on_case_concluded(self, tx: WriteTx, message: Message) -> None:
        await hearing.hear_case(self._deps, tx, message.fact(CaseConcluded))

    async def on_certificates_issued(self, tx: WriteTx, message: Message) -> None:
        """What this service itself has said, told to partners apart from the bulk that made it."""
        await feed.tell_issued(self._deps, tx, message.table(), message.happened_at)

    async def on_certificate_revoked(self, tx: WriteTx, message: Message) -> None:
        fact = message.fact(CertificateRevoked)
        happened = Happened(
            kind=EventKind.REVOKED,
            subject=fact.subject,
            program=None,
            about=fact.certificate_id,
            reason=fact.reason,
            occurred_at=fact.revoked_at,
        )
        await feed.tell(self._deps, tx, happened)

    async def on_enrolment_suspended(self, tx: WriteTx, message: Message) -> None:
        await feed.tell_state(self._deps, tx, EventKind.SUSPENDED, message.fact(EnrolmentStateChanged))

    async def on_enrolment_resumed(self, tx: WriteTx, message: Message) -> None:
        await feed.tell_state(self._deps, tx, EventKind.RESUMED, message.fact(EnrolmentStateChanged))

    async def on_enrolment_terminated(self, tx: WriteTx, message: Message) -> None:
        await feed.tell_state(self._deps, tx, EventKind.TERMINATED, message.fact(EnrolmentStateChanged))

    async def on_correction_changed(self, tx: WriteTx, message: Message) -> None:
        try:
            await corrections.hear(self._deps, tx, message.fact(CorrectionChanged))
        except SealBrokenError as error:
            msg = "the words were not sealed for this correction"
            raise PoisonError(msg) from error

    async def on_evidence_corrected(self, tx: WriteTx, message: Message) -> None:
        await withdrawing.hear_corrected(self._deps, tx, message.table())

    async def on_receipt_recorded(self, tx: WriteTx, message: Message) -> None:
        client_id = message.attributes["client_id"]
        await feed.hear_receipts(tx, message.table(), client_id, self._deps.clock.now())

    async def on_endpoint_changed(self, tx: WriteTx, message: Message) -> None:
        await endpoints.hear_endpoint(tx, message.fact(EndpointChanged))

    async def on_message_delivered(self, tx: WriteTx, message: Message) -> None:
        await noticing.hear_deliveries(tx, message.table())

    async def on_message_failed(self, tx: WriteTx, message: Message) -> None:
        await noticing.hear_failures(tx, message.table())

    async def on_report_locked(self, tx: WriteTx, message: Message) -> None:
        await proposing.hear_report(self._deps, tx, message.fact(ReportLocked))

    async def on_stop_request_concluded(self, tx: WriteTx, message: Message) -> None:
        await proposing.hear_stop_request(self._deps, tx, message.fact(StopRequestConcluded))


def subscriptions(deps: Deps) -> Sequence[Subscription]:
    """What recognition hears."""
    handlers = Handlers(deps)
    return (
        Subscription(event=ASSESSMENTS_CHANGED, handler=handlers.on_assessments_changed),
        Subscription(event=ENROLMENTS_CHANGED, handler=handlers.on_enrolments_changed),
        Subscription(event=SECOND_PLACES_CHANGED, handler=handlers.on_second_places_changed),
        Subscription(event=VISIT_CONCLUDED, handler=handlers.on_visit_concluded),
        Subscription(event=VISIT_WITHDRAWN, handler=handlers.on_visit_withdrawn),
        Subscription(event=TASKS_OPENED, handler=handlers.on_tasks_opened),
        Subscription(event=CASE_CONCLUDED, handler=handlers.on_case_concluded),
        Subscription(event=MESSAGE_DELIVERED, handler=handlers.on_message_delivered),
        Subscription(event=CERTIFICATES_ISSUED, handler=handlers.on_certificates_issued),
        Subscription(event=CERTIFICATE_REVOKED, handler=handlers.on_certificate_revoked),
        Subscription(event=ENROLMENT_SUSPENDED, handler=handlers.on_enrolment_suspended),
        Subscription(event=ENROLMENT_RESUMED, handler=handlers.on_enrolment_resumed),
        Subscription(event=ENROLMENT_TERMINATED, handler=handlers.on_enrolment_terminated),
        Subscription(event=CORRECTION_CHANGED, handler=handlers.on_correction_changed),
        Subscription(event=EVIDENCE_CORRECTED, handler=handlers.on_evidence_corrected),
        Subscription(event=RECEIPT_RECORDED, handler=handlers.on_receipt_recorded),
        Subscription(event=ENDPOINT_CHANGED, handler=handlers.on_endpoint_changed),
        Subscription(event=MESSAGE_FAILED, handler=handlers.on_message_failed),
        Subscription(event=REPORT_LOCKED, handler=handlers.on_report_locked),
        Subscription(event=STOP_REQUEST_CONCLUDED, handler=handlers.on_stop_request_concluded),
    )
