"""The auditor's API: who looked at whom, and the proof that the log of it is whole."""

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Security

from services.recognition.api.deps import DepsOf, admit_person, asker
from services.recognition.api.route import LoggedRoute
from services.recognition.schemas.audit import FaultOut, HeadOut, ProofAsked, ProofOut, UsageOut, UsagesOut
from services.recognition.schemas.common import Instant
from services.recognition.schemas.partner import ProgramCode
from services.recognition.store import lookups, seals
from services.recognition.store.seals import Wanted
from services.recognition.usecases import audit
from shared.kit.auth import Caller, allow
from shared.kit.looks import whole_city
from shared.kit.problems import PROBLEM_RESPONSES

router = APIRouter(prefix="/v1", tags=["audit"], route_class=LoggedRoute, responses=PROBLEM_RESPONSES)


def _admit(request: Request, caller: Caller) -> None:
    admit_person(request, caller)
    whole_city(request, caller)


Auditor = Annotated[Caller, Security(allow("audit.read", met=_admit))]
Name = Annotated[str | None, Query(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9._-]+$")]


@dataclass(frozen=True, slots=True)
class UsageQuery:
    """Which rows."""

    client_id: Name = None
    program: Annotated[ProgramCode | None, Query()] = None
    action: Name = None
    subject: UUID | None = None
    since: Instant | None = None
    until: Instant | None = None
    after: Annotated[int, Query(ge=0, le=2**62)] = 0
    limit: Annotated[int, Query(ge=1, le=1000)] = 100


@router.get("/usage")
async def list_usage(
    request: Request, caller: Auditor, found: DepsOf, asked: Annotated[UsageQuery, Depends()]
) -> UsagesOut:
    """The usage log, by caller, program, person and time; that somebody read it is logged too."""
    wanted = Wanted(
        client_id=asked.client_id,
        program=asked.program,
        action=asked.action,
        subject=asked.subject,
        since=asked.since,
        until=asked.until,
    )
    async with found.database.write() as tx:
        rows = await seals.list_usage(tx, wanted, asked.after, asked.limit)
        who = asker(request, found, caller, "audit", why=None, program=asked.program)
        await lookups.log_usage(tx, who, subject=asked.subject, answer=f"listed:{len(rows)}")
    items = [UsageOut.model_validate(dict(row)) for row in rows]
    return UsagesOut(items=items, next=items[-1].usage_id if len(items) == asked.limit else None)


@router.post("/audit:verify")
async def verify(body: ProofAsked, _caller: Auditor, found: DepsOf) -> ProofOut:
    """Prove that no row of the usage log was changed, removed or slipped in since it was sealed."""
    async with found.database.write() as tx:
        proof = await audit.verify(found, tx, body.after, body.limit)
        held = await seals.last_seal(tx, body.expect.seal_no + 1) if body.expect else None
    cut = body.expect is not None and (held is None or held.chain.hex() != body.expect.chain)
    head = HeadOut(seal_no=proof.head.number, chain=proof.head.chain.hex()) if proof.head else None
    return ProofOut(
        intact=not proof.faults and not cut,
        seals=proof.seals,
        rows=proof.rows,
        unsealed=proof.unsealed,
        head=head,
        faults=[FaultOut.model_validate(each) for each in proof.faults],
        next=head.seal_no if proof.more and head else None,
    )
