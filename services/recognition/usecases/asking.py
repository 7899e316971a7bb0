"""What citizens ask for: a visit at home, the stop of their own or a relative's benefit. Grid's people look into it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from uuid import UUID

import uuid_utils.compat as uuids

from services.recognition.domain.origins import RequestKind
from services.recognition.store import proposals, requests, words
from services.recognition.store.certificates import lock_shard
from services.recognition.store.requests import CitizenRequest
from services.recognition.usecases.deps import Deps
from shared.contracts.events.recognition import (
    STOP_REQUEST_WITHDRAWN,
    STOP_REQUESTED,
    VISIT_REQUESTED,
    StopRequested,
    StopRequestWithdrawn,
    VisitRequested,
)
from shared.contracts.vocabulary import IN_OWN_WORDS
from shared.kit.crypto import sendable
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
    await lock_shard(tx, subject.hex[0])
    if known := await _under_way(deps, tx, subject, subject, RequestKind.VISIT):
        return known[0]
    made = _made(deps, subject, StopWish(subject=subject, relation=SELF, programs=(), reason=reason, event_on=None))
    made = replace(made, kind=RequestKind.VISIT, passed_on_at=made.requested_at)
    await requests.add_request(tx, deps.vault, made)
    fact = VisitRequested(
        request_id=made.request_id, subject=subject, reason=IN_OWN_WORDS, requested_at=made.requested_at
    )
    await deps.outbox.say(tx, VISIT_REQUESTED, fact)
    return made


async def ask_stop(deps: Deps, tx: WriteTx, asker: UUID, wish: StopWish) -> CitizenRequest:
    """Ask to stop benefits; people verify it, officers decide. One under way that asks for as much is handed back.

    For a relative nothing is told of him: neither whether he is known here nor what he draws.

    Raises:
        NotFoundError: one of the programs is not the person's own.
    """
    for shard in sorted({asker.hex[0], wish.subject.hex[0]}):
        await lock_shard(tx, shard)
    enrolled = await proposals.list_enrolled(tx, wish.subject)
    chosen = [code for code in enrolled if not wish.programs or code in wish.programs]
    if wish.relation == SELF and (not chosen or set(wish.programs) - set(chosen)):
        detail = "没有查到您的这项待遇。"
        raise NotFoundError(detail)
    for known in await _under_way(deps, tx, asker, wish.subject, RequestKind.STOP):
        if known.event_on == wish.event_on and _covers(known.programs, wish.programs):
            return known
    made = _made(deps, asker, wish)
    if chosen:
        made = replace(made, passed_on_at=made.requested_at)
    await requests.add_request(tx, deps.vault, made)
    if chosen:
        await _pass_on(deps, tx, made, chosen)
    return made


async def withdraw_stop(deps: Deps, tx: WriteTx, subject: UUID, request_id: UUID) -> CitizenRequest:
    """Take one's own request back: what it proposed is closed, what officers have decided waits for them to lift it.

    Raises:
        NotFoundError: not one of the person's requests for himself.
    """
    await lock_shard(tx, subject.hex[0])
    found = await requests.find_own(tx, deps.vault, request_id, subject)
    if found is None:
        detail = "没有查到您的这项申请。"
        raise NotFoundError(detail)
    if found.withdrawn_at is None:
        now = deps.clock.now()
        await requests.withdraw(tx, request_id, now)
        if found.passed_on_at is not None:
            told = StopRequestWithdrawn(request_id=request_id, subject=subject, withdrawn_at=now)
            await deps.outbox.say(tx, STOP_REQUEST_WITHDRAWN, told)
    return found


async def pass_on_waiting(deps: Deps, tx: WriteTx) -> None:
    """Have people look into what was reported of somebody whom only the roster just taken in makes known."""
    for request in await requests.take_waiting(tx, deps.vault, deps.clock.now()):
        enrolled = await proposals.list_enrolled(tx, request.subject)
        await _pass_on(deps, tx, request, [code for code in enrolled if _covers(request.programs, [code])])


def _covers(asked: Sequence[str], programs: Sequence[str]) -> bool:
    """Whether a request for some programs, or for all where it names none, asks for these too."""
    return not asked or (bool(programs) and set(programs) <= set(asked))


async def _pass_on(deps: Deps, tx: WriteTx, request: CitizenRequest, programs: Sequence[str]) -> None:
    sealed = words.sealed(deps.vault, request.reason, request.request_id, requests.REASONS)
    fact = StopRequested(
        request_id=request.request_id,
        subject=request.subject,
        programs=list(programs),
        relation=request.relation,
        reason=words.coded(request.reason, requests.REASONS),
        sealed_reason=sendable(sealed) if sealed else None,
        event_on=request.event_on,
        requested_at=request.requested_at,
    )
    await deps.outbox.say(tx, STOP_REQUESTED, fact)


async def _under_way(deps: Deps, tx: WriteTx, asker: UUID, subject: UUID, kind: RequestKind) -> list[CitizenRequest]:
    days = deps.policies.on(deps.clock.today()).request_days
    since = deps.clock.now() - timedelta(days=days)
    return await requests.list_recent(tx, deps.vault, asker, subject, kind, since)


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
        passed_on_at=None,
        concluded_at=None,
        confirmed=None,
    )
