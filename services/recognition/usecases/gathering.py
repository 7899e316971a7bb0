"""Overpayments opened from what programs confirm as paid for months that were not due."""

from dataclasses import replace
from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import UUID

import uuid_utils.compat as uuids

from services.recognition.domain.dues import Span, most_between, not_due
from services.recognition.domain.overpayments import OverpaymentState
from services.recognition.domain.programs import period_months
from services.recognition.store import decisions, overpayments
from services.recognition.store.decisions import Decided
from services.recognition.store.overpayments import Overpayment
from services.recognition.usecases.deps import Deps
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
    """What no overpayment holds yet of payments for months of the stop.

    What a lift has paid back was set off against what had been confirmed until then.
    """
    end = await overpayments.find_end(tx, decided.decision_id)
    stop = Span(first=decided.stops_from, end=end.until)
    parts = await list_not_due(deps, tx, decided, stop)
    if end.lifted_at:
        before = await list_not_due(deps, tx, decided, replace(stop, end=end.owed_from))
        parts = [each for each in parts if each["recorded_at"] > end.lifted_at]
        parts += [each for each in before if each["recorded_at"] <= end.lifted_at]
    return [each for each in parts if each["amount_fen"] > 0 and not each["claimed_fen"]]


async def list_not_due(deps: Deps, tx: ReadTx, decided: Decided, stop: Span) -> list[dict[str, Any]]:
    """Payments for periods that reach these months of a benefit, each with what of it the other months do not make."""
    subject, program = decided.subject, decided.program
    months = period_months(deps.programs[program].paid)
    rows = await overpayments.list_paid(tx, subject, program, first=stop.first, end=stop.end, months=months)
    amounts = await decisions.list_amounts(tx, subject, program) if rows else []
    found = []
    for month, some in groupby(rows, key=itemgetter("month")):
        period = list(some)
        monthly = most_between(amounts, month, max(row["paid_on"] for row in period))
        kept = [row["amount_fen"] - row["claimed_fen"] for row in period]
        parts = not_due(kept, monthly, months, len(stop.months_of(month, months)))
        found += [{**row, "amount_fen": part} for row, part in zip(period, parts, strict=True)]
    return found


async def reaches(deps: Deps, tx: WriteTx, decided: Decided, owed: Span) -> bool:
    """Whether the overpayment that a decision led to claims anything of periods with months that were due after all."""
    known = await overpayments.find_of_decision(tx, decided.decision_id)
    months = period_months(deps.programs[decided.program].paid)
    lines = await overpayments.list_lines(tx, known.overpayment_id) if known else []
    return any(owed.months_of(line["month"], months) for line in lines)


async def gather_late(deps: Deps, tx: WriteTx, limit: int = 100) -> int:
    """Open or enlarge overpayments for payments confirmed after their stop; how many it touched."""
    late = await list_late(deps, tx, limit)
    for decided in late:
        await open_overpayment(deps, tx, decided)
    return len(late)


async def list_late(deps: Deps, tx: ReadTx, limit: int = 100) -> list[Decided]:
    """Decisions after which something was confirmed as paid that is not gathered yet; at most so many."""
    late: list[Decided] = []
    periods = {code: period_months(program.paid) for code, program in deps.programs.items()}
    for decision_id in await overpayments.list_late(tx, periods):
        decided = await decisions.find_decision(tx, decision_id)
        if decided is not None and await _lines(deps, tx, decided):
            late.append(decided)
        if len(late) == limit:
            break
    return late
