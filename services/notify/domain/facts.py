"""Which message one fact makes; an id made from what it tells of, so hearing it twice doubles nothing."""

from typing import Final

from services.notify.domain.drafts import Drafts, one
from shared.contracts.events import BatchCompleted, CertificateRevoked
from shared.contracts.events.notify import EndpointChanged
from shared.contracts.events.recognition import NoticeGiven
from shared.contracts.vocabulary import NoticeKind

REVOKED: Final = "certificate_revoked"
ENDPOINT_STOPPED: Final = "endpoint_stopped"
QUARANTINED: Final = "batch_quarantined"
NOTICES: Final = {kind: f"notice_{kind.value}" for kind in NoticeKind}
"""Template of each kind of notice."""
_WITH_DEADLINE: Final = frozenset(
    {NoticeKind.INTENDED_STOP, NoticeKind.SUSPENDED, NoticeKind.TERMINATED, NoticeKind.REFUND}
)
_WITH_AMOUNT: Final = frozenset({NoticeKind.ARREARS, NoticeKind.REFUND})


def revoked(fact: CertificateRevoked) -> Drafts:
    """A message for the officer: a certificate no longer holds."""
    variables = {"reason": fact.reason, "revoked_on": fact.revoked_at.date().isoformat()}
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


def notice(fact: NoticeGiven) -> Drafts:
    """The legal notice to a person, or to his family where he is recorded as dead."""
    variables: dict[str, object] = {"programs": list(fact.programs), "reason": fact.reason}
    if fact.kind in _WITH_DEADLINE:
        variables["deadline"] = fact.deadline_on.isoformat() if fact.deadline_on else None
    if fact.kind in _WITH_AMOUNT:
        variables["amount"] = fact.amount_fen
    return one(NOTICES[fact.kind], fact.notice_id.bytes, variables, subject=fact.subject, about=fact.notice_id)
