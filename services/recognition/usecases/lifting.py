"""Lifting a stop in one step: resume or reinstate, arrears by the reason, and amends where a death was false."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from services.recognition.domain.arrears import DEFAULT_RULES, Amount, Pause, arrears_fen, resumes_from
from services.recognition.domain.certificates import Certificate, certificate_id
from services.recognition.domain.enrolments import Status, Step
from services.recognition.domain.months import first_of_month
from services.recognition.domain.overpayments import net_arrears, part_within
from services.recognition.domain.programs import ArrearsRule, Effect, SuspensionReason, period_months
from services.recognition.domain.states import DecisionState
from services.recognition.store import certificates, decisions, overpayments
from services.recognition.store.decisions import Decided, Enrolment
from services.recognition.usecases.corrections import ask_of_case
from services.recognition.usecases.decide import expect_decision, get_decision, step_after
from services.recognition.usecases.deps import Deps
from services.recognition.usecases.hearing import shard_of
from services.recognition.usecases.noticing import Telling, give_notice
from services.recognition.usecases.recovering import cancel_overpayment
from services.recognition.usecases.reviews import end_review
from services.recognition.usecases.stopping import ENDS_LIFE, give_up, state_changed
from shared.contracts.events.recognition import ENROLMENT_RESUMED
from shared.contracts.vocabulary import Channel, Claim, NoticeKind, Strength
from shared.kit.auth import Caller
from shared.kit.db import WriteTx
from shared.kit.problems import ConflictError

_OFFICER_RULE = "officer@1"
_WERE_DUE = frozenset({ArrearsRule.ALL, ArrearsRule.ALL_WITH_INCREASES})


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
        also: other decisions on the person that fell with it, where a death was false.
    """

    decided: Decided
    paid_again_from: date
    arrears_fen: int
    also: tuple[UUID, ...] = ()


async def lift(deps: Deps, tx: WriteTx, decision_id: UUID, caller: Caller, why: Lift) -> Lifted:
    """One step back: resume or reinstate, with what is paid back by the reason of the suspension.

    A false death falls in every program of the person the officer speaks for at once; the register's department is
    asked to correct it, the person is certified again by the officer's word, and an apology goes out.

    Raises:
        ConflictError: nothing is stopped, or a termination is lifted for another reason than a false death.
    """
    decided = await get_decision(tx, decision_id, caller)
    expect_decision(decided, DecisionState.EFFECTIVE)
    if decided.effect is Effect.TERMINATE and why.reason is not SuspensionReason.FALSE_DEATH:
        detail = "A terminated enrolment comes back only when its reason was false; else the person applies anew."
        raise ConflictError(detail)
    await certificates.lock_shard(tx, shard_of(decided.subject))
    lifted = await _lift_one(deps, tx, decided, caller, why)
    also: tuple[UUID, ...] = ()
    if why.reason is SuspensionReason.FALSE_DEATH:
        also = await _make_amends(deps, tx, decided, caller, why)
    await end_review(deps, tx, decided.subject, decided.proposal_id)
    return Lifted(
        decided=await get_decision(tx, decision_id, caller),
        paid_again_from=lifted.paid_again_from,
        arrears_fen=lifted.arrears_fen,
        also=also,
    )


async def _lift_one(deps: Deps, tx: WriteTx, decided: Decided, caller: Caller, why: Lift) -> Lifted:
    enrolment = await decisions.get_enrolment(tx, decided.subject, decided.program)
    if enrolment.decision_id != decided.decision_id:
        detail = "Another decision stops this benefit by now: lift that one."
        raise ConflictError(detail)
    step = Step.REINSTATE if enrolment.status is Status.TERMINATED else Step.RESUME
    await decisions.set_enrolment_status(
        tx, decided.subject, decided.program, step_after(enrolment.status, step, decided), None
    )
    await decisions.lift_all(tx, decided.subject, decided.program, deps.clock.now())
    pause = Pause(
        reason=why.reason,
        suspended_from=decided.stops_from,
        paid_again_from=resumes_from(why.reason, why.passed_on),
        requested_on=why.requested_on,
    )
    owed = await _arrears(deps, tx, decided, enrolment, pause, caller)
    await deps.outbox.say(tx, ENROLMENT_RESUMED, await state_changed(deps, tx, decided, pause.paid_again_from))
    await _tell(deps, tx, decided, why.reason, owed)
    return Lifted(decided=decided, paid_again_from=pause.paid_again_from, arrears_fen=owed)


async def _arrears(
    deps: Deps, tx: WriteTx, decided: Decided, enrolment: Enrolment, pause: Pause, caller: Caller
) -> int:
    version = deps.programs[decided.program].in_force(pause.paid_again_from)
    rule = version.arrears.get(pause.reason, DEFAULT_RULES[pause.reason])
    amounts = [
        Amount(from_on=date.min, fen=decided.amount_fen),
        Amount(from_on=first_of_month(enrolment.received_at.date()), fen=enrolment.amount_fen),
    ]
    owed = arrears_fen(pause, rule, amounts)
    if rule in _WERE_DUE:
        months, end = period_months(deps.programs[decided.program].paid), pause.paid_again_from
        paid = [
            part_within(row["amount_fen"], row["month"], months, pause.suspended_from, end)
            for row in await overpayments.list_paid_before(tx, decided.subject, decided.program, end)
        ]
        owed = net_arrears(owed, paid, await cancel_overpayment(deps, tx, decided.decision_id))
    await decisions.add_arrears(
        tx,
        decided,
        reason=pause.reason,
        rule=rule,
        suspended_from=pause.suspended_from,
        paid_again_from=pause.paid_again_from,
        arrears_fen=owed,
        by=caller.user,
        at=deps.clock.now(),
    )
    return owed


async def _tell(deps: Deps, tx: WriteTx, decided: Decided, reason: SuspensionReason, owed: int) -> None:
    kinds: list[tuple[NoticeKind, int | None]] = [(NoticeKind.RESUMED, None)]
    if owed:
        kinds.append((NoticeKind.ARREARS, owed))
    for kind, amount in kinds:
        telling = Telling(
            subject=decided.subject,
            kind=kind,
            programs=(decided.program,),
            reason=reason,
            amount_fen=amount,
            decision_id=decided.decision_id,
        )
        await give_notice(deps, tx, telling)


async def _make_amends(deps: Deps, tx: WriteTx, first: Decided, caller: Caller, why: Lift) -> tuple[UUID, ...]:
    """What a false death asks for beyond this one benefit; the decisions of other programs that fell with it."""
    fallen: list[UUID] = []
    told = {first.program}
    for other in await decisions.list_standing(tx, first.subject, sorted(ENDS_LIFE)):
        told.add(other.program)
        if not caller.may_program(other.program):
            continue  # its own department's work list names it
        if other.state is DecisionState.NOTICE:
            await give_up(deps, tx, other)
        else:
            await _lift_one(deps, tx, other, caller, why)
        fallen.append(other.decision_id)
    await _certify(deps, tx, first, why.passed_on)
    proposal = await decisions.find_proposal(tx, first.proposal_id)
    if proposal is not None and proposal.case_id is not None:
        await ask_of_case(deps, tx, proposal.case_id, first.subject)
    if await certificates.were_revoked(tx, first.subject, first.decision_id, fallen):
        told.update(await certificates.programs_of(tx, first.subject))
    await _apologise(deps, tx, first, sorted(told))
    return tuple(fallen)


async def _certify(deps: Deps, tx: WriteTx, decided: Decided, seen_on: date) -> None:
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
    await certificates.save_certificate(tx, made, issued_on=today, origin=decided.decision_id)


async def _apologise(deps: Deps, tx: WriteTx, decided: Decided, programs: Sequence[str]) -> None:
    telling = Telling(
        subject=decided.subject,
        kind=NoticeKind.APOLOGY,
        programs=tuple(programs),
        reason=SuspensionReason.FALSE_DEATH,
        decision_id=decided.decision_id,
    )
    await give_notice(deps, tx, telling)
