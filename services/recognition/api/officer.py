"""The officer's API: proposals, decisions of two, and their lifting."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from services.recognition.api.deps import DepsOf, Officer, asker
from services.recognition.api.once import ONCE, Answered, once_by
from services.recognition.api.route import LoggedRoute
from services.recognition.domain.states import ProposalState
from services.recognition.schemas.officer import (
    AliveIn,
    DecideIn,
    DecisionOut,
    LiftedOut,
    LiftIn,
    OwnProposalIn,
    ProposalOut,
    ProposalsOut,
    RejectIn,
)
from services.recognition.schemas.peers import RevokedOut, RevokeIn
from services.recognition.store import decisions, words
from services.recognition.store.certificates import Revocation
from services.recognition.store.decisions import Proposal
from services.recognition.store.lookups import log_looks, log_usage
from services.recognition.usecases import decide, histories, lifting, opening, recognise, revoking, sandbox, stopping
from services.recognition.usecases.decide import Deciding
from services.recognition.usecases.deps import Deps
from services.recognition.usecases.lifting import Lift, Lifted
from services.recognition.usecases.living import SAYS_NOTHING, Word
from services.recognition.usecases.opening import Learnt
from shared.contracts.vocabulary import IN_OWN_WORDS
from shared.kit.db import WriteTx
from shared.kit.problems import PROBLEM_RESPONSES

router = APIRouter(prefix="/v1", tags=["officer"], route_class=LoggedRoute, responses=PROBLEM_RESPONSES)

Limit = Annotated[int, Query(ge=1, le=200)]


@router.get("/proposals")
async def list_proposals(
    request: Request,
    caller: Officer,
    found: DepsOf,
    state: ProposalState = ProposalState.OPEN,
    after: UUID | None = None,
    limit: Limit = 50,
) -> ProposalsOut:
    """Proposals of the officer's programs, oldest first; each look is logged."""
    programs = [code for code in found.programs if caller.may_program(code)]
    who = asker(request, found, caller, "proposal", why=None, program=None)
    async with found.database.write() as tx:
        listed = await decisions.list_proposals(
            tx, programs=programs, divisions=caller.divisions, state=state, after=after, limit=limit
        )
        await log_looks(tx, who, [(each.program, each.subject) for each in listed])
    items = [_read(found, each) for each in listed]
    return ProposalsOut(items=items, next=items[-1].proposal_id if len(items) == limit else None)


@router.post("/proposals", status_code=201, response_model=ProposalOut, openapi_extra=ONCE)
async def open_proposal(request: Request, body: OwnProposalIn, caller: Officer, found: DepsOf) -> Response:
    """Propose what an officer has learnt himself, a death excepted, which a case finds for every program.

    It changes no answer and holds no payment before another has confirmed it.
    """
    program = recognise.program_for(found, body.program, allowed=caller.may_program(body.program))
    sandbox.refuse(program)
    subject = histories.person(found, body.subject, body.citizen_id)
    learnt = Learnt(subject=subject, program=program, reason=body.reason, event_on=body.event_on, ground=body.ground)

    async def effect(tx: WriteTx) -> Answered:
        said = await opening.open_proposal(found, tx, caller, learnt)
        return Answered(_shown(said), 201, about=(said.program, said.subject))

    return await once_by(request, found, caller, body, effect, "proposal")


@router.get("/proposals/{proposal_id}")
async def get_proposal(proposal_id: UUID, caller: Officer, found: DepsOf, request: Request) -> ProposalOut:
    """One proposal; the look is logged."""
    async with found.database.write() as tx:
        shown = await decide.get_proposal(tx, proposal_id, caller)
        who = asker(request, found, caller, "proposal", why=None, program=shown.program)
        await log_usage(tx, who, subject=shown.subject, answer="seen")
    return _read(found, shown)


@router.post("/proposals/{proposal_id}:decide", response_model=ProposalOut, openapi_extra=ONCE)
async def decide_proposal(
    request: Request, proposal_id: UUID, body: DecideIn, caller: Officer, found: DepsOf
) -> Response:
    """Decide to stop; nothing happens before another officer confirms."""

    async def effect(tx: WriteTx) -> Answered:
        deciding = Deciding(grounds=body.grounds, begins=body.stops_from, reason=body.reason)
        said = await decide.decide(found, tx, proposal_id, caller, deciding)
        return Answered(_shown(said), about=(said.program, said.subject))

    return await once_by(request, found, caller, body, effect, "proposal")


@router.post("/proposals/{proposal_id}:confirm", response_model=DecisionOut, openapi_extra=ONCE)
async def confirm_proposal(request: Request, proposal_id: UUID, caller: Officer, found: DepsOf) -> Response:
    """Confirm another officer's decision: notice is given, with time to answer.

    Not for a death or a disappearance of whom somebody has seen since that was found: 409 `seen_since`, and
    `certificates` names what says so. Reject it with that day, or revoke them.
    """

    async def effect(tx: WriteTx) -> Answered:
        said = await decide.confirm(found, tx, proposal_id, caller)
        return Answered(DecisionOut.model_validate(said), about=(said.program, said.subject))

    return await once_by(request, found, caller, None, effect, "proposal")


@router.post("/proposals/{proposal_id}:reject", response_model=ProposalOut, openapi_extra=ONCE)
async def reject_proposal(
    request: Request, proposal_id: UUID, caller: Officer, found: DepsOf, body: RejectIn | None = None
) -> Response:
    """Find nothing to stop; why may be said with it, and of what is for a death whether there was one has to be."""
    given = body or RejectIn()

    async def effect(tx: WriteTx) -> Answered:
        said = await decide.reject(found, tx, proposal_id, caller, _word(given), given.grounds)
        return Answered(_shown(said), about=(said.program, said.subject))

    return await once_by(request, found, caller, body, effect, "proposal")


@router.get("/decisions/{decision_id}")
async def get_decision(decision_id: UUID, caller: Officer, found: DepsOf, request: Request) -> DecisionOut:
    """One decision; the look is logged."""
    async with found.database.write() as tx:
        shown = await decide.get_decision(tx, decision_id, caller)
        who = asker(request, found, caller, "decision", why=None, program=shown.program)
        await log_usage(tx, who, subject=shown.subject, answer="seen")
    return DecisionOut.model_validate(shown)


@router.post("/decisions/{decision_id}:carry-out", response_model=DecisionOut, openapi_extra=ONCE)
async def carry_out(request: Request, decision_id: UUID, caller: Officer, found: DepsOf) -> Response:
    """Suspend or terminate, once the notice has run and was delivered or tried on enough channels.

    Not for a death or a disappearance of whom somebody has seen since that was found: 409 `seen_since`, and
    `certificates` names what says so. Withdraw it with that day, or revoke them.
    """

    async def effect(tx: WriteTx) -> Answered:
        said = await stopping.carry_out(found, tx, decision_id, caller)
        return Answered(DecisionOut.model_validate(said), about=(said.program, said.subject))

    return await once_by(request, found, caller, None, effect, "decision")


@router.post("/decisions/{decision_id}:withdraw", response_model=DecisionOut, openapi_extra=ONCE)
async def withdraw(
    request: Request, decision_id: UUID, caller: Officer, found: DepsOf, body: AliveIn | None = None
) -> Response:
    """Give up an announced stop; one for the death of somebody who lives falls in every program."""

    async def effect(tx: WriteTx) -> Answered:
        said = await stopping.withdraw(found, tx, decision_id, caller, _word(body) if body else SAYS_NOTHING)
        return Answered(DecisionOut.model_validate(said), about=(said.program, said.subject))

    return await once_by(request, found, caller, body, effect, "decision")


@router.post("/decisions/{decision_id}:lift", response_model=LiftedOut, openapi_extra=ONCE)
async def lift(request: Request, decision_id: UUID, body: LiftIn, caller: Officer, found: DepsOf) -> Response:
    """Resume or reinstate in one step; what is paid back follows from the reason. A false death falls everywhere."""
    why = Lift(reason=body.reason, passed_on=body.passed_on, requested_on=body.requested_on)

    async def effect(tx: WriteTx) -> Answered:
        lifted = await lifting.lift(found, tx, decision_id, caller, why)
        return Answered(_lifted(lifted), about=(lifted.decided.program, lifted.decided.subject))

    return await once_by(request, found, caller, body, effect, "decision")


@router.post("/certificate-revocations", status_code=201, response_model=RevokedOut, openapi_extra=ONCE)
async def revoke_certificate(request: Request, body: RevokeIn, caller: Officer, found: DepsOf) -> Response:
    """Take back a certificate that should not have been made. It stops nothing; every program is told."""
    who = asker(request, found, caller, "revocation", why=None, program=None)

    async def effect(tx: WriteTx) -> Answered:
        made = await revoking.revoke_by_officer(found, tx, who, caller, Revocation(**body.model_dump()))
        return Answered(RevokedOut.model_validate(made), 201)

    return await once_by(request, found, caller, body, effect, "revocation")


def _word(body: AliveIn) -> Word:
    return Word(**body.model_dump(include=set(Word.__dataclass_fields__)))


def _shown(said: Proposal) -> ProposalOut:
    """A proposal without words: what is kept for an `Idempotency-Key` is kept without them."""
    return ProposalOut.model_validate(said).model_copy(update={"ground": IN_OWN_WORDS if said.opened_by else None})


def _read(found: Deps, said: Proposal) -> ProposalOut:
    """A proposal with the words of the officer who opened it."""
    if said.sealed_ground is None:
        return ProposalOut.model_validate(said)
    ground = words.read(found.vault, IN_OWN_WORDS, said.sealed_ground, said.proposal_id)
    return ProposalOut.model_validate(said).model_copy(update={"ground": ground})


def _lifted(lifted: Lifted) -> LiftedOut:
    return LiftedOut(
        decision=DecisionOut.model_validate(lifted.decided),
        owed_from=lifted.owed_from,
        paid_again_from=lifted.paid_again_from,
        arrears_fen=lifted.arrears_fen,
        withheld_fen=lifted.withheld_fen,
        also=list(lifted.also),
    )
