"""Overpayments opened from what programs confirm as paid for months that were not due."""

from dataclasses import replace
from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import UUID

import uuid_utils.compat as uuids

from services.recognition.domain.claims import Paid, Period, beside
from services.recognition.domain.dues import Span, most_between
from services.recognition.domain.overpayments import OverpaymentState
from services.recognition.domain.programs import period_months
from services.recognition.store import certificates, claims, decisions, overpayments
from services.recognition.store.decisions import Decided
from services.recognition.store.overpayments import Overpayment
from services.recognition.usecases.deps import Deps
from services.recognition.usecases.hearing import shard_of
from services.recognition.usecases.recovering import save, say
from shared.kit.db import ReadTx, WriteTx


async def open_overpayment(deps: Deps, tx: WriteTx, decided: Decided) -> UUID | None:
    """Gather what was confirmed as paid for months from the stop on; None where nothing was.

    Called again for a decision whose overpayment is open, it adds what was confirmed since; where a lift has cancelled
    that one, what was paid back and is confirmed as paid too is another.
    """
    lines = await _lines(deps, tx, decided)
    if not lines:
        return None
    now, due = deps.clock.now(), sum(line["amount_fen"] for line in lines)
    known = await overpayments.find_of_decision(tx, decided.decision_id)
    if known is not None:
        await overpayments.add_lines(tx, known.overpayment_id, lines)
        await save(deps, tx, replace(known, due_fen=known.due_fen + due))
        return known.overpayment_id
    proposal = await decisions.find_proposal(tx, decided.proposal_id)
    opened = Overpayment(
        overpayment_id=uuids.uuid7(),
        subject=decided.subject,
        program=decided.program,
        decision_id=decided.decision_id,
        case_id=proposal.case_id if proposal else None,
        stops_from=decided.stops_from,
        state=OverpaymentState.CALCULATED,
        due_fen=due,
        paid_fen=0,
        offset_fen=0,
        written_off_fen=0,
        opened_at=now,
        refund_due_on=None,
        referred_to=None,
        changed_at=now,
    )
    await overpayments.add_overpayment(tx, opened)
    await overpayments.add_lines(tx, opened.overpayment_id, lines)
    await say(deps, tx, opened)
    return opened.overpayment_id


async def _lines(deps: Deps, tx: ReadTx, decided: Decided) -> list[dict[str, Any]]:
    """What a stop claims of payments for its months that no overpayment holds yet."""
    stops = await claims.list_stops(tx, decided.subject, decided.program)
    return [
        {"month": period.month, "payrun_id": paid.payrun_id, "amount_fen": fen, "paid_on": paid.paid_on}
        for period in await periods_of(deps, tx, decided)
        for paid, fen in period.unclaimed(stops, decided.decision_id)
    ]


async def set_off(deps: Deps, tx: ReadTx, decided: Decided, owed: Span) -> int:
    """What was paid, when it was lifted, for months that a lifted stop owes; what was rightly stopped comes first."""
    stops = await claims.list_stops(tx, decided.subject, decided.program)
    at = next(each.lifted_at for each in stops if each.decision_id == decided.decision_id)
    # What is confirmed later was paid twice, and is claimed.
    periods = [each.until(at) if at else each for each in await periods_of(deps, tx, decided)]
    return sum(period.set_off(owed, beside(stops, decided.decision_id, owed)) for period in periods)


async def periods_of(deps: Deps, tx: ReadTx, decided: Decided) -> list[Period]:
    """Periods that reach months from the stop on and were paid for."""
    months = period_months(deps.programs[decided.program].paid)
    rows = await claims.list_paid(tx, decided, months)
    amounts = await decisions.list_amounts(tx, decided.subject, decided.program) if rows else []
    found = []
    for month, some in groupby(rows, key=itemgetter("month")):
        paid = tuple(Paid(**{name: row[name] for name in Paid.__dataclass_fields__}) for row in some)
        monthly = most_between(amounts, month, max(each.paid_on for each in paid))
        found.append(Period(month=month, months=months, monthly_fen=monthly, paid=paid))
    return found


async def gather(deps: Deps, tx: WriteTx, late: Decided) -> bool:
    """Open or enlarge the overpayment for payments confirmed after a stop; False where another has by now."""
    await certificates.lock_shard(tx, shard_of(late.subject))  # else two at once would both claim the same
    return await open_overpayment(deps, tx, late) is not None


async def list_late(deps: Deps, tx: ReadTx, limit: int = 100) -> list[Decided]:
    """Decisions after which something was confirmed as paid that is not gathered yet; at most so many."""
    late: list[Decided] = []
    periods = {code: period_months(program.paid) for code, program in deps.programs.items()}
    for decision_id in await claims.list_late(tx, periods):
        decided = await decisions.find_decision(tx, decision_id)
        if decided is not None and await _lines(deps, tx, decided):
            late.append(decided)
        if len(late) == limit:
            break
    return late
