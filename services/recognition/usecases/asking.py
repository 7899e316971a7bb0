"""What citizens ask for: a visit at home, the stop of their own or a relative's benefit. Grid's people look into it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from uuid import UUID

import uuid_utils.compat as uuids

from services.recognition.domain.origins import RequestKind
from services.recognition.store import proposals, requests
from services.recognition.store.certificates import lock_shard
from services.recognition.store.requests import CitizenRequest
from services.recognition.usecases.deps import Deps
from services.recognition.usecases.hearing import shard_of
from shared.contracts.events.recognition import STOP_REQUESTED, VISIT_REQUESTED, StopRequested, VisitRequested
from shared.kit.db import WriteTx
from shared.kit.problems import NotFoundError
from shared.kit.telemetry import mask_text

SELF = "self"


@dataclass(frozen=True, slots=True, kw_only=True)
class StopWish:
    """Whose benefits are to stop, and why.

    Attributes:
        subject: the person himself or a relative.
        relation: `self`, or what the asker is to the relative.
        programs: empty for every one.
    """

    subject: UUID
    relation: str
    programs: Sequence[str]
    reason: str
    event_on: date | None


async def ask_visit(deps: Deps, tx: WriteTx, subject: UUID, *, reason: str) -> CitizenRequest:
    """Ask for somebody to come; a request still under way is handed back instead of a second one."""
    await lock_shard(tx, shard_of(subject))
    known = await _under_way(deps, tx, subject, subject, RequestKind.VISIT)
    if known:
        return known
    made = _made(deps, subject, StopWish(subject=subject, relation=SELF, programs=(), reason=reason, event_on=None))
    made = replace(made, kind=RequestKind.VISIT)
    await requests.add_request(tx, made)
    fact = VisitRequested(
        request_id=made.request_id, subject=subject, reason=made.reason, requested_at=made.requested_at
    )
    await deps.outbox.say(tx, VISIT_REQUESTED, fact)
    return made


async def ask_stop(deps: Deps, tx: WriteTx, asker: UUID, wish: StopWish) -> CitizenRequest:
    """Ask to stop benefits; people verify it, officers decide. A request still under way is handed back.

    For a relative nothing is told of him: neither whether he is known here nor what he draws.

    Raises:
        NotFoundError: one of the programs is not the person's own.
    """
    await lock_shard(tx, shard_of(asker))
    known = await _under_way(deps, tx, asker, wish.subject, RequestKind.STOP)
    if known:
        return known
    enrolled = await proposals.list_enrolled(tx, wish.subject)
    chosen = [code for code in enrolled if not wish.programs or code in wish.programs]
    if wish.relation == SELF and (not chosen or set(wish.programs) - set(chosen)):
        detail = "没有查到您的这项待遇。"
        raise NotFoundError(detail)
    made = _made(deps, asker, wish)
    await requests.add_request(tx, made)
    if chosen:
        fact = StopRequested(
            request_id=made.request_id,
            subject=wish.subject,
            programs=chosen,
            relation=wish.relation,
            reason=made.reason,
            event_on=wish.event_on,
            requested_at=made.requested_at,
        )
        await deps.outbox.say(tx, STOP_REQUESTED, fact)
    return made


async def _under_way(deps: Deps, tx: WriteTx, asker: UUID, subject: UUID, kind: RequestKind) -> CitizenRequest | None:
    days = deps.policies.on(deps.clock.today()).request_days
    return await requests.find_recent(tx, asker, subject, kind, deps.clock.now() - timedelta(days=days))


def _made(deps: Deps, asker: UUID, wish: StopWish) -> CitizenRequest:
    return CitizenRequest(
        request_id=uuids.uuid7(),
        asked_by=asker,
        subject=wish.subject,
        kind=RequestKind.STOP,
        programs=list(wish.programs),
        relation=wish.relation,
        reason=mask_text(wish.reason),
        event_on=wish.event_on,
        requested_at=deps.clock.now(),
        concluded_at=None,
        confirmed=None,
    )
