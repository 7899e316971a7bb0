"""An officer proposes what he has learnt himself: two still stand behind every stop, and the person is told before."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

import uuid_utils.compat as uuids

from services.recognition.domain.enrolments import Status
from services.recognition.domain.origins import ProposalOrigin
from services.recognition.domain.programs import ENDS_LIFE, Effect, EndingEvent, Program
from services.recognition.store import certificates, decisions, proposals, words
from services.recognition.store.decisions import Proposal
from services.recognition.store.proposals import Opening
from services.recognition.usecases.deps import Deps
from services.recognition.usecases.divisions import may_see
from services.recognition.usecases.hearing import shard_of
from shared.kit.auth import Caller
from shared.kit.db import WriteTx
from shared.kit.problems import ConflictError, MalformedError, NotFoundError
from shared.kit.telemetry import mask_text

_NOT_HIS = ENDS_LIFE | {EndingEvent.OVERDUE, EndingEvent.OWN_REQUEST}
"""A death is found by a case and holds in every program, not in one; lateness follows from days alone; and for his own
stop a person asks himself.
"""


class ProposedError(ConflictError):
    """The same is proposed, decided or rejected already."""

    code = "proposed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    """What an officer knows of a person.

    Attributes:
        ground: what it is and from where, in his words.
    """

    subject: UUID
    program: Program
    reason: EndingEvent
    event_on: date
    ground: str


async def open_proposal(deps: Deps, tx: WriteTx, caller: Caller, learnt: Learnt) -> Proposal:
    """Open a proposal; it changes no answer and holds no payment, for nobody but him has looked yet.

    Raises:
        MalformedError: the rule of the program names no such event, or it lies ahead.
        NotFoundError: the program pays no such person.
        ProposedError: the same was proposed before, or the person is suspended already.
    """
    program, reason = learnt.program, learnt.reason
    version = program.in_force(learnt.event_on)
    effect = version.effect_of(reason)
    if reason in _NOT_HIS or effect is Effect.CONTINUE or learnt.event_on > deps.clock.today():
        detail = (
            "The rule of the program names no such event, it lies ahead, or it is not for officers to say: a death is "
            "reported to the village, whose people look into it for every program."
        )
        raise MalformedError(detail)
    await certificates.lock_shard(tx, shard_of(learnt.subject))
    enrolled = program.code in await proposals.list_enrolled(tx, learnt.subject)
    if not enrolled or not await may_see(tx, caller, learnt.subject, program.code):
        detail = "The program pays no such person."
        raise NotFoundError(detail)
    enrolment = await decisions.get_enrolment(tx, learnt.subject, program.code)
    proposal_id = uuids.uuid7()
    opening = Opening(
        proposal_id=proposal_id,
        subject=learnt.subject,
        program=program.code,
        reason=reason,
        effect=effect,
        event_on=learnt.event_on,
        stops_from=version.stops_from(reason, learnt.event_on),
        origin=ProposalOrigin.OFFICER,
        opened_by=caller.user,
        sealed_ground=words.sealed(deps.vault, mask_text(learnt.ground), proposal_id),
    )
    # Whoever is suspended already can only lose the benefit, as with what cases find.
    fits = enrolment.status is not Status.SUSPENDED or effect is Effect.TERMINATE
    if not fits or not await proposals.open_once(tx, opening, deps.clock.now()):
        detail = "The same is proposed or decided already, was rejected before, or the benefit is suspended."
        raise ProposedError(detail)
    made = await decisions.find_proposal(tx, proposal_id)
    assert made is not None  # it was just opened
    return made
