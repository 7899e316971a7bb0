"""What overpayments claim of months that a lift pays back: let go, and what came back of it is handed out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

import uuid_utils.compat as uuids

from services.recognition.domain.claims import Lines, Stop, as_owed, part_of
from services.recognition.domain.overpayments import Balance, OverpaymentState, RecoveryState, cut, still_due
from services.recognition.store import claims, decisions, overpayments
from services.recognition.store.decisions import Decided
from services.recognition.store.overpayments import Overpayment
from services.recognition.usecases.deps import Deps
from services.recognition.usecases.gathering import periods_of
from services.recognition.usecases.recovering import save, say, tell_not_owed
from shared.kit.db import WriteTx


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What had come back of claims that a lift lets go.

    Attributes:
        refund_fen: of months that are paid back by now.
        held_fen: of months that wait.
    """

    refund_fen: int = 0
    held_fen: int = 0


async def settle(deps: Deps, tx: WriteTx, lifted: Decided, reason: str) -> Settled:
    """Let go of what is claimed of months that a lifted stop pays back; whoever was asked for that hears it.

    What was given up stays so, and plan and deadline of the rest stand. Any stop may hold what came back of the months
    of this one: what one had claimed when they waited for another is claimed no second time. Nor does this one hand
    out what came back of months of another lift that wait.
    """
    refund = waits = 0
    stops = await claims.list_stops(tx, lifted.subject, lifted.program)
    own = lifted.decision_id
    without = stops, as_owed(stops, own), as_owed(stops)
    known = await overpayments.list_claiming(tx, lifted.subject, lifted.program)
    # First its own: what is too much in all is not let go twice.
    for each in sorted(known, key=lambda one: one.decision_id != own):
        if all(stop.decision_id != each.decision_id for stop in stops):
            continue  # a version before has lifted it, and kept no months of it
        now, own_most, at_most = await _let_go(deps, tx, each, without)
        before = each.balance
        due = still_due(before, sum(now.values()), sum(at_most.values()))
        after = cut(before, due)
        if due < before.due:
            await _reduce(deps, tx, each, after, part_of(now, at_most, before.due - due), reason)
        refund += before.recovered - after.recovered
        asked = cut(before, before.due - sum(own_most.values())).asked
        waits += max(0, min(after.recovered, after.asked - asked))
    return Settled(refund_fen=refund, held_fen=waits)


async def _let_go(deps: Deps, tx: WriteTx, known: Overpayment, ways: Sequence[Sequence[Stop]]) -> list[Lines]:
    """What may be let go of it, for each way to look at the stops."""
    decided = await decisions.find_decision(tx, known.decision_id)
    assert decided is not None  # an overpayment follows from one
    periods = await periods_of(deps, tx, decided)
    return [dict(chain(*(each.let_go(stops, known.decision_id).items() for each in periods))) for stops in ways]


async def _reduce(deps: Deps, tx: WriteTx, known: Overpayment, after: Balance, lines: Lines, reason: str) -> None:
    """Take lines out of an overpayment; where more has come back than is due by now, it is another one, and settled."""
    before = known.balance
    if after.gone == before.gone and after.due:
        await overpayments.take_lines(tx, known.overpayment_id, lines)
        come = None if known.plan_before_fen is None else known.plan_before_fen - (before.due - after.due)
        known = await save(deps, tx, replace(known, due_fen=after.due, plan_before_fen=come))
    else:
        cancelled = replace(known, state=OverpaymentState.CANCELLED, changed_at=deps.clock.now())
        await overpayments.save_overpayment(tx, cancelled)
        await say(deps, tx, cancelled)
        if after.due:
            await _open_settled(deps, tx, known, after, lines)
    await tell_not_owed(deps, tx, known, before.asked - after.asked, reason)


async def _open_settled(deps: Deps, tx: WriteTx, known: Overpayment, after: Balance, lines: Lines) -> None:
    """Keep what is still due of it, with what came back for that or was given up."""
    rest = replace(
        known,
        overpayment_id=uuids.uuid7(),
        state=OverpaymentState.CLOSED,
        due_fen=after.due,
        paid_fen=after.paid,
        offset_fen=after.offset,
        written_off_fen=after.written_off,
        opened_at=deps.clock.now(),
        changed_at=deps.clock.now(),
        plan_agreed_at=None,
        plan_before_fen=None,
    )
    await overpayments.add_overpayment(tx, rest)
    await overpayments.copy_lines(tx, known.overpayment_id, rest.overpayment_id)
    await overpayments.take_lines(tx, rest.overpayment_id, lines)
    left = {"paid": after.paid, "offset": after.offset, "written_off": after.written_off}
    for each in await overpayments.list_recoveries(tx, known.overpayment_id):
        fen = min(each.amount_fen, left[each.kind])
        if each.state is RecoveryState.BOOKED and fen:
            left[each.kind] -= fen
            moved = replace(each, recovery_id=uuids.uuid7(), overpayment_id=rest.overpayment_id, amount_fen=fen)
            await overpayments.add_recovery(tx, moved)
    await say(deps, tx, rest)
