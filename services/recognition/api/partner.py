"""The partner API: programs, and the question every department asks before it pays."""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Response, Security

from services.recognition.api.deps import PURPOSE_HEADERS, Question, asking, deny
from services.recognition.api.route import PartnerRoute, QuestionRoute
from services.recognition.domain.programs import Program
from services.recognition.schemas.partner import (
    BatchIn,
    BatchOut,
    ProgramOut,
    ProgramsOut,
    QuestionIn,
    RecognitionOut,
)
from services.recognition.usecases import batches, recognise, sandbox
from services.recognition.usecases.deps import Deps
from shared.kit.problems import PROBLEM_RESPONSES, MalformedError, ProblemError

router = APIRouter(prefix="/v1", tags=["partner"], route_class=PartnerRoute, responses=PROBLEM_RESPONSES)
questions = APIRouter(prefix="/v1", tags=["partner"], route_class=QuestionRoute, responses=PROBLEM_RESPONSES)

ProgramQuestion = Annotated[Question, Security(asking("recognition.check", "programs", lawful=False))]
CheckQuestion = Annotated[Question, Security(asking("recognition.check", "check"))]
BatchQuestion = Annotated[Question, Security(asking("recognition.batch", "batch"))]


@questions.post("/recognitions:check", response_model=RecognitionOut, openapi_extra=PURPOSE_HEADERS)
async def check(body: QuestionIn, question: CheckQuestion) -> Response:
    """May this program rely on this person's certificate today? Logged before the answer leaves, refusals too."""
    found, caller, who = question.deps, question.caller, question.asker(body.program)
    try:
        program = recognise.program_for(found, body.program, allowed=caller.may_program(body.program))
        await found.limiter.count(caller.client_id)
        if program.sandbox:
            async with found.database.write() as tx:
                return _json(await sandbox.check(found, tx, who, program, body.citizen_id, body.max_age_days))
        said = await recognise.check(found, found.checks.ask, who, program, body.citizen_id, body.max_age_days)
    except ProblemError as error:
        await deny(question.request, who, error)
        raise
    return _json(said)


@questions.post("/recognitions:batch", response_model=BatchOut, openapi_extra=PURPOSE_HEADERS)
async def check_many(body: BatchIn, question: BatchQuestion) -> Response:
    """The same for up to a thousand people of one program; each item has its answer or its problem."""
    found, caller, who = question.deps, question.caller, question.asker(body.program)
    try:
        program = recognise.program_for(found, body.program, allowed=caller.may_program(body.program))
        _check_size(found, len(body.items))
        await found.limiter.count(caller.client_id, len(body.items))
    except ProblemError as error:
        await deny(question.request, who, error)
        raise
    ids = [each.citizen_id for each in body.items]
    if program.sandbox:
        async with found.database.write() as tx:
            return _json({"items": await sandbox.check_many(found, tx, who, program, ids, body.max_age_days)})
    said = await batches.check_many(found, found.database.at_once, who, program, ids, body.max_age_days)
    return Response(b'{"items":' + said + b"}", media_type="application/json")


@router.get("/programs")
async def list_programs(question: ProgramQuestion) -> ProgramsOut:
    """Programs the token speaks for."""
    found, caller = question.deps, question.caller
    items = [_program(found, each) for code, each in found.programs.items() if caller.may_program(code)]
    return ProgramsOut(items=items)


@router.get("/programs/{code}")
async def get_program(code: str, question: ProgramQuestion) -> ProgramOut:
    """One program under the rule in force today."""
    found = question.deps
    program = recognise.program_for(found, code, allowed=question.caller.may_program(code))
    return _program(found, program)


def _check_size(found: Deps, people: int) -> None:
    if people > found.batch_limit:
        detail = f"At most {found.batch_limit} people a request; POST /v1/jobs takes whole programs."
        raise MalformedError(detail)


def _json(body: dict[str, Any]) -> Response:
    # What is said was made by us of known words: a second validation would cost more than the lookup.
    return Response(orjson.dumps(body), media_type="application/json")


def _program(found: Deps, program: Program) -> ProgramOut:
    version = program.in_force(found.clock.today())
    return ProgramOut(
        code=program.code,
        label=program.label,
        owner=program.owner,
        family=program.family,
        unit=program.unit,
        paid=program.paid,
        told=list(program.told),
        excludes=list(program.excludes),
        reference=version.reference,
        sandbox=program.sandbox,
        in_force_from=version.from_on,
        cycle_months=version.cycle_months,
        warning_days=version.warning_days,
        claims=list(version.claims),
        outstanding_claims=list(version.outstanding()),
        stop=version.stop,
        stops=dict(version.stops),
        refund_days=version.refund_days,
        events=dict(version.events),
        arrears=dict(version.arrears),
    )
