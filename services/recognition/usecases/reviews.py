"""The review of a person: it ends with the last thing somebody had to decide about him, and answers that alone."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

import uuid_utils.compat as uuids

from services.recognition.domain.arrears import ENDED_AS
from services.recognition.domain.clearings import Clearing, over_days, over_for
from services.recognition.domain.enrolments import Status
from services.recognition.domain.programs import ENDS_LIFE, SuspensionReason
from services.recognition.domain.standing import Finding
from services.recognition.store import certificates, clearings, decisions
from services.recognition.store.decisions import Proposal
from services.recognition.usecases.deps import Deps
from services.recognition.usecases.hearing import announce
from services.recognition.usecases.proposing import propose_waiting, reasons_of, together
from shared.contracts.vocabulary import SuspicionKind
from shared.kit.clock import day_of
from shared.kit.db import WriteTx

_OF_LIFE: Final = (SuspicionKind.DEATH, SuspicionKind.CONFLICT, SuspicionKind.MISSING)
_IN_REVIEW: Final = (*_OF_LIFE, SuspicionKind.INCARCERATION)
_INSTANT: Final = timedelta(microseconds=1)


async def end_review(deps: Deps, tx: WriteTx, subject: UUID, proposal_id: UUID, *, given_up: bool = True) -> None:
    """A finding has no more to say of one benefit: say that he is certified; with the last one his review ends.

    First what people found besides, and what waited behind this one, is proposed. Only a proposal that rests on a
    finding says anything about the review: deciding on a double receipt or on lateness must not clear a suspicion
    nobody has looked into.

    Args:
        deps: the parts of the service.
        tx: the transaction of the word that says so.
        subject: whose review it is.
        proposal_id: what the finding has been proposed as.
        given_up: whether it was given up; what was so, and is over, is noted by itself.
    """
    waiting = await propose_waiting(deps, tx, subject)
    proposal = await decisions.find_proposal(tx, proposal_id)
    if proposal is None or not proposal.under_review:
        return
    unresolved = await decisions.list_unresolved(tx, subject)
    reasons = together(proposal.reason)
    # Of a death they have said whether there was one; nobody comes back from it, so that later rosters ask for it.
    if given_up and reasons.isdisjoint(ENDS_LIFE | unresolved | {reason for reason, _ in waiting}):
        await clearings.add_given_up(tx, subject, sorted(reasons), deps.clock.now())
    # What waits for a benefit that has ended holds nobody's review: it may never come back.
    if not unresolved and all(status == Status.TERMINATED for _, status in waiting):
        by_reason = await decisions.list_found(tx, subject)
        days = {kind: [by_reason[each] for each in reasons_of(kind) if each in by_reason] for kind in _IN_REVIEW}
        found = {kind: max(some) for kind, some in days.items() if some}
        await _clear(tx, subject, found, deps.clock.now())
    await announce(deps, tx, [subject])


async def end_given_up(deps: Deps, tx: WriteTx, proposal: Proposal, passed_on: date | None) -> None:
    """End the review of what was given up, over by a day that is kept or, without one, never so.

    No other term falls with it, here or elsewhere: each takes its own months, by its own last day.
    """
    over = False
    if passed_on is not None:
        await decisions.note_passed(tx, proposal.proposal_id, passed_on)
        over = await _note(deps, tx, proposal, ENDED_AS[proposal.reason], (proposal.event_on, proposal.event_on))
    await end_review(deps, tx, proposal.subject, proposal.proposal_id, given_up=not over)


async def note_over(deps: Deps, tx: WriteTx, proposal: Proposal, passed: SuspensionReason, passed_on: date) -> bool:
    """Who is free, or has come back, is not stopped for the same anew, though others found it, too.

    What began on that day or since stands, and so do a term before it and what other departments make of it: they may
    have paid while it lasted. True where something is over.
    """
    told_on = day_of(proposal.opened_at)
    return await _note(deps, tx, proposal, passed, over_days(passed, proposal.event_on, told_on, passed_on))


async def _note(
    deps: Deps, tx: WriteTx, proposal: Proposal, passed: SuspensionReason, days: tuple[date | None, date | None]
) -> bool:
    reasons = over_for(proposal.reason, passed, together(proposal.reason))
    if not reasons:
        return False
    made = Clearing(
        clearing_id=uuids.uuid7(),
        subject=proposal.subject,
        reasons=tuple(sorted(reasons)),
        from_on=days[0],
        until_on=days[1],
        about_at=proposal.opened_at if proposal.event_on is None else None,
        found_at=deps.clock.now(),
        lives=False,
    )
    await clearings.add(tx, made)
    await clearings.withdraw_over(tx, proposal.subject, proposal.program, made.found_at)
    return True


async def review_alive(tx: WriteTx, subject: UUID, until_on: date, now: datetime) -> None:
    """Officers have found that a person lived after a day: that answers what says that he had died until then."""
    await _clear(tx, subject, dict.fromkeys(_OF_LIFE, until_on), now)


async def _clear(tx: WriteTx, subject: UUID, found: Mapping[SuspicionKind, date], until: datetime) -> None:
    """Note that people are done with what they found; a suspicion of anything else waits for its own case."""
    suspected = await certificates.find_suspected(tx, subject)
    if suspected and not suspected.is_answered_by(found):
        until = min(until, suspected.said_at - _INSTANT)
    await certificates.note_finding(tx, subject, Finding.CLEARS, until)
