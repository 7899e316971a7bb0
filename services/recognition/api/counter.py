"""A clerk certifies who stands at the counter: the person himself, his card read; over no suspicion and no death."""

from typing import Annotated

from fastapi import APIRouter, Request, Response, Security
from fastapi.security import HTTPAuthorizationCredentials

from services.recognition.api.deps import PURPOSE_HEADERS, Question, admit_person, deps, purpose
from services.recognition.api.once import ONCE_HEADER, Answered, once
from services.recognition.api.peers import Reference, own_certificate, shown
from services.recognition.api.route import LoggedRoute
from services.recognition.domain.peers import PeerMethod
from services.recognition.schemas.feed import CertificateOut
from services.recognition.schemas.peers import CounterIn, TakeBackCounterIn
from services.recognition.store.lookups import log_usage
from services.recognition.usecases import peers, recognise, sandbox
from services.recognition.usecases.peers import Attested, Office, Wrong
from services.recognition.usecases.refusals import denied
from shared.kit.auth import BearerGuard, Caller, allow
from shared.kit.db import WriteTx
from shared.kit.problems import PROBLEM_RESPONSES, ProblemError

router = APIRouter(prefix="/v1", tags=["officer"], route_class=LoggedRoute, responses=PROBLEM_RESPONSES)


def _serving(action: str) -> BearerGuard[Question]:
    """Clerks of an office by name, with a scope of their own: it lets nobody decide."""
    clerk = allow("recognition.counter", roles=("officer",), named=True, met=admit_person)

    async def check(request: Request, credentials: HTTPAuthorizationCredentials | None) -> Question:
        request.state.action = action
        caller = await clerk(request, credentials)
        return Question(deps(request), caller, purpose(request), request, action)

    return BearerGuard(check)


Clerk = Annotated[Question, Security(_serving("counter"))]
Mistaken = Annotated[Question, Security(_serving("revocation"))]


@router.post(
    "/counter-certificates",
    status_code=201,
    response_model=CertificateOut,
    openapi_extra={"parameters": [*PURPOSE_HEADERS["parameters"], ONCE_HEADER]},
)
async def certify_at_counter(request: Request, body: CounterIn, question: Clerk) -> Response:
    """Certify who stands at a counter today, for a program of the department; every program recognises it.

    409 `under_review` while people look into something about the person, or hold him for dead: a clerk ends no review.
    """
    found, caller, who = question.deps, question.caller, question.asker(body.program)
    program = recognise.program_for(found, body.program, allowed=caller.may_program(body.program))
    sandbox.refuse(program)
    subject = recognise.known_subject(found, body.citizen_id)
    said = Attested(
        certified_on=found.clock.today(),
        method=PeerMethod.COUNTER,
        reference=body.reference,
        id_check=body.id_check,
    )

    async def effect(tx: WriteTx) -> Answered:
        made = await peers.attest(found, tx, Office(caller, who, program), subject, said)
        return await shown(request, question, tx, (subject, made), 201)

    try:
        return await once(request, found.database, _clerk(caller), body.model_dump_json().encode(), effect)
    except ProblemError as error:
        # What it says tells something of the person, so the log keeps whom it was about.
        request.state.refusal_logged = True
        async with found.database.write() as tx:
            await log_usage(tx, who, subject=subject, answer=denied(error.code))
        raise


@router.post(
    "/counter-certificates/{reference}:revoke",
    response_model=CertificateOut,
    openapi_extra={"parameters": [*PURPOSE_HEADERS["parameters"], ONCE_HEADER]},
)
async def take_back_at_counter(
    request: Request, reference: Reference, body: TakeBackCounterIn, question: Mistaken
) -> Response:
    """Take back what the clerk certified himself; every program that was told of it is told.

    It goes on holding where somebody else stands behind the same day, another clerk too: what he certified he takes
    back himself, or an officer does. Who then stands there, on the same day too, is certified anew.
    """
    found, caller = question.deps, question.caller

    async def effect(tx: WriteTx) -> Answered:
        opened = own_certificate(question, reference)
        wrong = Wrong(*opened, body.reason, methods=(PeerMethod.COUNTER,), certified_by=caller.user)
        await peers.take_back_own(found, tx, question.asker(None), caller, wrong)
        return await shown(request, question, tx, opened, 200)

    return await once(request, found.database, _clerk(caller), body.model_dump_json().encode(), effect)


def _clerk(caller: Caller) -> str:
    return f"{caller.client_id} {caller.user}"
