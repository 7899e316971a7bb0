"""Requests to stop a benefit: the village verifies, somebody of the agency concludes, and only then it is told."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from uuid import UUID

from services.grid.domain.claims import StopAction, StopState, Told, follow_stop
from services.grid.domain.looks import Seen
from services.grid.domain.views import COUNTY, View
from services.grid.store import locks, stops
from services.grid.store.readings import Reading
from services.grid.store.stops import StopRequest
from services.grid.usecases import looking
from services.grid.usecases.deps import Deps
from services.grid.usecases.errors import (
    BarredError,
    DoesNotFollowError,
    NoSuchStopRequestError,
    StepNotPossibleError,
)
from services.grid.usecases.views import known_as
from shared.contracts.events import STOP_REQUEST_CONCLUDED, StopRequestConcluded
from shared.contracts.events.recognition import StopRequested, StopRequestWithdrawn
from shared.contracts.vocabulary import IN_OWN_WORDS
from shared.kit.auth import Caller
from shared.kit.db import ReadTx, WriteTx
from shared.kit.workdays import after_working_days

_CODE = re.compile(r"[a-z]+(_[a-z]+)*")


async def take(tx: WriteTx, deps: Deps, fact: StopRequested) -> None:
    """Keep a request and give it to the person's village; what registers say is noted beside it.

    Raises:
        SealBrokenError: its words were not sealed for this request.
    """
    await locks.lock_people(tx, [fact.subject])
    today = deps.clock.today()
    made = StopRequest(
        request_id=fact.request_id,
        subject=fact.subject,
        programs=tuple(fact.programs),
        relation=fact.relation,
        reason=_code(fact.reason),
        sealed_reason=_sealed(deps, fact),
        event_on=fact.event_on,
        requested_at=fact.requested_at,
        state=StopState.RECEIVED,
        division=None,
        grid_code=None,
        worker_id=None,
        deadline_on=after_working_days(today, deps.policies.on(today).case_working_days),
        matched=False,
    )
    await stops.add(tx, made)
    await stops.place(tx, [fact.subject.bytes])


async def take_back(tx: WriteTx, deps: Deps, fact: StopRequestWithdrawn) -> None:
    """Nobody need look into a request that its own person has taken back."""
    await locks.lock_people(tx, [fact.subject])
    await stops.withdraw(tx, fact.request_id, fact.subject, fact.withdrawn_at, deps.clock.today())


async def note_read(tx: WriteTx, deps: Deps, caller: Caller, found: Sequence[StopRequest]) -> None:
    """Keep who is told what people wrote in these requests."""
    seen = [
        Reading(what=Seen.STOP_REQUEST, subject=each.subject, request_id=each.request_id)
        for each in found
        if each.sealed_reason is not None
    ]
    await looking.note(tx, deps, caller, seen)


def words(deps: Deps, request: StopRequest) -> str:
    """Why it is asked: what somebody wrote, or the code; `note_read` comes first."""
    if request.sealed_reason is None:
        return request.reason
    return deps.vault.open_text(request.sealed_reason, request.request_id)


def _code(reason: str) -> str:
    """The reason as events may hold it; words in its place came from an older version."""
    return reason if _CODE.fullmatch(reason) else IN_OWN_WORDS


def _sealed(deps: Deps, fact: StopRequested) -> bytes | None:
    if fact.sealed_reason is None:
        return None if _CODE.fullmatch(fact.reason) else deps.vault.seal_text(fact.reason, fact.request_id)
    return deps.vault.received(fact.sealed_reason, fact.request_id)


async def get(tx: ReadTx, request_id: UUID, view: View) -> StopRequest:
    """A request in the caller's view.

    Raises:
        NoSuchStopRequestError: absent, or elsewhere.
    """
    found = await stops.find(tx, request_id)
    if found is None or not view.sees(division=found.division, grid_code=found.grid_code, worker_id=found.worker_id):
        raise NoSuchStopRequestError
    return found


async def verify(  # noqa: PLR0913  (who says what about which request)
    tx: WriteTx,
    deps: Deps,
    caller: Caller,
    request_id: UUID,
    *,
    view: View,
    as_stated: bool,
    event_on: date | None,
    told: Told | None = None,
) -> StopRequest:
    """The village says whether it is as the request states, and what words that are no code tell of.

    Raises:
        NoSuchStopRequestError: absent, or elsewhere.
        StepNotPossibleError: verified already.
        DoesNotFollowError: it is so, and nobody has named the day.
    """
    found = await _take(tx, request_id, view, StopAction.VERIFY)
    named = told.value if told and found.reason == IN_OWN_WORDS else found.reason
    day = event_on or found.event_on
    if as_stated and day is None and named in set(Told):
        reason = "event_on_missing"
        raise DoesNotFollowError(reason)
    changed = replace(
        found,
        state=StopState.VERIFIED,
        as_stated=as_stated,
        reason=named,
        event_on=day,
        verified_by=caller.user,
        verified_at=deps.clock.now(),
    )
    await stops.save(tx, changed)
    return changed


async def conclude(
    tx: WriteTx, deps: Deps, caller: Caller, request_id: UUID, *, view: View, confirmed: bool
) -> StopRequest:
    """Somebody else of the agency confirms or refuses; a machine stops nothing, recognition proposes.

    Raises:
        NoSuchStopRequestError: absent, or elsewhere.
        StepNotPossibleError: not verified yet, or concluded already.
        BarredError: he verified himself, or is of no county.
        DoesNotFollowError: the village found it otherwise.
    """
    found = await _take(tx, request_id, view, StopAction.CONCLUDE)
    names = await known_as(tx, deps, [caller.user, found.verified_by or ""])
    if names[caller.user] == names[found.verified_by or ""]:
        reason = "four_eyes"
        raise BarredError(reason)
    if not view.is_office_over(found.division or "", COUNTY):
        reason = "level"
        raise BarredError(reason)
    if confirmed and not found.as_stated:
        reason = "finding_does_not_confirm"
        raise DoesNotFollowError(reason)
    now = deps.clock.now()
    changed = replace(found, state=StopState.CONCLUDED, confirmed=confirmed, concluded_by=caller.user, concluded_at=now)
    await stops.save(tx, changed)
    assert changed.verified_by is not None
    fact = StopRequestConcluded(
        request_id=changed.request_id,
        subject=changed.subject,
        programs=list(changed.programs),
        confirmed=confirmed,
        relation=changed.relation,
        reason=_code(changed.reason),
        event_on=changed.event_on,
        verified_by=changed.verified_by,
        concluded_by=caller.user,
        concluded_at=now,
    )
    await deps.outbox.say(tx, STOP_REQUEST_CONCLUDED, fact)
    return changed


async def _take(tx: WriteTx, request_id: UUID, view: View, action: StopAction) -> StopRequest:
    await get(tx, request_id, view)
    locked = await stops.find(tx, request_id, lock=True)
    assert locked is not None
    if locked.moot or follow_stop(locked.state, action) is None:
        raise StepNotPossibleError(extra={"state": "withdrawn" if locked.moot else locked.state.value})
    return locked
