"""The officer's API: proposals, decisions of two, and their lifting."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Security

from services.recognition.api.deps import DepsOf, asker
from services.recognition.domain.states import ProposalState
from services.recognition.schemas.officer import DecideIn, DecisionOut, LiftedOut, LiftIn, ProposalOut, ProposalsOut
from services.recognition.store import decisions
from services.recognition.store.lookups import log_usage
from services.recognition.usecases import decide, lifting, stopping
from services.recognition.usecases.lifting import Lift
from shared.kit.auth import Caller, allow
from shared.kit.problems import PROBLEM_RESPONSES

router = APIRouter(prefix="/v1", tags=["officer"], responses=PROBLEM_RESPONSES)

Officer = Annotated[Caller, Security(allow("recognition.manage", roles=("officer",)))]
Limit = Annotated[int, Query(ge=1, le=200)]


@router.get("/proposals")
async def list_proposals(
    caller: Officer,
    found: DepsOf,
    state: ProposalState = ProposalState.OPEN,
    after: UUID | None = None,
    limit: Limit = 50,
) -> ProposalsOut:
    """Proposals of the officer's programs, oldest first."""
    programs = [code for code in found.programs if caller.may_program(code)]
    async with found.database.read() as tx:
        listed = await decisions.list_proposals(tx, programs=programs, state=state, after=after, limit=limit)
    items = [ProposalOut.model_validate(each) for each in listed]
    return ProposalsOut(items=items, next=items[-1].proposal_id if len(items) == limit else None)


@router.get("/proposals/{proposal_id}")
async def get_proposal(proposal_id: UUID, caller: Officer, found: DepsOf, request: Request) -> ProposalOut:
    """One proposal; the look is logged."""
    async with found.database.write() as tx:
        shown = await decide.get_proposal(tx, proposal_id, caller)
        who = asker(request, found, caller, "proposal", why=None, program=shown.program)
        await log_usage(tx, who, subject=shown.subject, answer="seen")
    return ProposalOut.model_validate(shown)


@router.post("/proposals/{proposal_id}:decide")
async def decide_proposal(proposal_id: UUID, body: DecideIn, caller: Officer, found: DepsOf) -> ProposalOut:
    """Decide to stop; nothing happens before another officer confirms."""
    async with found.database.write() as tx:
        said = await decide.decide(found, tx, proposal_id, caller, grounds=body.grounds, begins=body.stops_from)
    return ProposalOut.model_validate(said)


@router.post("/proposals/{proposal_id}:confirm")
async def confirm_proposal(proposal_id: UUID, caller: Officer, found: DepsOf) -> DecisionOut:
    """Confirm another officer's decision: notice is given, with time to answer."""
    async with found.database.write() as tx:
        return DecisionOut.model_validate(await decide.confirm(found, tx, proposal_id, caller))


@router.post("/proposals/{proposal_id}:reject")
async def reject_proposal(proposal_id: UUID, caller: Officer, found: DepsOf) -> ProposalOut:
    """Find nothing to stop."""
    async with found.database.write() as tx:
        return ProposalOut.model_validate(await decide.reject(found, tx, proposal_id, caller))


@router.get("/decisions/{decision_id}")
async def get_decision(decision_id: UUID, caller: Officer, found: DepsOf, request: Request) -> DecisionOut:
    """One decision; the look is logged."""
    async with found.database.write() as tx:
        shown = await decide.get_decision(tx, decision_id, caller)
        who = asker(request, found, caller, "decision", why=None, program=shown.program)
        await log_usage(tx, who, subject=shown.subject, answer="seen")
    return DecisionOut.model_validate(shown)


@router.post("/decisions/{decision_id}:carry-out")
async def carry_out(decision_id: UUID, caller: Officer, found: DepsOf) -> DecisionOut:
    """Suspend or terminate, once the notice has run and was delivered or tried on enough channels."""
    async with found.database.write() as tx:
        return DecisionOut.model_validate(await stopping.carry_out(found, tx, decision_id, caller))


@router.post("/decisions/{decision_id}:withdraw")
async def withdraw(decision_id: UUID, caller: Officer, found: DepsOf) -> DecisionOut:
    """Give up an announced stop."""
    async with found.database.write() as tx:
        return DecisionOut.model_validate(await stopping.withdraw(found, tx, decision_id, caller))


@router.post("/decisions/{decision_id}:lift")
async def lift(decision_id: UUID, body: LiftIn, caller: Officer, found: DepsOf) -> LiftedOut:
    """Resume or reinstate in one step; what is paid back follows from the reason. A false death falls everywhere."""
    why = Lift(reason=body.reason, passed_on=body.passed_on, requested_on=body.requested_on)
    async with found.database.write() as tx:
        lifted = await lifting.lift(found, tx, decision_id, caller, why)
    return LiftedOut(
        decision=DecisionOut.model_validate(lifted.decided),
        paid_again_from=lifted.paid_again_from,
        arrears_fen=lifted.arrears_fen,
        also=list(lifted.also),
    )
