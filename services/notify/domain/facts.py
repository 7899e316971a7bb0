"""Which message one fact makes; an id made from what it tells of, so hearing it twice doubles nothing."""

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import pyarrow as pa

from services.notify.domain.drafts import DRAFT_SCHEMA, Drafts, one
from shared.contracts.events import BatchCompleted, CertificateRevoked
from shared.contracts.events.grid import CaseOverdue, ReportLocked, StopRequestConcluded, TaskOverdue, WorkdayPlanned
from shared.contracts.events.ingest import CorrectionChanged, DeliveryMissed
from shared.contracts.events.notify import EndpointChanged
from shared.contracts.events.recognition import NoticeGiven, WorkWaiting
from shared.contracts.vocabulary import CaseParty, CorrectionReason, CorrectionStatus, NoticeKind

REVOKED: Final = "certificate_revoked"
ENDPOINT_STOPPED: Final = "endpoint_stopped"
WORKDAY: Final = "workday"
WORK_WAITING: Final = "work_waiting"
TASK_OVERDUE: Final = "task_overdue"
TASK_ESCALATED: Final = "task_escalated"
CASE_OVERDUE: Final = "case_overdue"
CASE_WAITING: Final = "case_waiting"
REPORT_LOCKED: Final = "report_locked"
CORRECTION_OPENED: Final = "correction_opened"
CORRECTION_CLOSED: Final = "correction_closed"
DELIVERY_MISSED: Final = "delivery_missed"
QUARANTINED: Final = "batch_quarantined"
NOTICES: Final = {kind: f"notice_{kind.value}" for kind in NoticeKind}
"""Template of each kind of notice."""
_SHANGHAI = ZoneInfo("Asia/Shanghai")
_WITH_DEADLINE: Final = frozenset(
    {
        NoticeKind.INTENDED_STOP,
        NoticeKind.SUSPENDED,
        NoticeKind.TERMINATED,
        NoticeKind.REDUCED,
        NoticeKind.PAYEE_CHANGE,
        NoticeKind.REFUND,
        NoticeKind.PLAN_AGREED,
        NoticeKind.INSTALMENT_DUE,
        NoticeKind.ANSWERED,
    }
)
_DEATHS: Final = frozenset({"death", "declared_dead", "household_extinct"})
_DEMANDS: Final = (NoticeKind.REFUND, NoticeKind.PLAN_AGREED, NoticeKind.INSTALMENT_DUE, NoticeKind.REFERRED)
_WITH_AMOUNT: Final = frozenset({NoticeKind.ARREARS, NoticeKind.REPAID, NoticeKind.NOT_OWED, *_DEMANDS})
STOPS: Final = frozenset(
    NOTICES[kind]
    for kind in (
        NoticeKind.INTENDED_STOP,
        NoticeKind.SUSPENDED,
        NoticeKind.TERMINATED,
        NoticeKind.REDUCED,
        NoticeKind.PAYEE_CHANGE,
    )
)
"""Templates of what a decision takes; nobody need hear it any more once the decision has been given up."""
GIVEN_UP: Final = frozenset(
    NOTICES[kind] for kind in (NoticeKind.RESUMED, NoticeKind.WITHDRAWN, NoticeKind.OTHER_STANDS)
)
"""Templates that say so."""
SUSPENDED: Final = NOTICES[NoticeKind.SUSPENDED]
RESUMED: Final = NOTICES[NoticeKind.RESUMED]
DEMANDS: Final = frozenset(NOTICES[kind] for kind in _DEMANDS)
"""Templates of what asks for money; nobody need hear it any more once nothing of it is owed."""
SETTLED: Final = frozenset(NOTICES[kind] for kind in (NoticeKind.REPAID, NoticeKind.NOT_OWED))
"""Templates that say so, unless for a reason in `IN_PART`."""
IN_PART: Final = frozenset({"repaid_in_part", "written_off_in_part"})


def tells_of_death(fact: StopRequestConcluded) -> bool:
    """Whether a request to stop tells of a death: by its code, or by the one that people read in its words."""
    return fact.reason in _DEATHS


def revoked(fact: CertificateRevoked) -> Drafts:
    """A message for the officer: a certificate no longer holds."""
    variables = {"reason": fact.reason, "revoked_on": day_of(fact.revoked_at)}
    return one(REVOKED, fact.certificate_id.bytes, variables, subject=fact.subject, about=fact.certificate_id)


def quarantined(fact: BatchCompleted) -> Drafts | None:
    """A message for the department whose file had rows that could not be used; None when all could."""
    if fact.quarantined == 0:
        return None
    reason, rows = max(fact.quarantine_reasons.items(), key=lambda each: (each[1], each[0]), default=("other", 0))
    variables = {
        "source": fact.source,
        "batch_no": fact.batch_no,
        "rows": fact.rows,
        "accepted": fact.accepted,
        "quarantined": fact.quarantined,
        "reason": reason,
        "reason_rows": rows,
    }
    return one(QUARANTINED, fact.batch_id.bytes, variables, recipient=fact.department, about=fact.batch_id)


def endpoint_stopped(fact: EndpointChanged) -> Drafts:
    """A message for the partner whose endpoint no longer hears."""
    variables = {"subscription": str(fact.subscription_id)[:8], "state": fact.status.value, "reason": fact.reason}
    key = fact.subscription_id.bytes + fact.changed_at.isoformat().encode()
    return one(ENDPOINT_STOPPED, key, variables, recipient=fact.client_id, about=fact.subscription_id)


def workday(fact: WorkdayPlanned) -> Drafts:
    """A message a grid member, town and day: what he has to do there; a substitute works in several."""
    made = [
        one(
            WORKDAY,
            f"{each.worker_id} {fact.division} {fact.day.isoformat()}".encode(),
            {"day": fact.day.isoformat(), "tasks": each.tasks, "overdue": each.overdue, "due_soon": each.due_soon},
            recipient=each.worker_id,
            division=fact.division,
        )
        for each in fact.workers
        if each.tasks
    ]
    rows = [each.rows for each in made] or [DRAFT_SCHEMA.empty_table()]
    return Drafts(template=WORKDAY, rows=pa.concat_tables(rows))


def work_waiting(fact: WorkWaiting) -> Drafts:
    """A message a program and day for its officers: how much waits of each step."""
    named = {step: fact.counts.get(step, 0) for step in ("decide", "confirm", "not_told")}
    objections = sum(count for step, count in fact.counts.items() if step.startswith("answer_"))
    variables = {
        **named,
        "program": [fact.program],
        "day": fact.day.isoformat(),
        "objections": objections,
        "others": sum(fact.counts.values()) - sum(named.values()) - objections,
        "earliest": fact.earliest_on.isoformat() if fact.earliest_on else None,
    }
    return one(WORK_WAITING, f"{fact.program} {fact.day.isoformat()}".encode(), variables, recipient=fact.program)


def overdue(fact: TaskOverdue) -> list[Drafts]:
    """Messages for the member who had the task, and for whom it goes to now."""
    variables = {"reason": fact.reason.value, "deadline": fact.deadline_on.isoformat(), "stage": fact.stage.value}
    key = fact.task_id.bytes + fact.stage.value.encode()
    made = [one(TASK_ESCALATED, key, variables, division=fact.division, about=fact.task_id)]
    if fact.worker_id:
        made.append(one(TASK_OVERDUE, key, variables, recipient=fact.worker_id, about=fact.task_id))
    return made


def case_overdue(fact: CaseOverdue) -> list[Drafts]:
    """Messages for the officers of a division, and for its village while it is its turn: a case is late."""
    variables = {"kind": fact.kind.value, "deadline": fact.deadline_on.isoformat(), "party": fact.waits_for.value}
    key = fact.case_id.bytes + fact.deadline_on.isoformat().encode()
    made = [one(CASE_OVERDUE, key, variables, division=fact.division, about=fact.case_id)]
    if fact.waits_for is CaseParty.VILLAGE:
        made.append(one(CASE_WAITING, key, variables, division=fact.division, about=fact.case_id))
    return made


def report(fact: ReportLocked) -> Drafts:
    """A message for the officers of a division: a village's month is closed."""
    variables = {
        "month": fact.month,
        "suspected": fact.suspected,
        "confirmed": len(fact.confirmed),
        "kind": "zero" if fact.zero else "changes",
    }
    return one(REPORT_LOCKED, f"{fact.division} {fact.month}".encode(), variables, division=fact.division)


def correction(fact: CorrectionChanged) -> Drafts:
    """A message for the department that is asked, or for the officer when it has answered."""
    rows = max(len(fact.evidence_ids), 1)
    if fact.status is CorrectionStatus.OPEN:
        # Words, which an older version says, are read where the correction is answered.
        reason = CorrectionReason.of(fact.reason)
        variables = {"source": fact.source, "rows": rows, "reason": reason, "due_on": fact.due_on.isoformat()}
        key = fact.correction_id.bytes
        return one(CORRECTION_OPENED, key, variables, recipient=fact.department, about=fact.correction_id)
    variables = {"source": fact.source, "rows": rows, "status": fact.status.value}
    key = fact.correction_id.bytes + fact.status.value.encode()
    return one(CORRECTION_CLOSED, key, variables, subject=fact.subject, about=fact.correction_id)


def missed(fact: DeliveryMissed) -> Drafts:
    """A message for the department whose source fell silent; one a silence."""
    last = fact.last_received_at
    variables = {
        "source": fact.source,
        "expected_by": day_of(fact.expected_by),
        "last_on": day_of(last) if last else None,
    }
    key = f"{fact.source} {fact.expected_by.isoformat()}".encode()
    return one(DELIVERY_MISSED, key, variables, recipient=fact.department)


def day_of(at: datetime) -> str:
    """The day of an instant in Asia/Shanghai."""
    return at.astimezone(_SHANGHAI).date().isoformat()


def notice(fact: NoticeGiven) -> Drafts:
    """The legal notice to a person, or to his family where he is recorded as dead."""
    variables: dict[str, object] = {"programs": list(fact.programs), "reason": fact.reason}
    if fact.kind in _WITH_DEADLINE:
        variables["deadline"] = fact.deadline_on.isoformat() if fact.deadline_on else None
    if fact.kind in _WITH_AMOUNT:
        variables["amount"] = fact.amount_fen
    who = {"subject": fact.subject, "about": fact.notice_id, "decision": fact.decision_id}
    return one(NOTICES[fact.kind], fact.notice_id.bytes, variables, **who)
