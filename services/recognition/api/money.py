"""Overpayments for officers: the notice, what comes back, a plan, an offset, a write-off."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from services.recognition.api.deps import DepsOf, Officer, asker
from services.recognition.api.once import ONCE, Answered, once_by
from services.recognition.api.route import LoggedRoute
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
from services.recognition.store.lookups import log_looks, log_usage
from services.recognition.store.overpayments import Overpayment
from services.recognition.usecases import recovering
from services.recognition.usecases.recovering import Coming
from shared.kit.auth import Caller
from shared.kit.db import WriteTx
from shared.kit.problems import PROBLEM_RESPONSES

router = APIRouter(prefix="/v1", tags=["officer"], route_class=LoggedRoute, responses=PROBLEM_RESPONSES)

Limit = Annotated[int, Query(ge=1, le=200)]


@router.get("/overpayments")
async def list_overpayments(
    request: Request,
    caller: Officer,
    found: DepsOf,
    state: OverpaymentState | None = None,
    after: UUID | None = None,
    limit: Limit = 50,
) -> OverpaymentsOut:
    """Overpayments of the officer's programs, oldest first; each look is logged."""
    programs = [code for code in found.programs if caller.may_program(code)]
    who = asker(request, found, caller, "overpayment", why=None, program=None)
    async with found.database.write() as tx:
        listed = await overpayments.list_overpayments(
            tx, programs, divisions=caller.divisions, state=state, after=after, limit=limit
        )
        await log_looks(tx, who, [(each.program, each.subject) for each in listed])
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
        late_fen=late_fen(plan, one.come_of(plan), found.clock.today()),
    )


@router.post("/overpayments/{overpayment_id}:ask-refund", response_model=OverpaymentOut, openapi_extra=ONCE)
async def ask_refund(request: Request, overpayment_id: UUID, caller: Officer, found: DepsOf) -> Response:
    """Give the refund notice, with the time the program's rule allows."""

    async def effect(tx: WriteTx) -> Answered:
        asked = await recovering.ask_refund(found, tx, overpayment_id, caller)
        return Answered(OverpaymentOut.model_validate(_plain(asked)), about=(asked.program, asked.subject))

    return await once_by(request, found, caller, None, effect, "overpayment")


@router.post("/overpayments/{overpayment_id}:plan", response_model=PlanOut, openapi_extra=ONCE)
async def agree_plan(request: Request, overpayment_id: UUID, body: PlanIn, caller: Officer, found: DepsOf) -> Response:
    """Agree on monthly parts of what is still owed; they add up to it exactly."""

    async def effect(tx: WriteTx) -> Answered:
        plan = await recovering.agree_plan(
            found, tx, overpayment_id, caller, parts=body.parts, first_due_on=body.first_due_on
        )
        said = PlanOut(items=[InstalmentOut.model_validate(each) for each in plan])
        return Answered(said, about=await _whose(tx, overpayment_id, caller))

    return await once_by(request, found, caller, body, effect, "overpayment")


@router.post("/overpayments/{overpayment_id}:recover", response_model=RecoveryOut, openapi_extra=ONCE)
async def record_recovery(
    request: Request, overpayment_id: UUID, body: RecoveryIn, caller: Officer, found: DepsOf
) -> Response:
    """Book a payment, or propose an offset or a write-off; the same reference again changes nothing."""
    coming = Coming(**body.model_dump())

    async def effect(tx: WriteTx) -> Answered:
        booked = await recovering.record(found, tx, overpayment_id, caller, coming)
        return Answered(RecoveryOut.model_validate(booked), about=await _whose(tx, overpayment_id, caller))

    return await once_by(request, found, caller, body, effect, "overpayment")


@router.post("/overpayments/{overpayment_id}:refer", response_model=OverpaymentOut, openapi_extra=ONCE)
async def refer(request: Request, overpayment_id: UUID, body: ReferIn, caller: Officer, found: DepsOf) -> Response:
    """Hand it over to who can enforce it; it stays open."""

    async def effect(tx: WriteTx) -> Answered:
        referred = await recovering.refer(found, tx, overpayment_id, caller, body.to)
        return Answered(OverpaymentOut.model_validate(_plain(referred)), about=(referred.program, referred.subject))

    return await once_by(request, found, caller, body, effect, "overpayment")


@router.post("/recoveries/{recovery_id}:approve", response_model=RecoveryOut, openapi_extra=ONCE)
async def approve_recovery(request: Request, recovery_id: UUID, caller: Officer, found: DepsOf) -> Response:
    """Approve another officer's offset or write-off."""

    async def effect(tx: WriteTx) -> Answered:
        said = await recovering.answer(found, tx, recovery_id, caller, approve=True)
        return Answered(RecoveryOut.model_validate(said), about=await _whose(tx, said.overpayment_id, caller))

    return await once_by(request, found, caller, None, effect, "overpayment")


@router.post("/recoveries/{recovery_id}:refuse", response_model=RecoveryOut, openapi_extra=ONCE)
async def refuse_recovery(request: Request, recovery_id: UUID, caller: Officer, found: DepsOf) -> Response:
    """Refuse another officer's offset or write-off."""

    async def effect(tx: WriteTx) -> Answered:
        said = await recovering.answer(found, tx, recovery_id, caller, approve=False)
        return Answered(RecoveryOut.model_validate(said), about=await _whose(tx, said.overpayment_id, caller))

    return await once_by(request, found, caller, None, effect, "overpayment")


async def _whose(tx: WriteTx, overpayment_id: UUID, caller: Caller) -> tuple[str, UUID]:
    one = await recovering.get_overpayment(tx, overpayment_id, caller)
    return one.program, one.subject


def _plain(one: Overpayment) -> dict[str, Any]:
    kept = {name: getattr(one, name) for name in OverpaymentOut.model_fields if name != "left_fen"}
    return {**kept, "left_fen": one.balance.left}
