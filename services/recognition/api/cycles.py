"""Certification cycles for partners and officers, and the grace that keeps the platform's lateness from anybody."""

from collections.abc import Awaitable, Callable
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from services.recognition.api.deps import (
    PURPOSE_HEADERS,
    DepsOf,
    Officer,
    Question,
    asker,
    asking,
    logged,
    officer_only,
)
from services.recognition.api.once import ONCE, Answered, once_by
from services.recognition.api.route import LoggedRoute, PartnerRoute
from services.recognition.domain.cycles import CertificationState
from services.recognition.schemas.cycles import (
    CycleIn,
    GraceIn,
    GraceOut,
    GracesOut,
    PersonCycleOut,
    StatesOut,
    SubjectCycleOut,
    SubjectCyclesOut,
)
from services.recognition.schemas.partner import ProgramCode
from services.recognition.store import divisions, lookups
from services.recognition.store import grace as grace_store
from services.recognition.usecases import cycles, grace, recognise, sandbox
from services.recognition.usecases.grace import Given
from shared.kit.auth import Caller, allow
from shared.kit.db import WriteTx
from shared.kit.problems import PROBLEM_RESPONSES, ForbiddenError, NotFoundError

partners = APIRouter(prefix="/v1", tags=["partner"], route_class=PartnerRoute, responses=PROBLEM_RESPONSES)
officers = APIRouter(prefix="/v1", tags=["officer"], route_class=LoggedRoute, responses=PROBLEM_RESPONSES)

CycleQuestion = Annotated[Question, Security(asking("recognition.check", "cycle"))]
CountQuestion = Annotated[Question, Security(asking("recognition.check", "cycle", lawful=False))]
_OPERATOR = "operator"
_bearer = HTTPBearer(auto_error=False, bearerFormat="RFC 9068 JWT", description="private_key_jwt client credentials")


@partners.get("/certification-cycles")
async def count_states(question: CountQuestion, program: ProgramCode) -> StatesOut:
    """How many people of a program are far, warned of, looked for, certified, overdue or suspended today."""
    found = question.deps
    async with logged(question, program), found.database.read() as tx:
        sandbox.refuse(found.programs[program])
        people = await cycles.count(found, tx, found.programs[program], question.caller.divisions)
    return StatesOut.model_validate({"program": program, "on": found.clock.today(), "people": people})


@partners.post("/certification-cycles:check", openapi_extra=PURPOSE_HEADERS)
async def check_cycle(body: CycleIn, question: CycleQuestion) -> PersonCycleOut:
    """Where one person stands in the cycle of a program, for the department that pays him; logged."""
    found, caller, who = question.deps, question.caller, question.asker(body.program)
    async with logged(question, body.program):
        program = found.programs[body.program]
        sandbox.refuse(program)
        await found.limiter.count(caller.client_id)
        subject = recognise.known_subject(found, body.citizen_id)
        async with found.database.write() as tx:
            row = await cycles.look(found, tx, who, program, subject)
    person = found.pseudonym(caller.client_id, subject)
    return PersonCycleOut.model_validate({**row, "person": person, "checked_at": who.at})


@officers.get("/certification-cycles/people")
async def list_people(  # noqa: PLR0913, PLR0917  (query parameters)
    request: Request,
    caller: Officer,
    found: DepsOf,
    program: ProgramCode,
    state: CertificationState,
    after: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> SubjectCyclesOut:
    """People of one of the officer's programs in one state; each look is logged."""
    declared = recognise.program_for(found, program, allowed=caller.may_program(program))
    who = asker(request, found, caller, "cycle", why=None, program=program)
    async with found.database.write() as tx:
        rows = await cycles.list_people(
            found, tx, who, declared, divisions=caller.divisions, state=state, after=after, limit=limit
        )
    items = [SubjectCycleOut.model_validate(dict(row)) for row in rows]
    return SubjectCyclesOut(items=items, next=items[-1].subject if len(items) == limit else None)


def _giver() -> Callable[..., Awaitable[Caller]]:
    """Officers for programs of their own, operators for all."""
    officer, operator = officer_only, allow("operate", roles=(_OPERATOR,))

    async def check(request: Request, credentials: HTTPAuthorizationCredentials | None = Security(_bearer)) -> Caller:
        try:
            return await officer(request, credentials)
        except ForbiddenError:
            return await operator(request, credentials)

    check.is_guard = True  # type: ignore[attr-defined]  # a mark for the guard test
    return check


Giver = Annotated[Caller, Security(_giver())]


@officers.post("/graces", status_code=201, response_model=GracesOut, openapi_extra=ONCE)
async def give_grace(request: Request, body: GraceIn, caller: Giver, found: DepsOf) -> Response:
    """Record that the platform itself was late: until the last day nobody in it is stopped for lateness."""
    if caller.role != _OPERATOR and not body.programs:
        detail = "Name the programs; only an operator gives grace in all of them."
        raise ForbiddenError(detail)
    for code in body.programs:
        recognise.program_for(found, code, allowed=caller.may_program(code))
    given = Given(**body.model_dump())

    async def effect(tx: WriteTx) -> Answered:
        if body.subject and not await divisions.leads_to(tx, body.subject, body.programs or None, caller.divisions):
            detail = "Your token leads to no such person."
            raise NotFoundError(detail)
        made = await grace.give(found, tx, given, caller.user)
        said = GracesOut(items=[GraceOut.model_validate(each) for each in made])
        return Answered(said, 201, about=(None, body.subject) if body.subject else None)

    return await once_by(request, found, caller, body, effect, "grace")


@officers.get("/graces")
async def list_graces(
    request: Request,
    caller: Giver,
    found: DepsOf,
    after: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> GracesOut:
    """Graces in the caller's programs, newest first: until when, why, and who gave them; looks at people are logged."""
    programs = None if "*" in caller.programs else sorted(caller.programs)
    who = asker(request, found, caller, "grace", why=None, program=None)
    async with found.database.write() as tx:
        listed = await grace_store.list_grace(tx, programs, divisions=caller.divisions, after=after, limit=limit)
        await lookups.log_looks(tx, who, [(each.program, each.subject) for each in listed if each.subject])
    items = [GraceOut.model_validate(each) for each in listed]
    return GracesOut(items=items, next=items[-1].grace_id if len(items) == limit else None)
