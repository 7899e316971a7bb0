"""The ground of a stop is looked at again before each step towards it: what has ceased to be so stops nobody."""

from uuid import UUID

from services.recognition.domain.exclusions import Held, which_ends
from services.recognition.domain.origins import ProposalOrigin
from services.recognition.domain.programs import EndingEvent
from services.recognition.domain.states import ProposalState
from services.recognition.store import decisions, grounds, requests, sightings
from services.recognition.store.decisions import Proposal
from services.recognition.usecases.deps import Deps
from shared.kit.db import ReadTx, WriteTx
from shared.kit.problems import ConflictError


class GroundGoneError(ConflictError):
    """What it was proposed for is not so any more."""

    code = "ground_gone"


class SeenSinceError(ConflictError):
    """Somebody has seen the person since people found that he had died or disappeared."""

    code = "seen_since"


async def require_unseen(tx: ReadTx, proposal_id: UUID) -> None:
    """Let no death and no disappearance stop anybody who was seen after it, before officers have said which is so.

    Raises:
        SeenSinceError: a certificate in person, made since it was found, stands and speaks of a later day.
    """
    if seen := await sightings.list_seen_since(tx, proposal_id):
        detail = "The person was seen on a later day, and certified by it, since this was found. Reject the proposal, "
        detail += "or withdraw the decision, with that day (alive_on); or revoke the certificate if it was not him."
        raise SeenSinceError(detail, extra={"certificates": [str(each) for each in seen]})


async def require_ground(deps: Deps, tx: ReadTx, proposal: Proposal) -> None:
    """Let nothing be stopped for lateness of who is certified, for a request taken back, or for a second benefit gone.

    Raises:
        GroundGoneError: that is so.
    """
    subject, program, today = proposal.subject, proposal.program, deps.clock.today()
    if proposal.reason is EndingEvent.OVERDUE:
        if await grounds.is_in_time(tx, deps.cycles(today), today, subject, program):
            detail = "The person is certified by now: nothing is overdue. Reject the proposal or withdraw the decision."
            raise GroundGoneError(detail)
    elif proposal.reason is EndingEvent.OWN_REQUEST and proposal.origin_id is not None:
        if await requests.withdrawn_at(tx, proposal.origin_id):
            detail = "The person has taken the request back. Reject the proposal or withdraw the decision."
            raise GroundGoneError(detail)
    elif proposal.origin is ProposalOrigin.DOUBLE_RECEIPT and not await _draws_both(deps, tx, subject, program):
        detail = "The other benefit is not drawn any more. Reject the proposal or withdraw the decision."
        raise GroundGoneError(detail)


async def withdraw_in_time(deps: Deps, tx: WriteTx, people: str | list[UUID]) -> None:
    """Whoever has been certified since is late no more; what officers have announced waits in their work list."""
    today = deps.clock.today()
    await grounds.withdraw_in_time(tx, deps.cycles(today), today, deps.clock.now(), people)


async def withdraw_single(deps: Deps, tx: WriteTx) -> None:
    """Close what is proposed for drawing two benefits once the rosters, as just heard, name one alone."""
    for row in await grounds.list_double_of_heard(tx):
        if not await _draws_both(deps, tx, row["subject"], row["program"]):
            await decisions.close_proposal(tx, row["proposal_id"], ProposalState.WITHDRAWN, at=deps.clock.now())


async def _draws_both(deps: Deps, tx: ReadTx, subject: UUID, program: str) -> bool:
    """Whether a benefit is the one of two that ends, and the person draws the other."""
    began = {
        row["program"]: row["started_on"]
        for row in await grounds.list_held(tx, subject, program, deps.programs[program].excludes)
    }
    mine = Held(program=program, started_on=began.pop(program))
    kept_first = deps.policies.on(deps.clock.today()).kept_first
    found = [
        which_ends(deps.programs, kept_first, mine, Held(program=code, started_on=day)) for code, day in began.items()
    ]
    return any(each is not None and each.program == program for each in found)
