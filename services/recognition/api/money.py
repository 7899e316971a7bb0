"""Overpayments for officers: the notice, what comes back, a plan, an offset, a write-off."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Security

from services.recognition.api.deps import DepsOf, asker
from services.recognition.domain.overpayments import OverpaymentState, late_fen
from services.recognition.schemas.money import (
    InstalmentOut,
    OverpaymentDetailOut,
    OverpaymentOut,
    OverpaymentsOut,
    PaymentOut,
    PlanIn,
    PlanOut,
    RecoveryIn,
    RecoveryOut,
    ReferIn,
)
from services.recognition.store import overpayments
from services.recognition.store.lookups import log_usage
from services.recognition.store.overpayments import Overpayment
from services.recognition.usecases import recovering
from services.recognition.usecases.recovering import Coming
from shared.kit.auth import Caller, allow
from shared.kit.problems import PROBLEM_RESPONSES

router = APIRouter(prefix="/v1", tags=["officer"], responses=PROBLEM_RESPONSES)

Officer = Annotated[Caller, Security(allow("recognition.manage", roles=("officer",)))]
Limit = Annotated[int, Query(ge=1, le=200)]


@router.get("/overpayments")
async def list_overpayments(
    caller: Officer,
    found: DepsOf,
    state: OverpaymentState | None = None,
    after: UUID | None = None,
    limit: Limit = 50,
) -> OverpaymentsOut:
    """Overpayments of the officer's programs, oldest first."""
    programs = [code for code in found.programs if caller.may_program(code)]
    async with found.database.read() as tx:
        listed = await overpayments.list_overpayments(tx, programs, state=state, after=after, limit=limit)
    items = [OverpaymentOut.model_validate(_plain(each)) for each in listed]
    return OverpaymentsOut(items=items, next=items[-1].overpayment_id if len(items) == limit else None)


@router.get("/overpayments/{overpayment_id}")
async def get_overpayment(
    overpayment_id: UUID, caller: Officer, found: DepsOf, request: Request
) -> OverpaymentDetailOut:
    """One overpayment: the payments it consists of, what came back, and the plan; the look is logged."""
    async with found.database.write() as tx:
        one = await recovering.get_overpayment(tx, overpayment_id, caller)
        who = asker(request, found, caller, "overpayment", why=None, program=one.program)
        await log_usage(tx, who, subject=one.subject, answer="seen")
        lines = await overpayments.list_lines(tx, overpayment_id)
        back = await overpayments.list_recoveries(tx, overpayment_id)
        plan = await overpayments.list_plan(tx, overpayment_id)
    return OverpaymentDetailOut(
        **_plain(one),
        payments=[PaymentOut.model_validate(dict(each)) for each in lines],
        recoveries=[RecoveryOut.model_validate(each) for each in back],
        plan=[InstalmentOut.model_validate(each) for each in plan],
        late_fen=late_fen(plan, one.balance.recovered, found.clock.today()),
    )


@router.post("/overpayments/{overpayment_id}:ask-refund")
async def ask_refund(overpayment_id: UUID, caller: Officer, found: DepsOf) -> OverpaymentOut:
    """Give the refund notice, with the time the program's rule allows."""
    async with found.database.write() as tx:
        return OverpaymentOut.model_validate(_plain(await recovering.ask_refund(found, tx, overpayment_id, caller)))


@router.post("/overpayments/{overpayment_id}:plan")
async def agree_plan(overpayment_id: UUID, body: PlanIn, caller: Officer, found: DepsOf) -> PlanOut:
    """Agree on monthly parts of what is still owed; they add up to it exactly."""
    async with found.database.write() as tx:
        plan = await recovering.agree_plan(
            found, tx, overpayment_id, caller, parts=body.parts, first_due_on=body.first_due_on
        )
    return PlanOut(items=[InstalmentOut.model_validate(each) for each in plan])


@router.post("/overpayments/{overpayment_id}:recover")
async def record_recovery(overpayment_id: UUID, body: RecoveryIn, caller: Officer, found: DepsOf) -> RecoveryOut:
    """Book a payment, or propose an offset or a write-off; the same reference again changes nothing."""
    coming = Coming(
        kind=body.kind,
        amount_fen=body.amount_fen,
        happened_on=body.happened_on,
        reference=body.reference,
        against=body.against,
    )
    async with found.database.write() as tx:
        return RecoveryOut.model_validate(await recovering.record(found, tx, overpayment_id, caller, coming))


@router.post("/overpayments/{overpayment_id}:refer")
async def refer(overpayment_id: UUID, body: ReferIn, caller: Officer, found: DepsOf) -> OverpaymentOut:
    """Hand it over to who can enforce it; it stays open."""
    async with found.database.write() as tx:
        return OverpaymentOut.model_validate(_plain(await recovering.refer(found, tx, overpayment_id, caller, body.to)))


@router.post("/recoveries/{recovery_id}:approve")
async def approve_recovery(recovery_id: UUID, caller: Officer, found: DepsOf) -> RecoveryOut:
    """Approve another officer's offset or write-off."""
    async with found.database.write() as tx:
        return RecoveryOut.model_validate(await recovering.answer(found, tx, recovery_id, caller, approve=True))


@router.post("/recoveries/{recovery_id}:refuse")
async def refuse_recovery(recovery_id: UUID, caller: Officer, found: DepsOf) -> RecoveryOut:
    """Refuse another officer's offset or write-off."""
    async with found.database.write() as tx:
        return RecoveryOut.model_validate(await recovering.answer(found, tx, recovery_id, caller, approve=False))


def _plain(one: Overpayment) -> dict[str, Any]:
    kept = {name: getattr(one, name) for name in OverpaymentOut.model_fields if name != "left_fen"}
    return {**kept, "left_fen": one.balance.left}
