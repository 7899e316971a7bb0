"""Carrying a decision out, or giving it up. No other code path stops anybody."""

from dataclasses import replace
from datetime import date
from uuid import UUID

from services.recognition.domain.arrears import ENDED_AS, GOES_ON
from services.recognition.domain.effects import STEPS
from services.recognition.domain.enrolments import Status, Step
from services.recognition.domain.months import month_number, month_start, next_month, whole_month
from services.recognition.domain.programs import Effect, EndingEvent, SuspensionReason, period_months
from services.recognition.domain.states import DecisionState
from services.recognition.store import certificates, clearings, decisions, objections, payments
from services.recognition.store.decisions import Decided, Proposal
from services.recognition.usecases.decide import expect_decision, get_decision, hold_decision, let_go_on, step_after
from services.recognition.usecases.deps import Deps
from services.recognition.usecases.gathering import open_overpayment
from services.recognition.usecases.grace import require_no_grace
from services.recognition.usecases.grounds import require_ground, require_unseen
from services.recognition.usecases.hearing import shard_of
from services.recognition.usecases.living import (
    SAYS_NOTHING,
    Word,
    check_alive,
    check_passed,
    require_word,
    retract_death,
)
from services.recognition.usecases.noticing import Telling, give_notice, require_told
from services.recognition.usecases.owing import settle_waiting
from services.recognition.usecases.reviews import end_given_up
from services.recognition.usecases.revoking import revoke_life
from shared.contracts.events.recognition import (
    ENROLMENT_SUSPENDED,
    ENROLMENT_TERMINATED,
    EnrolmentStateChanged,
)
from shared.contracts.vocabulary import NoticeKind
from shared.kit.auth import Caller
from shared.kit.db import ReadTx, WriteTx
from shared.kit.problems import ConflictError


class NoticeRunsError(ConflictError):
    """The person still has time to answer."""

    code = "notice_runs"


class ObjectionOpenError(ConflictError):
    """The person has answered, and nobody has answered him."""

    code = "objection_open"


class ClearedError(ConflictError):
    """People have found since that nothing is the matter."""

    code = "cleared"


async def carry_out(deps: Deps, tx: WriteTx, decision_id: UUID, caller: Caller) -> Decided:
    """After the notice: suspend or terminate, revoke what the event contradicts, work out what was paid too much.

    Raises:
        ConflictError: it is not announced any more.
        NoticeRunsError: the person still has time to answer.
        NotToldError: the notice has not been tried on enough channels.
        InGraceError: it is for lateness, and the platform itself was late.
        GroundGoneError: what it was proposed for is not so any more.
        ObjectionOpenError: the person's objection has no answer yet.
        ClearedError: people have found since that its reason is none.
        SeenSinceError: it is for a death, or a disappearance, and the person has been seen since.
    """
    decided = await hold_decision(tx, decision_id, caller)
    expect_decision(decided, DecisionState.NOTICE)
    await _may_stop(deps, tx, decided)
    decided = await _not_before(deps, tx, decided)
    enrolment = await decisions.get_enrolment(tx, decided.subject, decided.program)
    step = STEPS[decided.effect]
    status = step_after(enrolment.status, step, decided)
    await decisions.set_enrolment_status(tx, decided.subject, decided.program, status, decision_id)
    await decisions.set_decision_state(tx, decision_id, DecisionState.EFFECTIVE, deps.clock.now())
    await revoke_life(deps, tx, decided)
    await _say_stopped(deps, tx, decided)
    # What waited for it is its own from now on, however soon it is lifted.
    await settle_waiting(deps, tx, decided.subject, decided.program)
    await open_overpayment(deps, tx, decided)
    return await get_decision(tx, decision_id, caller)


async def _not_before(deps: Deps, tx: WriteTx, decided: Decided) -> Decided:
    """Lateness takes nothing back: what was paid until it is carried out, or is about to be, was by our own advice."""
    if decided.reason is not EndingEvent.OVERDUE:
        return decided
    today = deps.clock.today()
    newest = await payments.newest_period(tx, decided.subject, decided.program, lists_until=next_month(today))
    months = period_months(deps.programs[decided.program].paid)
    unpaid = month_start(month_number(newest) + months) if newest else decided.stops_from
    first = max(whole_month(today), unpaid)
    if first <= decided.stops_from:
        return decided
    await decisions.set_stops_from(tx, decided.decision_id, first)
    return replace(decided, stops_from=first)


async def _say_stopped(deps: Deps, tx: WriteTx, decided: Decided) -> None:
    fact = await state_changed(deps, tx, decided, decided.reason, decided.stops_from)
    ended = decided.effect is Effect.TERMINATE
    if ended:
        await deps.outbox.say(tx, ENROLMENT_TERMINATED, fact)
    else:
        await deps.outbox.say(tx, ENROLMENT_SUSPENDED, fact)
    telling = Telling(
        subject=decided.subject,
        kind=NoticeKind.TERMINATED if ended else NoticeKind.SUSPENDED,
        programs=(decided.program,),
        reason=decided.reason,
        decision_id=decided.decision_id,
    )
    await give_notice(deps, tx, telling)


async def _may_stop(deps: Deps, tx: WriteTx, decided: Decided) -> None:
    if deps.clock.today() <= decided.notice_until:
        detail = f"The person has until {decided.notice_until.isoformat()} to answer; carry it out after that day."
        raise NoticeRunsError(detail)
    await require_told(deps, tx, decided)
    await require_no_grace(deps, tx, decided)
    if await objections.is_open(tx, decided.subject, decided.program):
        detail = "The person has objected: answer the objection first."
        raise ObjectionOpenError(detail)
    proposal = await _proposal_of(tx, decided)
    await require_ground(deps, tx, proposal)
    if proposal.under_review and await clearings.is_cleared(tx, decided.decision_id):
        detail = "People have found since that nothing is the matter: withdraw the decision."
        raise ClearedError(detail)
    await require_unseen(tx, proposal.proposal_id)


async def withdraw(deps: Deps, tx: WriteTx, decision_id: UUID, caller: Caller, word: Word = SAYS_NOTHING) -> Decided:
    """The person answered: the announced stop is given up, and where he lives after all, everybody is let know.

    Raises:
        ConflictError: it is not announced any more.
        MalformedError: a day where it is for no death, or on which nobody can have seen him; or no word where it is
            for one, or for a term or a job on which money hangs.
    """
    decided = await hold_decision(tx, decision_id, caller)
    expect_decision(decided, DecisionState.NOTICE)
    proposal = await _proposal_of(tx, decided)
    await require_word(tx, proposal, word)
    check_passed(proposal, word, deps.clock.today())
    if word.alive_on is None:
        why = ENDED_AS[decided.reason] if word.passed_on else SuspensionReason.NOT_CONFIRMED
        await give_up(deps, tx, decided, why, word.passed_on)
    else:
        check_alive(proposal, word.alive_on, deps.clock.today())
        await retract_death(deps, tx, proposal, word.alive_on)
        await give_up(deps, tx, decided, SuspensionReason.FALSE_DEATH)
    return await get_decision(tx, decision_id, caller)


async def _proposal_of(tx: ReadTx, decided: Decided) -> Proposal:
    proposal = await decisions.find_proposal(tx, decided.proposal_id)
    assert proposal is not None  # a decision follows from one
    return proposal


async def give_up(
    deps: Deps, tx: WriteTx, decided: Decided, why: SuspensionReason, passed_on: date | None = None
) -> None:
    """Take an announced stop back and tell the person: his benefit goes on as before, as nothing ever stopped it.

    Where something else stopped it meanwhile, or is announced too, that stands, and he is told that it does.
    """
    await certificates.lock_shard(tx, shard_of(decided.subject))
    enrolment = await decisions.get_enrolment(tx, decided.subject, decided.program)
    status = enrolment.status
    if enrolment.decision_id == decided.decision_id:  # else another stop holds the benefit, and goes on to
        status = await let_go_on(tx, decided, status, Step.WITHDRAW)
    await decisions.set_decision_state(tx, decided.decision_id, DecisionState.WITHDRAWN, deps.clock.now())
    telling = Telling(
        subject=decided.subject,
        kind=NoticeKind.WITHDRAWN if status is Status.ACTIVE else NoticeKind.OTHER_STANDS,
        programs=(decided.program,),
        reason=GOES_ON[why],
        decision_id=decided.decision_id,
    )
    await give_notice(deps, tx, telling)
    await end_given_up(deps, tx, await _proposal_of(tx, decided), passed_on)


async def state_changed(
    deps: Deps, tx: WriteTx, decided: Decided, reason: str, effective_on: date
) -> EnrolmentStateChanged:
    """What is said of an enrolment that was stopped or goes on, and why."""
    proposal = await decisions.find_proposal(tx, decided.proposal_id)
    return EnrolmentStateChanged(
        subject=decided.subject,
        program=decided.program,
        decision_id=decided.decision_id,
        case_id=proposal.case_id if proposal else None,
        reason=reason,
        effective_on=effective_on,
        decided_at=deps.clock.now(),
    )
