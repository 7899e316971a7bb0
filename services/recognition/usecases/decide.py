"""What officers do with proposals: decide, confirm, announce, carry out, lift. No other code path stops anybody."""

from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

import uuid_utils.compat as uuids

from services.recognition.domain.arrears import DEFAULT_RULES, Amount, Pause, arrears_fen, resumes_from
from services.recognition.domain.enrolments import Decision, Status, Step, TransitionError, after
from services.recognition.domain.months import first_of_month
from services.recognition.domain.programs import Effect, EndingEvent, SuspensionReason, stops_from
from services.recognition.domain.standing import Finding
from services.recognition.domain.states import DecisionState, ProposalState
from services.recognition.store import certificates, decisions
from services.recognition.store.decisions import Decided, Proposal
from services.recognition.usecases.deps import Deps
from services.recognition.usecases.hearing import announce, shard_of
from shared.contracts.events import CERTIFICATE_REVOKED, CertificateRevoked
from shared.contracts.vocabulary import Claim
from shared.kit.auth import Caller
from shared.kit.db import ReadTx, WriteTx
from shared.kit.problems import ConflictError, ForbiddenError, NotFoundError

_STEP = {Effect.TERMINATE: Step.TERMINATE, Effect.SUSPEND: Step.SUSPEND}
_ENDS_LIFE = frozenset({EndingEvent.DEATH, EndingEvent.DECLARED_DEAD})


class NoticeRunsError(ConflictError):
    """The person still has time to answer."""

    code = "notice_runs"


class FourEyesError(ForbiddenError):
    """Whoever decided cannot confirm."""

    code = "four_eyes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lift:
    """Why a stop ends, and since when."""

    reason: SuspensionReason
    passed_on: date
    requested_on: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifted:
    """What a lifted stop pays back."""

    decided: Decided
    paid_again_from: date
    arrears_fen: int


async def get_proposal(tx: ReadTx, proposal_id: UUID, caller: Caller) -> Proposal:
    """A proposal of a program the officer speaks for.

    Raises:
        NotFoundError: none, or another department's.
    """
    found = await decisions.find_proposal(tx, proposal_id)
    if found is None or not caller.may_program(found.program):
        detail = "No proposal of your programs has this id."
        raise NotFoundError(detail)
    return found


async def get_decision(tx: ReadTx, decision_id: UUID, caller: Caller) -> Decided:
    """A decision on a program the officer speaks for.

    Raises:
        NotFoundError: none, or another department's.
    """
    found = await decisions.find_decision(tx, decision_id)
    if found is None or not caller.may_program(found.program):
        detail = "No decision on your programs has this id."
        raise NotFoundError(detail)
    return found


async def decide(
    deps: Deps, tx: WriteTx, proposal_id: UUID, caller: Caller, *, grounds: str, begins: date | None
) -> Proposal:
    """One named officer decides; nothing happens before another confirms.

    Raises:
        ConflictError: it is not open any more.
    """
    proposal = await get_proposal(tx, proposal_id, caller)
    _expect(proposal, ProposalState.OPEN)
    version = deps.programs[proposal.program].in_force(deps.clock.today())
    event_on = proposal.event_on or deps.clock.today()
    first_unpaid = begins or proposal.stops_from or stops_from(event_on, version.stop)
    await decisions.mark_decided(
        tx, proposal_id, by=caller.user, at=deps.clock.now(), grounds=grounds, stops_from=first_unpaid
    )
    return await get_proposal(tx, proposal_id, caller)


async def confirm(deps: Deps, tx: WriteTx, proposal_id: UUID, caller: Caller) -> Decided:
    """Another officer confirms: the person gets notice, with time to answer before anything stops.

    Raises:
        ConflictError: nobody has decided it, or the enrolment allows no stop now.
        FourEyesError: by the officer who decided.
    """
    proposal = await get_proposal(tx, proposal_id, caller)
    _expect(proposal, ProposalState.DECIDED)
    if proposal.decided_by is None or proposal.decided_at is None or proposal.stops_from is None:
        detail = "The proposal has no complete decision to confirm."
        raise ConflictError(detail)
    if proposal.decided_by == caller.user:
        detail = "Another officer than the one who decided has to confirm."
        raise FourEyesError(detail)
    await certificates.lock_shard(tx, shard_of(proposal.subject))
    enrolment = await decisions.get_enrolment(tx, proposal.subject, proposal.program)
    now = deps.clock.now()
    stops = proposal.effect in _STEP
    decided = Decided(
        decision_id=uuids.uuid7(),
        proposal_id=proposal_id,
        subject=proposal.subject,
        program=proposal.program,
        reason=proposal.reason,
        effect=proposal.effect,
        event_on=proposal.event_on,
        stops_from=proposal.stops_from,
        amount_fen=enrolment.amount_fen,
        grounds=proposal.grounds or "",
        decided_by=proposal.decided_by,
        decided_at=proposal.decided_at,
        confirmed_by=caller.user,
        confirmed_at=now,
        state=DecisionState.NOTICE if stops else DecisionState.EFFECTIVE,
        notice_until=deps.clock.today() + timedelta(days=deps.notice_days),
    )
    await decisions.add_decision(tx, decided)
    await decisions.close_proposal(tx, proposal_id, ProposalState.CONFIRMED, at=now)
    if stops:
        status = _after(enrolment.status, Step.GIVE_NOTICE, decided)
        await decisions.set_status(tx, proposal.subject, proposal.program, status, decided.decision_id)
    return decided


async def reject(deps: Deps, tx: WriteTx, proposal_id: UUID, caller: Caller) -> Proposal:
    """An officer finds nothing to stop; with the last proposal the review of the person ends.

    Raises:
        ConflictError: it is closed already.
    """
    proposal = await get_proposal(tx, proposal_id, caller)
    _expect(proposal, ProposalState.OPEN, ProposalState.DECIDED)
    await certificates.lock_shard(tx, shard_of(proposal.subject))
    await decisions.close_proposal(tx, proposal_id, ProposalState.REJECTED, at=deps.clock.now())
    await _end_review(deps, tx, proposal.subject)
    return await get_proposal(tx, proposal_id, caller)


async def carry_out(deps: Deps, tx: WriteTx, decision_id: UUID, caller: Caller) -> Decided:
    """After the notice: the enrolment is suspended or terminated, and certificates the event contradicts are revoked.

    Raises:
        ConflictError: it is not announced any more.
        NoticeRunsError: the person still has time to answer.
    """
    decided = await get_decision(tx, decision_id, caller)
    _expect_decision(decided, DecisionState.NOTICE)
    if deps.clock.today() <= decided.notice_until:
        detail = f"The person has until {decided.notice_until.isoformat()} to answer; carry it out after that day."
        raise NoticeRunsError(detail)
    await certificates.lock_shard(tx, shard_of(decided.subject))
    enrolment = await decisions.get_enrolment(tx, decided.subject, decided.program)
    status = _after(enrolment.status, _STEP[decided.effect], decided)
    await decisions.set_status(tx, decided.subject, decided.program, status, decision_id)
    await decisions.set_decision_state(tx, decision_id, DecisionState.EFFECTIVE, deps.clock.now())
    if decided.reason in _ENDS_LIFE and decided.event_on:
        await _revoke(deps, tx, decided, decided.event_on)
    return await get_decision(tx, decision_id, caller)


async def withdraw(deps: Deps, tx: WriteTx, decision_id: UUID, caller: Caller) -> Decided:
    """The person answered: the announced stop is given up.

    Raises:
        ConflictError: it is not announced any more.
    """
    decided = await get_decision(tx, decision_id, caller)
    _expect_decision(decided, DecisionState.NOTICE)
    await certificates.lock_shard(tx, shard_of(decided.subject))
    enrolment = await decisions.get_enrolment(tx, decided.subject, decided.program)
    status = _after(enrolment.status, Step.WITHDRAW, decided)
    await decisions.set_status(tx, decided.subject, decided.program, status, None)
    await decisions.set_decision_state(tx, decision_id, DecisionState.WITHDRAWN, deps.clock.now())
    await _end_review(deps, tx, decided.subject)
    return await get_decision(tx, decision_id, caller)


async def lift(deps: Deps, tx: WriteTx, decision_id: UUID, caller: Caller, why: Lift) -> Lifted:
    """One step back: resume or reinstate, with what is paid back by the reason of the suspension.

    Raises:
        ConflictError: nothing is stopped, or a termination is lifted for another reason than a false death.
    """
    decided = await get_decision(tx, decision_id, caller)
    _expect_decision(decided, DecisionState.EFFECTIVE)
    if decided.effect is Effect.TERMINATE and why.reason is not SuspensionReason.FALSE_DEATH:
        detail = "A terminated enrolment comes back only when its reason was false; else the person applies anew."
        raise ConflictError(detail)
    await certificates.lock_shard(tx, shard_of(decided.subject))
    enrolment = await decisions.get_enrolment(tx, decided.subject, decided.program)
    step = Step.REINSTATE if enrolment.status is Status.TERMINATED else Step.RESUME
    await decisions.set_status(tx, decided.subject, decided.program, _after(enrolment.status, step, decided), None)
    await decisions.set_decision_state(tx, decision_id, DecisionState.LIFTED, deps.clock.now())
    rule = deps.programs[decided.program].in_force(why.passed_on).arrears.get(why.reason, DEFAULT_RULES[why.reason])
    pause = Pause(
        reason=why.reason,
        suspended_from=decided.stops_from,
        paid_again_from=resumes_from(why.reason, why.passed_on),
        requested_on=why.requested_on,
    )
    amounts = [
        Amount(from_on=date.min, fen=decided.amount_fen),
        Amount(from_on=first_of_month(enrolment.received_at.date()), fen=enrolment.amount_fen),
    ]
    owed = arrears_fen(pause, rule, amounts)
    await decisions.add_arrears(
        tx,
        decided,
        reason=why.reason,
        rule=rule,
        suspended_from=pause.suspended_from,
        paid_again_from=pause.paid_again_from,
        arrears_fen=owed,
        by=caller.user,
        at=deps.clock.now(),
    )
    await _end_review(deps, tx, decided.subject)
    return Lifted(
        decided=await get_decision(tx, decision_id, caller), paid_again_from=pause.paid_again_from, arrears_fen=owed
    )


async def _end_review(deps: Deps, tx: WriteTx, subject: UUID) -> None:
    if await decisions.count_unresolved(tx, subject):
        return
    await certificates.note_finding(tx, subject, Finding.CLEARS, deps.clock.now())
    await announce(deps, tx, [subject])


async def _revoke(deps: Deps, tx: WriteTx, decided: Decided, since: date) -> None:
    """Revoke what certifies the person alive from the day of the event on, and say so to every program."""
    now = deps.clock.now()
    for certificate_id in await certificates.list_in_force(tx, decided.subject, since=since):
        fresh = await certificates.revoke(
            tx,
            subject=decided.subject,
            certificate_id=certificate_id,
            reason=decided.reason,
            successor_id=None,
            decision_id=decided.decision_id,
            at=now,
        )
        if fresh:
            fact = CertificateRevoked(
                certificate_id=certificate_id,
                subject=decided.subject,
                claim=Claim.ALIVE,
                reason=decided.reason,
                successor_id=None,
                revoked_at=now,
            )
            await deps.outbox.say(tx, CERTIFICATE_REVOKED, fact)
    await certificates.hold_again(tx, decided.subject, Claim.ALIVE)


def _after(status: Status, step: Step, decided: Decided) -> Status:
    try:
        return after(status, step, Decision(decided_by=decided.decided_by, confirmed_by=decided.confirmed_by))
    except TransitionError as error:
        detail = f"The enrolment is {status}: {step} is not possible from there."
        raise ConflictError(detail) from error


def _expect(proposal: Proposal, *states: ProposalState) -> None:
    if proposal.state not in states:
        detail = f"The proposal is {proposal.state}; this needs {' or '.join(states)}."
        raise ConflictError(detail)


def _expect_decision(decided: Decided, state: DecisionState) -> None:
    if decided.state is not state:
        detail = f"The decision is {decided.state}; this needs {state}."
        raise ConflictError(detail)
