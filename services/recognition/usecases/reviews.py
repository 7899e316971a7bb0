"""The review of a person: it ends with the last thing somebody had to decide about him, and answers that alone."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

from services.recognition.domain.standing import Finding
from services.recognition.store import certificates, decisions
from services.recognition.usecases.deps import Deps
from services.recognition.usecases.hearing import announce
from services.recognition.usecases.proposing import reasons_of
from shared.contracts.vocabulary import SuspicionKind
from shared.kit.db import WriteTx

_OF_LIFE: Final = (SuspicionKind.DEATH, SuspicionKind.CONFLICT, SuspicionKind.MISSING)
_IN_REVIEW: Final = (*_OF_LIFE, SuspicionKind.INCARCERATION)
_INSTANT: Final = timedelta(microseconds=1)


async def end_review(deps: Deps, tx: WriteTx, subject: UUID, proposal_id: UUID) -> None:
    """A finding has no more to say of one benefit: say that he is certified; with the last one his review ends.

    Only a proposal that rests on a finding says anything about the review: deciding on a double receipt or on lateness
    must not clear a suspicion nobody has looked into.
    """
    proposal = await decisions.find_proposal(tx, proposal_id)
    if proposal is None or not proposal.under_review:
        return
    if not await decisions.count_unresolved(tx, subject):
        by_reason = await decisions.list_found(tx, subject)
        days = {kind: [by_reason[each] for each in reasons_of(kind) if each in by_reason] for kind in _IN_REVIEW}
        found = {kind: max(some) for kind, some in days.items() if some}
        await _clear(tx, subject, found, deps.clock.now())
    await announce(deps, tx, [subject])


async def find_alive(tx: WriteTx, subject: UUID, alive_on: date, until: datetime) -> None:
    """Officers have found that a person lived on a day: that answers what had said before then that he died."""
    await certificates.note_alive(tx, subject, until)
    await _clear(tx, subject, dict.fromkeys(_OF_LIFE, alive_on), until)


async def _clear(tx: WriteTx, subject: UUID, found: Mapping[SuspicionKind, date], until: datetime) -> None:
    """Note that people are done with what they found; a suspicion of anything else waits for its own case."""
    suspected = await certificates.find_suspected(tx, subject)
    if suspected and not suspected.is_answered_by(found):
        until = min(until, suspected.said_at - _INSTANT)
    await certificates.note_finding(tx, subject, Finding.CLEARS, until)
