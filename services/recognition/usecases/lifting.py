"""Lifting a stop in one step: resume or reinstate, arrears by the reason, and amends where a death was false."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

from services.recognition.domain.arrears import (
    ANSWERS,
    GOES_ON,
    Pause,
    ends_too_early,
    lifted_by,
    resumes_from,
)
from services.recognition.domain.certificates import Certificate, certificate_id
from services.recognition.domain.effects import CHANGES, STEPS
from services.recognition.domain.enrolments import Status, Step
from services.recognition.domain.feed import EventKind
from services.recognition.domain.months import next_month
from services.recognition.domain.programs import (
    ENDS_LIFE,
    Effect,
    SuspensionReason,
)
from services.recognition.domain.states import DecisionState
from services.recognition.store import certificates, clearings, decisions, requests
from services.recognition.store.arrears import Arrears
from services.recognition.store.decisions import Decided, Enrolment
from services.recognition.usecases import feed
from services.recognition.usecases.decide import (
    expect_decision,
    get_decision,
    hold_decision,
    let_go_on,
    step_after,
    tell_changed,
)
from services.recognition.usecases.deps import Deps
from services.recognition.usecases.divisions import may_see
from services.recognition.usecases.living import check_alive, retract_death
from services.recognition.usecases.noticing import Telling, give_notice
from services.recognition.usecases.owing import owe, telling
from services.recognition.usecases.reviews import end_review, note_over
from services.recognition.usecases.sightings import keep_sighting
from services.recognition.usecases.stopping import give_up, state_changed
from shared.contracts.events.recognition import ENROLMENT_RESUMED, ENROLMENT_SUSPENDED
from shared.contracts.vocabulary import Channel, Claim, NoticeKind, Strength
from shared.kit.auth import Caller
from shared.kit.clock import SHANGHAI
from shared.kit.db import WriteTx
from shared.kit.problems import ConflictError, MalformedError

_OFFICER_RULE = "officer@1"


class WrongReasonError(ConflictError):
    """A stop ends for what ends its own reason: another one would pay back what is not owed."""

    code = "wrong_reason"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lift:
    """Why a stop ends, and since when."""

    reason: SuspensionReason
    passed_on: date
    requested_on: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifted:
    """What a lifted stop pays back.

    Attributes:
        owed_from: first month of it.
        withheld_fen: what is paid back besides, unless something else that people have found is carried out.
        also: other decisions on the person that fell with it, where a death was false.
    """

    decided: Decided
    owed_from: date
    paid_again_from: date
    arrears_fen: int
    withheld_fen: int
    also: tuple[UUID, ...] = ()


async def lift(deps: Deps, tx: WriteTx, decision_id: UUID, caller: Caller, why: Lift) -> Lifted:
    """One step back: resume or reinstate, with what is paid back by the reason of the suspension.

    A false death falls in every program of the person the officer speaks for at once; the register's department is
    asked to correct it, the person is certified again by the officer's word, every program that was told of the death
    is told that it was none, and an apology goes out. Other departments find what is left to them in their work lists.

    Raises:
        ConflictError: it is not in effect.
        WrongReasonError: not a reason that ends this stop; a termination ends only where its own reason was false, the
            person has returned, or takes his request back.
        MalformedError: a day that has not come yet, one before what the stop is for, or one before the supposed death
            on which the person lived.
    """
    decided = await hold_decision(tx, decision_id, caller)
    expect_decision(decided, DecisionState.EFFECTIVE)
    why = await _asked_back(tx, decided, why)
    _check(decided, why, deps.clock.today())
    if why.reason is SuspensionReason.FALSE_DEATH:
        # Before anything is told of it: who lives hears it himself, and not his family.
        await _retract_death(deps, tx, decided, why.passed_on)
    # Before what waits is proposed: nobody is stopped anew for what is over.
    proposal = await decisions.find_proposal(tx, decided.proposal_id)
    over = proposal is not None and await note_over(deps, tx, proposal, why.reason, why.passed_on)
    lifted = await _lift_one(deps, tx, decided, caller, why)
    also: tuple[UUID, ...] = ()
    if why.reason is SuspensionReason.FALSE_DEATH:
        also = await _make_amends(deps, tx, decided, caller, why)
    await end_review(deps, tx, decided.subject, decided.proposal_id, given_up=not over)
    return replace(lifted, decided=await get_decision(tx, decision_id, caller), also=also)


async def _asked_back(tx: WriteTx, decided: Decided, why: Lift) -> Lift:
    """The day on which the person took his own request back counts, unless the officer names another."""
    proposal = await decisions.find_proposal(tx, decided.proposal_id)
    if why.reason is not SuspensionReason.OWN_REQUEST or why.requested_on or not (proposal and proposal.origin_id):
        return why
    at = await requests.withdrawn_at(tx, proposal.origin_id)
    return replace(why, requested_on=at.astimezone(SHANGHAI).date()) if at else why


def _check(decided: Decided, why: Lift, today: date) -> None:
    ended = decided.effect is Effect.TERMINATE
    fitting = lifted_by(decided.reason, ended=ended)
    if why.reason not in fitting:
        detail = f"A stop for {decided.reason} is lifted for {', '.join(sorted(fitting)) or 'nothing'}."
        if ended:
            detail += " A terminated enrolment comes back for nothing else; the person applies anew."
        raise WrongReasonError(detail)
    if max(why.passed_on, why.requested_on or today) > today:
        detail = "passed_on and requested_on must not lie in the future."
        raise MalformedError(detail)
    if ends_too_early(why.reason, decided.event_on, why.passed_on):
        detail = "passed_on lies before what the stop is for: name the day on which that ended."
        raise MalformedError(detail)


async def _lift_one(deps: Deps, tx: WriteTx, decided: Decided, caller: Caller, why: Lift) -> Lifted:
    if decided.effect not in STEPS:
        return await _undo(deps, tx, decided, why)
    enrolment = await decisions.get_enrolment(tx, decided.subject, decided.program)
    if enrolment.decision_id != decided.decision_id:
        detail = "Another decision stops this benefit by now: lift that one."
        raise ConflictError(detail)
    ended = enrolment.status is Status.TERMINATED
    beneath = await decisions.list_beneath(tx, decided) if ended else []
    answers = ANSWERS.get(why.reason, {})
    left = [each for each in beneath if each.reason not in answers]
    if left:
        return await _suspend_again(deps, tx, decided, left[0], enrolment, caller, reason=why.reason)
    step = Step.REINSTATE if ended else Step.RESUME
    await let_go_on(tx, decided, enrolment.status, step)
    await decisions.lift_all(tx, decided.subject, decided.program, deps.clock.now())
    pause = Pause(
        reason=why.reason,
        suspended_from=decided.stops_from,
        # Until today every run was told to stop, and one that comes later pays nothing twice.
        paid_again_from=next_month(deps.clock.today()),
        passed_on=why.passed_on,
        requested_on=why.requested_on,
    )
    parts = [(each, _own_part(each, answers[each.reason], decided)) for each in beneath]
    owed = await owe(deps, tx, [(decided, pause), *parts], caller)
    lifted = _lifted(decided, pause.paid_again_from, owed)
    fact = await state_changed(deps, tx, decided, GOES_ON[why.reason], pause.paid_again_from)
    await deps.outbox.say(tx, ENROLMENT_RESUMED, fact)
    await _tell(deps, tx, decided, why.reason, lifted.arrears_fen)
    return lifted


def _lifted(decided: Decided, again: date, owed: Sequence[Arrears]) -> Lifted:
    return Lifted(
        decided=decided,
        owed_from=min(each.owed_from for each in owed),
        paid_again_from=again,
        arrears_fen=sum(each.arrears_fen for each in owed),
        withheld_fen=sum(each.withheld_fen for each in owed),
    )


def _own_part(beneath: Decided, reason: SuspensionReason, ended: Decided) -> Pause:
    """The months a suspension stopped alone, before the end of the benefit that stopped it too."""
    until = max(beneath.stops_from, ended.stops_from)
    return Pause(reason=reason, suspended_from=beneath.stops_from, paid_again_from=until)


async def _suspend_again(  # noqa: PLR0913  (two decisions meet here)
    deps: Deps,
    tx: WriteTx,
    decided: Decided,
    earlier: Decided,
    enrolment: Enrolment,
    caller: Caller,
    *,
    reason: SuspensionReason,
) -> Lifted:
    """Whose benefit was ended falsely, and who had been suspended for a reason that stands, goes back to that.

    Only the months between the false end and the suspension are owed.
    """
    status = step_after(enrolment.status, Step.SUSPEND_AGAIN, earlier)
    await decisions.set_enrolment_status(tx, earlier.subject, earlier.program, status, earlier.decision_id)
    await decisions.set_decision_state(tx, decided.decision_id, DecisionState.LIFTED, deps.clock.now())
    pause = Pause(reason=reason, suspended_from=decided.stops_from, paid_again_from=earlier.stops_from)
    [owed] = await owe(deps, tx, [(decided, pause)], caller)
    fact = await state_changed(deps, tx, earlier, earlier.reason, earlier.stops_from)
    await deps.outbox.say(tx, ENROLMENT_SUSPENDED, fact)
    await give_notice(deps, tx, telling(decided, NoticeKind.OTHER_STANDS, reason))
    await give_notice(deps, tx, replace(telling(earlier, NoticeKind.SUSPENDED, reason), reason=earlier.reason))
    if owed.arrears_fen:
        await give_notice(deps, tx, telling(decided, NoticeKind.ARREARS, reason, owed.arrears_fen))
    return _lifted(decided, earlier.stops_from, [owed])


async def _undo(deps: Deps, tx: WriteTx, decided: Decided, why: Lift) -> Lifted:
    """Take back what changed an amount or a payee: nothing was stopped, so nothing is resumed or owed from here."""
    await decisions.set_decision_state(tx, decided.decision_id, DecisionState.LIFTED, deps.clock.now())
    if decided.effect in CHANGES:
        await give_notice(deps, tx, telling(decided, NoticeKind.WITHDRAWN, why.reason))
        await tell_changed(deps, tx, decided, GOES_ON[why.reason])
    again = resumes_from(why.reason, why.passed_on)
    return Lifted(decided=decided, owed_from=again, paid_again_from=again, arrears_fen=0, withheld_fen=0)


async def _tell(deps: Deps, tx: WriteTx, decided: Decided, reason: SuspensionReason, owed: int) -> None:
    await give_notice(deps, tx, telling(decided, NoticeKind.RESUMED, reason))
    if owed:
        await give_notice(deps, tx, telling(decided, NoticeKind.ARREARS, reason, owed))


async def _make_amends(deps: Deps, tx: WriteTx, first: Decided, caller: Caller, why: Lift) -> tuple[UUID, ...]:
    """What a false death asks for beyond this one benefit; the decisions of other programs that fell with it."""
    fallen: list[Decided] = []
    told, later = {first.program}, set[str]()
    for other in await decisions.list_standing(tx, first.subject, sorted(ENDS_LIFE)):
        if not await clearings.is_cleared(tx, other.decision_id):
            later.add(other.program)
            continue  # he may have died since
        told.add(other.program)
        if not await may_see(tx, caller, other.subject, other.program):
            continue  # its own department's work list names it
        if other.state is DecisionState.NOTICE:
            await give_up(deps, tx, other, why.reason)
        else:
            await _lift_one(deps, tx, other, caller, why)
        fallen.append(other)
    ids = tuple(each.decision_id for each in fallen)
    certified = await _certify(deps, tx, first, why.passed_on)
    if await certificates.were_revoked(tx, first.subject, first.decision_id, ids):
        told.update(await certificates.programs_of(tx, first.subject))
    await _retract(deps, tx, first.subject, certified, sorted(told - later))
    await _apologise(deps, tx, first, fallen)
    return ids


async def _retract_death(deps: Deps, tx: WriteTx, decided: Decided, alive_on: date) -> None:
    proposal = await decisions.find_proposal(tx, decided.proposal_id)
    assert proposal is not None  # a decision follows from one
    check_alive(proposal, alive_on, deps.clock.today())
    await retract_death(deps, tx, proposal, alive_on)


async def _retract(deps: Deps, tx: WriteTx, subject: UUID, certified: UUID, programs: Sequence[str]) -> None:
    """Tell every program that was told of the death that it was none, and what certifies the person now."""
    for program in programs:
        happened = feed.Happened(
            kind=EventKind.DEATH_RETRACTED,
            subject=subject,
            program=program,
            about=certified,
            reason=SuspensionReason.FALSE_DEATH,
            occurred_at=deps.clock.now(),
        )
        await feed.tell(deps, tx, happened)


async def _certify(deps: Deps, tx: WriteTx, decided: Decided, seen_on: date) -> UUID:
    """The officer established that the person lives: that certifies him, so that he has to prove nothing."""
    today = deps.clock.today()
    as_of = min(seen_on, today)
    made = Certificate(
        certificate_id=certificate_id(decided.subject, Claim.ALIVE, as_of, Channel.COUNTER),
        subject=decided.subject,
        claim=Claim.ALIVE,
        as_of=as_of,
        channel=Channel.COUNTER,
        strength=Strength.STRONG,
        rule_set=_OFFICER_RULE,
        cap_months=None,
        evidence_ids=(),
        evidence_class=("in_person",),
    )
    kept = await keep_sighting(deps, tx, made, origin=decided.decision_id, at=deps.clock.now())
    assert kept is not None  # whatever was taken back of that day was taken back before
    return kept


async def _apologise(deps: Deps, tx: WriteTx, first: Decided, fallen: Sequence[Decided]) -> None:
    """Apologise for the benefits that had been stopped and go on now; what was only announced never stopped."""
    mended = {
        each.program for each in (first, *fallen) if each.state is DecisionState.EFFECTIVE and each.effect in STEPS
    }
    if not mended:
        return
    telling = Telling(
        subject=first.subject,
        kind=NoticeKind.APOLOGY,
        programs=tuple(sorted(mended)),
        reason=GOES_ON[SuspensionReason.FALSE_DEATH],
        decision_id=first.decision_id,
    )
    await give_notice(deps, tx, telling)
