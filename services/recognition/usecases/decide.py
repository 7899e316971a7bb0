"""What officers do with proposals: one decides, another confirms, the person is told; or they find nothing to stop."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from uuid import UUID

import uuid_utils.compat as uuids

from services.recognition.domain.effects import ANNOUNCES, CHANGES, STEPS
from services.recognition.domain.enrolments import Decision, Status, Step, TransitionError, after
from services.recognition.domain.feed import EventKind
from services.recognition.domain.months import next_month, whole_month
from services.recognition.domain.programs import EndingEvent
from services.recognition.domain.states import DecisionState, ProposalState
from services.recognition.store import certificates, decisions
from services.recognition.store.decisions import Decided, Enrolment, Proposal
from services.recognition.usecases.deps import Deps
from services.recognition.usecases.divisions import may_see
from services.recognition.usecases.feed import Happened, tell
from services.recognition.usecases.foureyes import FourEyesError
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
from services.recognition.usecases.noticing import Telling, give_notice
from services.recognition.usecases.reviews import end_given_up
from services.recognition.usecases.revoking import revoke_life
from shared.contracts.vocabulary import NoticeKind
from shared.kit.auth import Caller
from shared.kit.db import ReadTx, WriteTx
from shared.kit.problems import ConflictError, MalformedError, NotFoundError
from shared.kit.telemetry import mask_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Deciding:
    """What an officer decides; the rule of the program says what he does not.

    Attributes:
        begins: first day not paid any more.
        reason: what has happened, where it is another event of the rule than the one proposed.
    """

    grounds: str
    begins: date | None = None
    reason: EndingEvent | None = None


async def get_proposal(tx: ReadTx, proposal_id: UUID, caller: Caller) -> Proposal:
    """A proposal of a program the officer speaks for.

    Raises:
        NotFoundError: none, or another department's.
    """
    found = await decisions.find_proposal(tx, proposal_id)
    if found is None or not await may_see(tx, caller, found.subject, found.program):
        detail = "No proposal of your programs has this id."
        raise NotFoundError(detail)
    return found


async def hold_proposal(tx: WriteTx, proposal_id: UUID, caller: Caller) -> Proposal:
    """The same, once the shard of its person is held: whoever has that may have to close it, too."""
    if subject := await decisions.whose_proposal(tx, proposal_id):
        await certificates.lock_shard(tx, shard_of(subject))
    return await get_proposal(tx, proposal_id, caller)


async def get_decision(tx: ReadTx, decision_id: UUID, caller: Caller) -> Decided:
    """A decision on a program the officer speaks for.

    Raises:
        NotFoundError: none, or another department's.
    """
    found = await decisions.find_decision(tx, decision_id)
    if found is None or not await may_see(tx, caller, found.subject, found.program):
        detail = "No decision on your programs has this id."
        raise NotFoundError(detail)
    return found


async def hold_decision(tx: WriteTx, decision_id: UUID, caller: Caller) -> Decided:
    """The same as it stands once the shard of its person is held, under which alone it changes.

    Nothing of it is held before: whoever has the shard may have to change it, too.
    """
    found = await get_decision(tx, decision_id, caller)
    await certificates.lock_shard(tx, shard_of(found.subject))
    return await get_decision(tx, decision_id, caller)


async def decide(deps: Deps, tx: WriteTx, proposal_id: UUID, caller: Caller, said: Deciding) -> Proposal:
    """One named officer decides; nothing happens before another confirms.

    Raises:
        ConflictError: it is not open any more.
        MalformedError: it would take back months that are due by the program's rule, or gives a reason that is none of
            it or not for him to give.
    """
    proposal = await get_proposal(tx, proposal_id, caller)
    _expect(proposal, ProposalState.OPEN)
    if said.reason is not None and said.reason is not proposal.reason:
        proposal = _found_otherwise(deps, proposal, said.reason)
    version = deps.programs[proposal.program].in_force(deps.clock.today())
    by_rule = proposal.stops_from or version.stops_from(proposal.reason, proposal.event_on or deps.clock.today())
    first_unpaid = whole_month(said.begins or by_rule)
    if first_unpaid < by_rule:
        detail = f"By the rule of the program {by_rule.isoformat()} is the first day that is not due."
        raise MalformedError(detail)
    made = replace(
        proposal,
        decided_by=caller.user,
        decided_at=deps.clock.now(),
        grounds=mask_text(said.grounds),
        stops_from=first_unpaid,
    )
    await decisions.mark_decided(tx, made)
    return await get_proposal(tx, proposal_id, caller)


def _found_otherwise(deps: Deps, proposal: Proposal, reason: EndingEvent) -> Proposal:
    """The same finding as another event of the program's rule: whose death leaves no household ends the benefit."""
    event_on = proposal.event_on or deps.clock.today()
    version = deps.programs[proposal.program].in_force(event_on)
    if not proposal.under_review or reason not in version.events or reason is EndingEvent.OVERDUE:
        detail = "The rule of the program names no such event, or no people have found anything here."
        raise MalformedError(detail)
    return replace(
        proposal, reason=reason, effect=version.effect_of(reason), stops_from=version.stops_from(reason, event_on)
    )


async def confirm(deps: Deps, tx: WriteTx, proposal_id: UUID, caller: Caller) -> Decided:
    """Another officer confirms: the person gets notice, with time to answer before anything stops.

    What only lowers the amount or changes the payee counts at once; the person is told, and may object.

    Raises:
        ConflictError: nobody has decided it, or the enrolment allows no stop now.
        FourEyesError: by the officer who decided, or who opened it.
        InGraceError: it is for lateness, and the platform itself was late.
        GroundGoneError: what it was proposed for is not so any more.
        SeenSinceError: it is for a death, or a disappearance, and the person has been seen since.
    """
    proposal = await hold_proposal(tx, proposal_id, caller)
    _expect(proposal, ProposalState.DECIDED)
    if proposal.decided_by is None or proposal.decided_at is None or proposal.stops_from is None:
        detail = "The proposal has no complete decision to confirm."
        raise ConflictError(detail)
    if caller.user in {proposal.decided_by, proposal.opened_by}:
        detail = "Another officer than the one who opened it, or decided, has to confirm."
        raise FourEyesError(detail)
    await require_no_grace(deps, tx, proposal)
    await require_ground(deps, tx, proposal)
    await require_unseen(tx, proposal_id)
    enrolment = await decisions.get_enrolment(tx, proposal.subject, proposal.program)
    now = deps.clock.now()
    stops = proposal.effect in STEPS
    notice_until = deps.clock.today() + timedelta(days=deps.notice_days)
    decided = Decided(
        decision_id=uuids.uuid7(),
        proposal_id=proposal_id,
        subject=proposal.subject,
        program=proposal.program,
        reason=proposal.reason,
        effect=proposal.effect,
        event_on=proposal.event_on,
        stops_from=_first_unpaid(proposal, proposal.stops_from, notice_until),
        amount_fen=enrolment.amount_fen,
        grounds=proposal.grounds or "",
        decided_by=proposal.decided_by,
        decided_at=proposal.decided_at,
        confirmed_by=caller.user,
        confirmed_at=now,
        state=DecisionState.NOTICE if stops else DecisionState.EFFECTIVE,
        notice_until=notice_until,
    )
    await decisions.add_decision(tx, decided)
    await decisions.close_proposal(tx, proposal_id, ProposalState.CONFIRMED, at=now)
    if stops:
        await _announce_stop(deps, tx, decided, enrolment)
    else:
        await revoke_life(deps, tx, decided)
        if decided.effect in CHANGES:
            await give_notice(deps, tx, _telling(decided, CHANGES[decided.effect]))
            await tell_changed(deps, tx, decided, decided.reason)
    return decided


async def tell_changed(deps: Deps, tx: WriteTx, decided: Decided, reason: str) -> None:
    """Tell the program that amount or payee change by a decision, or do not after all."""
    happened = Happened(
        kind=EventKind.CHANGED,
        subject=decided.subject,
        program=decided.program,
        about=decided.decision_id,
        reason=reason,
        occurred_at=deps.clock.now(),
    )
    await tell(deps, tx, happened)


async def _announce_stop(deps: Deps, tx: WriteTx, decided: Decided, enrolment: Enrolment) -> None:
    """Tell the person what is intended, why, and until when he can answer."""
    status = step_after(enrolment.status, ANNOUNCES[decided.effect], decided)
    held_by = enrolment.decision_id if status is Status.SUSPENDED else decided.decision_id
    await decisions.set_enrolment_status(tx, decided.subject, decided.program, status, held_by)
    await give_notice(deps, tx, _telling(decided, NoticeKind.INTENDED_STOP, deadline_on=decided.notice_until))


def _telling(decided: Decided, kind: NoticeKind, *, deadline_on: date | None = None) -> Telling:
    return Telling(
        subject=decided.subject,
        kind=kind,
        programs=(decided.program,),
        reason=decided.reason,
        deadline_on=deadline_on,
        decision_id=decided.decision_id,
    )


def _first_unpaid(proposal: Proposal, said: date, notice_until: date) -> date:
    """First month not paid: lateness takes nothing back of what was paid before the person was told."""
    return max(said, next_month(notice_until)) if proposal.reason is EndingEvent.OVERDUE else said


async def reject(
    deps: Deps, tx: WriteTx, proposal_id: UUID, caller: Caller, word: Word = SAYS_NOTHING, grounds: str | None = None
) -> Proposal:
    """An officer finds nothing to stop; with the last proposal the review of the person ends.

    That he does not stop this benefit says nothing of the death itself: his word does, where there was none.

    Raises:
        ConflictError: it is closed already.
        MalformedError: a day where it is for no death, or on which nobody can have seen the person alive; or no word
            where it is for one, or for a term or a job on which money hangs.
    """
    proposal = await hold_proposal(tx, proposal_id, caller)
    _expect(proposal, ProposalState.OPEN, ProposalState.DECIDED)
    if word.alive_on is not None:
        check_alive(proposal, word.alive_on, deps.clock.today())
    check_passed(proposal, word, deps.clock.today())
    await require_word(tx, proposal, word)
    why = mask_text(grounds) if grounds else None
    await decisions.reject_proposal(tx, proposal_id, by=caller.user, why=why, at=deps.clock.now())
    if word.alive_on is not None:
        await retract_death(deps, tx, proposal, word.alive_on)
    await end_given_up(deps, tx, proposal, word.passed_on)
    return await get_proposal(tx, proposal_id, caller)


def step_after(status: Status, step: Step, decided: Decided) -> Status:
    """The status after a step two people stand behind.

    Raises:
        ConflictError: the step is not possible from there.
    """
    try:
        return after(status, step, Decision(decided_by=decided.decided_by, confirmed_by=decided.confirmed_by))
    except TransitionError as error:
        detail = f"The enrolment is {status}: {step} is not possible from there."
        raise ConflictError(detail) from error


async def let_go_on(tx: WriteTx, decided: Decided, status: Status, step: Step) -> Status:
    """End a stop that holds a benefit: it goes on, or another stop announced meanwhile holds it from now on.

    Raises:
        ConflictError: the step is not possible from there.
    """
    reached = step_after(status, step, decided)
    announced = await decisions.find_announced(tx, decided)
    if announced is not None:
        reached = step_after(reached, ANNOUNCES[announced.effect], announced)
    held_by = announced.decision_id if announced else None
    await decisions.set_enrolment_status(tx, decided.subject, decided.program, reached, held_by)
    return reached


def _expect(proposal: Proposal, *states: ProposalState) -> None:
    if proposal.state not in states:
        detail = f"The proposal is {proposal.state}; this needs {' or '.join(states)}."
        raise ConflictError(detail)


def expect_decision(decided: Decided, state: DecisionState) -> None:
    """Refuse what a decision in another state does not allow.

    Raises:
        ConflictError: it is in another state.
    """
    if decided.state is not state:
        detail = f"The decision is {decided.state}; this needs {state}."
        raise ConflictError(detail)
