"""Recognition works both ways: peer departments hand in what they certified, and take back what was wrong."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response, Security

from services.recognition.api.deps import PURPOSE_HEADERS, Question, asking, logged
from services.recognition.api.once import ONCE_HEADER, Answered, once
from services.recognition.api.route import PartnerRoute
from services.recognition.schemas.feed import CertificateOut
from services.recognition.schemas.peers import AttestedIn, AttestIn, TakeBackIn
from services.recognition.usecases import peers, recognise, sandbox, show
from services.recognition.usecases.peers import Attested, Office, Wrong
from shared.kit.db import WriteTx
from shared.kit.problems import PROBLEM_RESPONSES, NotFoundError

router = APIRouter(prefix="/v1", tags=["partner"], route_class=PartnerRoute, responses=PROBLEM_RESPONSES)

Certifier = Annotated[Question, Security(asking("recognition.certify", "certify"))]
Reference = Annotated[str, Path(min_length=24, max_length=120, pattern=r"^[A-Za-z0-9_=-]+$")]
_ONCE: dict[str, Any] = {"parameters": [*PURPOSE_HEADERS["parameters"], ONCE_HEADER]}


@router.post("/certificates", status_code=201, response_model=CertificateOut, openapi_extra=_ONCE)
async def certify(request: Request, body: AttestIn, question: Certifier) -> Response:
    """Hand in a certification the department made itself, for a program of its own; every program recognises it.

    The same record again changes nothing. It ends no review: people conclude that.
    """
    found, caller, who = question.deps, question.caller, question.asker(body.program)

    async def effect(tx: WriteTx) -> Answered:
        program = recognise.program_for(found, body.program, allowed=caller.may_program(body.program))
        sandbox.refuse(program)
        subject = recognise.known_subject(found, body.citizen_id)
        made = await peers.attest(found, tx, Office(caller, who, program), subject, _said(body))
        return await shown(request, question, tx, (subject, made), 201)

    async with logged(question, body.program):
        return await once(request, found.database, caller.client_id, body.model_dump_json().encode(), effect)


@router.post("/certificates/{reference}:revoke", response_model=CertificateOut, openapi_extra=_ONCE)
async def take_back(request: Request, reference: Reference, body: TakeBackIn, question: Certifier) -> Response:
    """Take back a certification of one's own, with what is right in its place; programs that were told are told.

    It goes on holding where another department stands behind the same day and kind.
    """
    found, caller = question.deps, question.caller

    async def effect(tx: WriteTx) -> Answered:
        opened = own_certificate(question, reference)
        instead = _said(body.instead) if body.instead else None
        await peers.take_back_own(found, tx, question.asker(None), caller, Wrong(*opened, body.reason, instead))
        return await shown(request, question, tx, opened, 200)

    async with logged(question, None):
        return await once(request, found.database, caller.client_id, body.model_dump_json().encode(), effect)


def _said(body: AttestedIn) -> Attested:
    return Attested(certified_on=body.certified_on, method=body.method, reference=body.reference)


def own_certificate(question: Question, reference: str) -> tuple[UUID, UUID]:
    """Subject and id of a certificate the client was given.

    Raises:
        NotFoundError: it was given none of this name.
    """
    opened = question.deps.references.open(question.caller.client_id, reference)
    if opened is None:
        detail = "Your client was given no such certificate."
        raise NotFoundError(detail)
    return opened


async def shown(request: Request, question: Question, tx: WriteTx, opened: tuple[UUID, UUID], status: int) -> Answered:
    """A certificate as the client that made it sees it."""
    reference = question.deps.references.seal(question.caller.client_id, *opened)
    said, _, tag = await show.certificate(question.deps, tx, question.caller, reference)
    place = str(request.url_for("get_certificate", reference=reference).path)
    return Answered(CertificateOut.model_validate(said), status, {"Location": place, "ETag": tag})
