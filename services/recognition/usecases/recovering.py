"""Overpayments: told to the family, paid back, set off or given up; to the fen."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from uuid import UUID

import uuid_utils.compat as uuids

from services.recognition.domain.overpayments import (
    NEEDS_ANOTHER,
    AmountError,
    Balance,
    Instalment,
    OffsetAgainst,
    OverpaymentState,
    RecoveryKind,
    RecoveryState,
    ReferredTo,
    book,
    instalments,
)
from services.recognition.store import decisions, overpayments
from services.recognition.store.overpayments import Overpayment, Recovery
from services.recognition.usecases.deps import Deps
from services.recognition.usecases.divisions import may_see
from services.recognition.usecases.foureyes import FourEyesError
from services.recognition.usecases.noticing import Telling, give_notice
from shared.contracts.events.recognition import OVERPAYMENT_CHANGED, OverpaymentChanged
from shared.contracts.vocabulary import NoticeKind
from shared.kit.auth import Caller
from shared.kit.db import ReadTx, WriteTx
from shared.kit.problems import ConflictError, NotFoundError

_OVER = frozenset({OverpaymentState.CLOSED, OverpaymentState.CANCELLED})


class AmountProblemError(ConflictError):
    """More, or less, than is owed."""

    code = "amount"


class ReferenceTakenError(ConflictError):
    """The receipt or file number stands for another amount already."""

    code = "reference_taken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Coming:
    """Money that comes back, or is not to come back.

    Attributes:
        reference: receipt or file number; the same one is booked once.
        against: what it is set off against, for an offset.
    """

    kind: RecoveryKind
    amount_fen: int
    happened_on: date
    reference: str
    against: OffsetAgainst | None = None


async def get_overpayment(tx: ReadTx, overpayment_id: UUID, caller: Caller) -> Overpayment:
    """An overpayment of a program the officer speaks for.

    Raises:
        NotFoundError: none, or another department's.
    """
    found = await overpayments.find_overpayment(tx, overpayment_id)
    if found is None or not await may_see(tx, caller, found.subject, found.program):
        detail = "No overpayment of your programs has this id."
        raise NotFoundError(detail)
    return found


async def ask_refund(deps: Deps, tx: WriteTx, overpayment_id: UUID, caller: Caller) -> Overpayment:
    """Give the refund notice with the time the program's rule allows; again it gives a new deadline.

    Raises:
        ConflictError: nothing is owed any more.
    """
    found = await _open(tx, overpayment_id, caller)
    today = deps.clock.today()
    deadline = today + timedelta(days=deps.programs[found.program].in_force(today).refund_days)
    state = found.state if found.state is OverpaymentState.REFERRED else OverpaymentState.NOTIFIED
    saved = await save(deps, tx, replace(found, state=state, refund_due_on=deadline))
    await _tell(deps, tx, saved, NoticeKind.REFUND, fen=saved.balance.left, deadline_on=deadline)
    return saved


async def _tell(  # noqa: PLR0913  (a notice has this many parts)
    deps: Deps,
    tx: WriteTx,
    about: Overpayment,
    kind: NoticeKind,
    *,
    fen: int,
    deadline_on: date | None = None,
    reason: str | None = None,
) -> None:
    """Tell the person, or his family, of a step of the recovery; without a reason, that of the stop."""
    decided = await decisions.find_decision(tx, about.decision_id)
    telling = Telling(
        subject=about.subject,
        kind=kind,
        programs=(about.program,),
        reason=reason or (decided.reason if decided else "overpayment"),
        amount_fen=fen,
        deadline_on=deadline_on,
        decision_id=about.decision_id,
        overpayment_id=about.overpayment_id,
    )
    await give_notice(deps, tx, telling)


async def _tell_repaid(deps: Deps, tx: WriteTx, saved: Overpayment, kind: RecoveryKind, fen: int) -> None:
    """Tell what has come back or was given up, and whether something is left."""
    whole = saved.balance.settled
    if kind is RecoveryKind.WRITTEN_OFF:
        await tell_not_owed(deps, tx, saved, fen, "written_off" if whole else "written_off_in_part")
        return
    await _tell(deps, tx, saved, NoticeKind.REPAID, fen=fen, reason="repaid_in_full" if whole else "repaid_in_part")


async def tell_not_owed(deps: Deps, tx: WriteTx, about: Overpayment, fen: int, reason: str) -> None:
    """Tell whoever was asked for money that it need not come; whom nobody had asked, nobody need tell."""
    if about.refund_due_on is not None and fen:
        await _tell(deps, tx, about, NoticeKind.NOT_OWED, fen=fen, reason=reason)


async def tell_coming(deps: Deps, tx: WriteTx, limit: int = 100) -> int:
    """Tell of instalments some days before they are due, each once; how many."""
    today = deps.clock.today()
    until = today + timedelta(days=deps.policies.on(today).instalment_days)
    coming = await overpayments.list_coming(tx, today, until, limit)
    for row in coming:
        about = await overpayments.find_overpayment(tx, row["overpayment_id"])
        assert about is not None  # it was just read
        await _tell(deps, tx, about, NoticeKind.INSTALMENT_DUE, fen=row["amount_fen"], deadline_on=row["due_on"])
    return len(coming)


async def agree_plan(
    deps: Deps, tx: WriteTx, overpayment_id: UUID, caller: Caller, *, parts: int, first_due_on: date
) -> Sequence[Instalment]:
    """Agree on monthly parts of what is still owed; a new plan replaces the one before.

    Raises:
        ConflictError: nothing is owed any more, or it begins in the past.
        AmountProblemError: more parts than fen.
    """
    found = await _open(tx, overpayment_id, caller)
    if first_due_on < deps.clock.today():
        detail = "A plan begins today or later."
        raise ConflictError(detail)
    try:
        plan = instalments(found.balance.left, parts, first_due_on)
    except AmountError as error:
        raise AmountProblemError(str(error)) from error
    await overpayments.replace_plan(tx, overpayment_id, plan)
    began = replace(found, plan_agreed_at=deps.clock.now(), plan_before_fen=found.balance.gone)
    saved = await save(deps, tx, replace(began, refund_due_on=plan[-1].due_on))
    await _tell(deps, tx, saved, NoticeKind.PLAN_AGREED, fen=saved.balance.left, deadline_on=plan[0].due_on)
    return plan


async def record(deps: Deps, tx: WriteTx, overpayment_id: UUID, caller: Caller, coming: Coming) -> Recovery:
    """Book a payment at once; propose an offset or a write-off, which another officer approves.

    The same reference and amount again change nothing and give the first one back.

    Raises:
        ConflictError: nothing is owed any more.
        AmountProblemError: nothing, or more than is owed.
        ReferenceTakenError: the reference stands for something else.
    """
    known = await _same(tx, overpayment_id, caller, coming)
    if known:
        return known
    found = await _open(tx, overpayment_id, caller)
    waits = coming.kind in NEEDS_ANOTHER
    after = _booked(found.balance, coming.kind, coming.amount_fen)
    recovery = Recovery(
        recovery_id=uuids.uuid7(),
        overpayment_id=overpayment_id,
        kind=coming.kind,
        state=RecoveryState.PROPOSED if waits else RecoveryState.BOOKED,
        amount_fen=coming.amount_fen,
        happened_on=coming.happened_on,
        reference=coming.reference,
        against=coming.against,
        asked_by=caller.user,
        asked_at=deps.clock.now(),
        answered_by=None,
        answered_at=None,
    )
    await overpayments.add_recovery(tx, recovery)
    if not waits:
        saved = await save(deps, tx, _with(found, after))
        await _tell_repaid(deps, tx, saved, coming.kind, coming.amount_fen)
    return recovery


async def answer(deps: Deps, tx: WriteTx, recovery_id: UUID, caller: Caller, *, approve: bool) -> Recovery:
    """Another officer approves or refuses what one proposed.

    Raises:
        NotFoundError: none, or another department's.
        ConflictError: it is answered already.
        FourEyesError: by the officer who proposed it.
        AmountProblemError: it is more than is still owed by now.
    """
    asked = await overpayments.find_recovery(tx, recovery_id)
    if asked is None:
        detail = "No recovery of your programs has this id."
        raise NotFoundError(detail)
    found = await get_overpayment(tx, asked.overpayment_id, caller)
    if asked.state is not RecoveryState.PROPOSED:
        detail = f"It is {asked.state} already."
        raise ConflictError(detail)
    if asked.asked_by == caller.user:
        detail = "Another officer than the one who proposed it has to answer."
        raise FourEyesError(detail)
    state = RecoveryState.BOOKED if approve else RecoveryState.REFUSED
    if approve:
        _refuse_closed(found)
        saved = await save(deps, tx, _with(found, _booked(found.balance, asked.kind, asked.amount_fen)))
        await _tell_repaid(deps, tx, saved, asked.kind, asked.amount_fen)
    now = deps.clock.now()
    await overpayments.answer_recovery(tx, recovery_id, state, by=caller.user, at=now)
    return replace(asked, state=state, answered_by=caller.user, answered_at=now)


async def refer(deps: Deps, tx: WriteTx, overpayment_id: UUID, caller: Caller, to: ReferredTo) -> Overpayment:
    """Hand it over to who can enforce it, after the notice's time has run out, and say so; it stays open.

    Raises:
        ConflictError: nothing is owed any more, or there is still time to pay.
    """
    found = await _open(tx, overpayment_id, caller)
    if found.refund_due_on is None or deps.clock.today() <= found.refund_due_on:
        detail = "Refer it after a refund notice whose time has run out."
        raise ConflictError(detail)
    saved = await save(deps, tx, replace(found, state=OverpaymentState.REFERRED, referred_to=to))
    await _tell(deps, tx, saved, NoticeKind.REFERRED, fen=saved.balance.left, reason=f"referred_to_{to}")
    return saved


async def _same(tx: WriteTx, overpayment_id: UUID, caller: Caller, coming: Coming) -> Recovery | None:
    await get_overpayment(tx, overpayment_id, caller)
    known = await overpayments.find_by_reference(tx, overpayment_id, coming.reference)
    if known is None:
        return None
    if (known.kind, known.amount_fen) != (coming.kind, coming.amount_fen):
        detail = "This reference stands for another amount or kind already; give the receipt's own number."
        raise ReferenceTakenError(detail)
    return known


async def _open(tx: WriteTx, overpayment_id: UUID, caller: Caller) -> Overpayment:
    found = await get_overpayment(tx, overpayment_id, caller)
    _refuse_closed(found)
    return found


def _refuse_closed(found: Overpayment) -> None:
    if found.state in _OVER:
        detail = f"The overpayment is {found.state}: nothing is owed any more."
        raise ConflictError(detail)


def _booked(balance: Balance, kind: RecoveryKind, fen: int) -> Balance:
    try:
        return book(balance, kind, fen)
    except AmountError as error:
        raise AmountProblemError(str(error)) from error


def _with(found: Overpayment, balance: Balance) -> Overpayment:
    return replace(found, paid_fen=balance.paid, offset_fen=balance.offset, written_off_fen=balance.written_off)


async def save(deps: Deps, tx: WriteTx, changed: Overpayment) -> Overpayment:
    """Write it back, closed exactly when nothing is owed, and say so."""
    state = changed.state
    if changed.balance.settled:
        state = OverpaymentState.CLOSED
    elif state is OverpaymentState.CLOSED:
        state = OverpaymentState.NOTIFIED if changed.refund_due_on else OverpaymentState.CALCULATED
    saved = replace(changed, state=state, changed_at=deps.clock.now())
    await overpayments.save_overpayment(tx, saved)
    await say(deps, tx, saved)
    return saved


async def say(deps: Deps, tx: WriteTx, overpayment: Overpayment) -> None:
    """Say where an overpayment stands."""
    fact = OverpaymentChanged(
        overpayment_id=overpayment.overpayment_id,
        subject=overpayment.subject,
        program=overpayment.program,
        case_id=overpayment.case_id,
        due_fen=overpayment.due_fen,
        recovered_fen=overpayment.balance.recovered,
        closed=overpayment.state in _OVER,
        changed_at=overpayment.changed_at,
    )
    await deps.outbox.say(tx, OVERPAYMENT_CHANGED, fact)
