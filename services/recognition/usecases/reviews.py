"""The review of a person: it ends with the last thing somebody had to decide about him."""

from uuid import UUID

from services.recognition.domain.standing import Finding
from services.recognition.store import certificates, decisions
from services.recognition.usecases.deps import Deps
from services.recognition.usecases.hearing import announce
from shared.kit.db import WriteTx


async def end_review(deps: Deps, tx: WriteTx, subject: UUID, proposal_id: UUID) -> None:
    """A finding has no more to say of one benefit: say that he is certified; with the last one his review ends.

    Only a proposal that rests on a finding says anything about the review: deciding on a double receipt or on lateness
    must not clear a suspicion nobody has looked into.
    """
    proposal = await decisions.find_proposal(tx, proposal_id)
    if proposal is None or not proposal.under_review:
        return
    if not await decisions.count_unresolved(tx, subject):
        await certificates.note_finding(tx, subject, Finding.CLEARS, deps.clock.now())
    await announce(deps, tx, [subject])
