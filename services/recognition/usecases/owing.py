"""What a lifted stop owes: its months by the rule, but those in which something else would have stopped the benefit."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from uuid import UUID

from services.recognition.domain.arrears import DEFAULT_RULES, GOES_ON, WERE_DUE, Found, Pause, owed_fen, unpaid_events
from services.recognition.domain.dues import Span
from services.recognition.domain.effects import STEPS
from services.recognition.domain.months import next_month
from services.recognition.domain.programs import ArrearsRule, Effect, EndingEvent, SuspensionReason
from services.recognition.domain.states import DecisionState
from services.recognition.store import arrears, certificates, decisions, overpayments
from services.recognition.store.arrears import Arrears
from services.recognition.store.decisions import Decided
from services.recognition.usecases.deps import Deps
from services.recognition.usecases.gathering import open_overpayment, set_off
from services.recognition.usecases.hearing import shard_of
from services.recognition.usecases.noticing import Telling, give_notice
from services.recognition.usecases.proposing import propose_waiting
from services.recognition.usecases.settling import settle
from shared.contracts.vocabulary import NoticeKind
from shared.kit.auth import Caller
from shared.kit.db import WriteTx


def rule_of(deps: Deps, program: str, reason: SuspensionReason, day: date) -> ArrearsRule:
    """What a program pays back for a reason."""
    return deps.programs[program].in_force(day).arrears.get(reason, DEFAULT_RULES[reason])


async def owe(deps: Deps, tx: WriteTx, lifts: Sequence[tuple[Decided, Pause]], caller: Caller) -> list[Arrears]:
    """Work out, keep and return what stops of a benefit that were just lifted together pay back.

    A month is paid once, and claimed back or owed, never both: what was confirmed as paid for months that were due
    after all is set off, and no longer claimed; what a lift before has settled stays so. First what waited behind the
    stop is proposed: what it would have stopped is not paid back before officers have decided on it. All are kept
    before one is settled: none hands out what came back of months of another.
    """
    made = [_kept(deps, *each) for each in lifts]
    await propose_waiting(deps, tx, made[0].subject)
    now = deps.clock.now()
    for each in made:
        await arrears.add(tx, each, by=caller.user, at=now)
    return [await _settle(deps, tx, decided, each) for (decided, _), each in zip(lifts, made, strict=True)]


def _kept(deps: Deps, decided: Decided, pause: Pause) -> Arrears:
    rule = rule_of(deps, decided.program, pause.reason, pause.paid_again_from)
    owed_from = pause.owed_from(rule)
    return Arrears(
        decision_id=decided.decision_id,
        subject=decided.subject,
        program=decided.program,
        reason=pause.reason,
        rule=rule,
        suspended_from=pause.suspended_from,
        passed_on=pause.passed_on,
        owed_from=owed_from,
        paid_again_from=pause.paid_again_from,
        waits_from=owed_from,
    )


async def pay_withheld(deps: Deps, tx: WriteTx, subject: UUID, program: str) -> int:
    """Pay back what nothing forbids any more of what had to wait; how many lifts are told of something."""
    await certificates.lock_shard(tx, shard_of(subject))
    return await settle_waiting(deps, tx, subject, program)


async def settle_waiting(deps: Deps, tx: WriteTx, subject: UUID, program: str) -> int:
    """The same of one benefit, whose shard is held.

    Where it is carried out, its months are its own: if it should turn out to be false, its lifting pays them back.
    """
    told = 0
    for each in await arrears.list_waiting(tx, subject, program):
        decided = await decisions.find_decision(tx, each.decision_id)
        assert decided is not None  # arrears follow from one
        saved = await _settle(deps, tx, decided, each)
        if paid := saved.arrears_fen - each.arrears_fen:
            await give_notice(deps, tx, telling(decided, NoticeKind.ARREARS, each.reason, paid))
            told += 1
    return told


async def _settle(deps: Deps, tx: WriteTx, decided: Decided, kept: Arrears) -> Arrears:
    """Settle what months of a lifted stop can be by what is found now: paid back or due to nobody; the others wait."""
    found = await _found(deps, tx, decided)
    made = replace(kept, waits_from=kept.waits_from or kept.owed_from).by(found)
    if made != kept:
        await arrears.save(tx, made)  # what is claimed goes by its months
    before = 0 if kept.waits_from else await overpayments.let_go_fen(tx, kept.subject, kept.program)
    settled = await settle(deps, tx, decided, GOES_ON[made.reason])
    every, free = [await _worth(deps, tx, decided, made, owed) for owed in (made.due(), made.free())]
    # A version before did not keep what of it had come back: what was, and no month makes which waits for nothing.
    come = kept.refunded_fen if kept.waits_from else min(before, max(0, kept.arrears_fen - max(0, free)))
    paying = replace(made, refunded_fen=come).paying(every, free, settled.refund_fen, settled.held_fen)
    if paying != made:
        await arrears.save(tx, paying)
    await open_overpayment(deps, tx, decided)
    return paying


async def _worth(deps: Deps, tx: WriteTx, decided: Decided, made: Arrears, owed: Span) -> int:
    """What months make less what was paid for them; what a lift before has settled is none of them."""
    owed = replace(owed, gaps=(*owed.gaps, *await arrears.list_settled(tx, decided)))
    amounts = await decisions.list_amounts(tx, made.subject, made.program)
    paid = await set_off(deps, tx, decided, owed)
    return owed_fen(owed, made.rule, amounts, made.suspended_from) - paid


def telling(decided: Decided, kind: NoticeKind, reason: SuspensionReason, amount_fen: int | None = None) -> Telling:
    """What the person is told of a lifted stop."""
    return Telling(
        subject=decided.subject,
        kind=kind,
        programs=(decided.program,),
        reason=GOES_ON[reason],
        amount_fen=amount_fen,
        decision_id=decided.decision_id,
    )


async def _found(deps: Deps, tx: WriteTx, lifted: Decided) -> Found:
    """What else people have found that stops this benefit: proposed, announced, in effect, or over by now."""
    subject, program = lifted.subject, lifted.program
    standing = [
        each
        for each in await decisions.list_standing(tx, subject, list(EndingEvent))
        if each.program == program and each.effect in STEPS and each.decision_id != lifted.decision_id
    ]
    in_effect = [each.stops_from for each in standing if each.state is DecisionState.EFFECTIVE]
    announced = [each.stops_from for each in standing if each.state is not DecisionState.EFFECTIVE]
    proposed = [
        each.stops_from
        for each in await decisions.list_waiting(tx, subject, program)
        if each.under_review and each.effect in STEPS and each.stops_from is not None
    ]
    return Found(
        undecided=(*announced, *proposed), in_effect=tuple(in_effect), over=tuple(await _over(deps, tx, lifted))
    )


async def _over(deps: Deps, tx: WriteTx, lifted: Decided) -> list[Span]:
    """Months of terms that other programs know of, where this one's rule stops for them and pays nothing.

    Of a term that this one's own officers are asked about they say what it was: what they gave up since it was over.
    """
    spans = []
    for row in await arrears.list_served(tx, lifted.subject, lifted.program):
        version = deps.programs[lifted.program].in_force(row["began"])
        named = (EndingEvent(row["reason"]), EndingEvent.IMPRISONMENT, EndingEvent.CRIMINAL_PUNISHMENT)
        event = next((each for each in named if version.effect_of(each) is Effect.SUSPEND), None)
        if event and rule_of(deps, lifted.program, SuspensionReason(row["passed"]), row["began"]) not in WERE_DUE:
            spans.append(Span(first=version.stops_from(event, row["began"]), end=next_month(row["passed_on"])))
    return spans + [
        Span(first=row["stops_from"], end=next_month(row["passed_on"]))
        for row in await arrears.list_passed(tx, lifted.subject, lifted.program)
        if row["reason"] in unpaid_events(deps.programs[lifted.program].in_force(row["passed_on"]).arrears)
    ]
