"""What a lifted stop owes: its months by the rule, but those in which something else would have stopped the benefit."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from services.recognition.domain.arrears import DEFAULT_RULES, ENDED_AS, GOES_ON, WERE_DUE, Pause, owed_fen
from services.recognition.domain.dues import Span
from services.recognition.domain.effects import STEPS
from services.recognition.domain.months import next_month
from services.recognition.domain.programs import ArrearsRule, Effect, EndingEvent, SuspensionReason
from services.recognition.domain.states import DecisionState
from services.recognition.store import arrears, certificates, decisions
from services.recognition.store.arrears import Arrears
from services.recognition.store.decisions import Decided, Proposal
from services.recognition.usecases.deps import Deps
from services.recognition.usecases.gathering import open_overpayment, set_off
from services.recognition.usecases.hearing import shard_of
from services.recognition.usecases.noticing import Telling, give_notice
from services.recognition.usecases.proposing import propose_waiting, together
from services.recognition.usecases.settling import settle
from shared.contracts.vocabulary import NoticeKind
from shared.kit.auth import Caller
from shared.kit.db import WriteTx


@dataclass(frozen=True, slots=True, kw_only=True)
class _Forbidden:
    """Months in which something else that people have found stops a benefit.

    Attributes:
        waits: whether somebody has still to decide on some of it.
        stopped_from: first month of what stops it by now.
    """

    gaps: tuple[Span, ...]
    waits: bool
    stopped_from: date | None


def rule_of(deps: Deps, program: str, reason: SuspensionReason, day: date) -> ArrearsRule:
    """What a program pays back for a reason."""
    return deps.programs[program].in_force(day).arrears.get(reason, DEFAULT_RULES[reason])


async def owe(deps: Deps, tx: WriteTx, decided: Decided, pause: Pause, caller: Caller) -> Arrears:
    """Work out, keep and return what a stop that was just lifted pays back.

    A month is paid once, and claimed back or owed, never both: what was confirmed as paid for months that were due
    after all is set off, and no longer claimed; what a lift before has settled stays so. First what waited behind the
    stop is proposed: what it would have stopped is not paid back before officers have decided on it.
    """
    rule = rule_of(deps, decided.program, pause.reason, pause.paid_again_from)
    await propose_waiting(deps, tx, decided.subject)
    forbidden = await _forbidden(deps, tx, decided)
    made = Arrears(
        decision_id=decided.decision_id,
        subject=decided.subject,
        program=decided.program,
        reason=pause.reason,
        rule=rule,
        suspended_from=pause.suspended_from,
        passed_on=pause.passed_on,
        owed_from=pause.owed_from(rule),
        paid_again_from=pause.paid_again_from,
        arrears_fen=0,
        withheld_fen=0,
    )
    await arrears.add(tx, made, by=caller.user, at=deps.clock.now())
    settled = await settle(deps, tx, decided, forbidden.gaps, GOES_ON[pause.reason])
    every, free = await _worth(deps, tx, decided, made, forbidden)
    fen = max(0, free + settled.refund_fen)
    waits = max(0, every + settled.refund_fen + settled.held_fen) - fen
    made = replace(made, arrears_fen=fen, withheld_fen=waits if forbidden.waits else 0)
    await arrears.save(tx, made)
    await open_overpayment(deps, tx, decided)
    return made


async def _worth(deps: Deps, tx: WriteTx, decided: Decided, made: Arrears, forbidden: _Forbidden) -> tuple[int, int]:
    """What a lift pays back of its months less what was paid for them: of all, and of those that nothing forbids.

    What a lift before has settled is none of its months.
    """
    before = await arrears.list_settled(tx, decided)
    amounts = await decisions.list_amounts(tx, made.subject, made.program)
    worth = []
    for gaps in (before, (*before, *forbidden.gaps)):
        owed = Span(first=made.owed_from, end=made.paid_again_from, gaps=gaps)
        paid = await set_off(deps, tx, decided, owed)
        worth.append(owed_fen(owed, made.rule, amounts, made.suspended_from) - paid)
    return worth[0], worth[1]


async def pay_withheld(deps: Deps, tx: WriteTx) -> int:
    """Pay back what nothing forbids any more of what had to wait; how many are told of something.

    Where it is carried out, its months are its own: if it should turn out to be false, its lifting pays them back.
    """
    told = 0
    for each in await arrears.list_withheld(tx):
        await certificates.lock_shard(tx, shard_of(each.subject))
        decided = await decisions.find_decision(tx, each.decision_id)
        assert decided is not None  # arrears follow from one
        saved = await _released(deps, tx, decided, each)
        if saved != each:
            await arrears.save(tx, saved)
        if paid := saved.arrears_fen - each.arrears_fen:
            await give_notice(deps, tx, telling(decided, NoticeKind.ARREARS, each.reason, paid))
            told += 1
    return told


async def _released(deps: Deps, tx: WriteTx, decided: Decided, kept: Arrears) -> Arrears:
    """What of it is paid back by now, and what waits still."""
    forbidden = await _forbidden(deps, tx, decided)
    settled = await settle(deps, tx, decided, forbidden.gaps, GOES_ON[kept.reason])
    every, free = await _worth(deps, tx, decided, kept, forbidden)
    of_months = max(0, kept.withheld_fen - settled.refund_fen - settled.held_fen - settled.eased_fen)
    left = min(of_months, max(0, every - free))
    until = min(kept.paid_again_from, forbidden.stopped_from or kept.paid_again_from)
    return replace(
        kept,
        paid_again_from=max(kept.suspended_from, until),
        arrears_fen=kept.arrears_fen + of_months - left + settled.refund_fen,
        withheld_fen=left + settled.held_fen if forbidden.waits else 0,
    )


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


async def _forbidden(deps: Deps, tx: WriteTx, lifted: Decided) -> _Forbidden:
    """What else people have found that stops this benefit: proposed, announced, in effect, or over by now."""
    subject, program = lifted.subject, lifted.program
    standing = [
        each
        for each in await decisions.list_standing(tx, subject, list(EndingEvent))
        if each.program == program and each.effect in STEPS and each.decision_id != lifted.decision_id
    ]
    effective = [each.stops_from for each in standing if each.state is DecisionState.EFFECTIVE]
    proposed = [
        each
        for each in await decisions.list_waiting(tx, subject, program)
        if each.under_review and each.effect in STEPS
    ]
    found: Sequence[Decided | Proposal] = [*standing, *proposed]
    firsts = [each.stops_from for each in found if each.stops_from is not None]
    return _Forbidden(
        gaps=(*(Span(first=first) for first in firsts), *await _served(deps, tx, lifted)),
        waits=len(found) > len(effective),
        stopped_from=min(effective, default=None),
    )


async def _served(deps: Deps, tx: WriteTx, lifted: Decided) -> list[Span]:
    """Months of terms that other programs know of, where this one's rule stops for them and pays nothing.

    Of a term that this stop was for itself its own officer has said what it was; and so he has of what he gave up here
    since it was over.
    """
    spans = []
    for row in await arrears.list_served(tx, lifted.subject, lifted.program):
        if EndingEvent(row["reason"]) in together(lifted.reason):
            continue
        version = deps.programs[lifted.program].in_force(row["event_on"])
        named = (EndingEvent(row["reason"]), EndingEvent.IMPRISONMENT, EndingEvent.CRIMINAL_PUNISHMENT)
        event = next((each for each in named if version.effect_of(each) is Effect.SUSPEND), None)
        if event and rule_of(deps, lifted.program, SuspensionReason(row["passed"]), row["event_on"]) not in WERE_DUE:
            spans.append(Span(first=version.stops_from(event, row["event_on"]), end=next_month(row["passed_on"])))
    for row in await arrears.list_passed(tx, lifted.subject, lifted.program):
        rule = rule_of(deps, lifted.program, ENDED_AS[EndingEvent(row["reason"])], row["passed_on"])
        if rule not in WERE_DUE:
            spans.append(Span(first=row["stops_from"], end=next_month(row["passed_on"])))
    return spans
