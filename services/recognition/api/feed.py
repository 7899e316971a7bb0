"""What happens in a partner's programs: feed with acknowledgement, receipts, certificates, corrections."""

from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Path, Query, Request, Response, Security

from services.recognition.api.deps import PURPOSE_HEADERS, DepsOf, Officer, Question, asker, asking, logged
from services.recognition.api.once import ONCE, Answered, once, with_words
from services.recognition.api.route import PartnerRoute
from services.recognition.schemas.feed import (
    AckIn,
    AckOut,
    CertificateOut,
    CorrectionIn,
    CorrectionOut,
    Cursor,
    EventOut,
    EventsOut,
    ReceiptOut,
    ReceiptsIn,
    ReceiptsOut,
    UndeliveredOut,
    UndeliveredsOut,
)
from services.recognition.store import corrections as store
from services.recognition.store import feed as feed_store
from services.recognition.store import lookups, words
from services.recognition.usecases import corrections, feed, recognise, sandbox, show
from shared.kit.db import WriteTx
from shared.kit.problems import PROBLEM_RESPONSES
from shared.kit.telemetry import mask_text

router = APIRouter(prefix="/v1", tags=["partner"], route_class=PartnerRoute, responses=PROBLEM_RESPONSES)

FeedQuestion = Annotated[Question, Security(asking("recognition.check", "events", lawful=False))]
CertificateQuestion = Annotated[Question, Security(asking("recognition.check", "certificate"))]
CorrectionQuestion = Annotated[Question, Security(asking("recognition.check", "correction", lawful=False))]
Reference = Annotated[str, Path(min_length=24, max_length=120, pattern=r"^[A-Za-z0-9_=-]+$")]


@router.get("/events", response_model=EventsOut)
async def read_events(
    question: FeedQuestion, after: Cursor | None = None, limit: Annotated[int, Query(ge=1, le=1000)] = 200
) -> Response:
    """Events of the client's programs behind a cursor, or behind what it has acknowledged; each is logged as a look.

    The first call opens the feed: from then on new certificates are told too.
    """
    found, caller = question.deps, question.caller
    async with logged(question, None), found.database.write() as tx:
        items, last = await feed.read(found, tx, question.asker(None), caller, after, limit)
    return _json({"items": items, "next": last})


@router.get("/events/{event_id}", response_model=EventOut)
async def get_event(event_id: UUID, question: FeedQuestion) -> Response:
    """One event: what a webhook's thin body points at."""
    found, caller = question.deps, question.caller
    async with logged(question, None), found.database.write() as tx:
        said = await feed.get_event(found, tx, question.asker(None), caller, event_id)
    return _json(said)


@router.post("/events:ack", response_model=AckOut, openapi_extra=ONCE)
async def acknowledge(request: Request, body: AckIn, question: FeedQuestion) -> Response:
    """Everything up to this cursor is stored: nobody runs after it any more."""
    found, caller = question.deps, question.caller

    async def effect(tx: WriteTx) -> Answered:
        return Answered(AckOut(acknowledged=await feed.acknowledge(found, tx, caller, body.cursor)))

    async with logged(question, None):
        return await once(request, found.database, caller.client_id, body.model_dump_json().encode(), effect)


@router.post("/receipts", response_model=ReceiptsOut, openapi_extra=ONCE)
async def take_receipts(request: Request, body: ReceiptsIn, question: FeedQuestion) -> Response:
    """What became of events in the program's own system: accepted, or rejected with a reason an officer reads."""
    found, caller = question.deps, question.caller

    async def effect(tx: WriteTx) -> Answered:
        items = []
        for each in body.items:
            reason = mask_text(each.reason) if each.reason else None
            known = await feed.take_receipt(found, tx, caller, each.event_id, each.outcome, reason)
            items.append(ReceiptOut(event_id=each.event_id, known=known))
        return Answered(ReceiptsOut(items=items))

    async with logged(question, None):
        return await once(request, found.database, caller.client_id, body.model_dump_json().encode(), effect)


@router.get("/undelivered")
async def list_undelivered(
    request: Request,
    caller: Officer,
    found: DepsOf,
    after: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> UndeliveredsOut:
    """Events a partner has rejected or not answered after several tries: somebody has to telephone; logged."""
    who = asker(request, found, caller, "undelivered", why=None, program=None)
    async with found.database.write() as tx:
        listed = await feed_store.list_shown(tx, feed.programs_of(caller), caller.divisions, after, limit)
        await lookups.log_looks(tx, who, [(each.program, each.subject) for each in listed])
    return UndeliveredsOut(
        items=[UndeliveredOut.model_validate(each) for each in listed],
        next=listed[-1].event_id if len(listed) >= limit else None,
    )


_TAGGED: dict[int | str, dict[str, Any]] = {
    200: {"headers": {"ETag": {"schema": {"type": "string"}}}},
    304: {"description": "Not modified since the tag in If-None-Match; logged as a look all the same"},
}
_IF_NONE_MATCH = {"name": "If-None-Match", "in": "header", "required": False, "schema": {"type": "string"}}


@router.get(
    "/certificates/{reference}",
    response_model=CertificateOut,
    responses=_TAGGED,
    openapi_extra={"parameters": [*PURPOSE_HEADERS["parameters"], _IF_NONE_MATCH]},
)
async def get_certificate(request: Request, reference: Reference, question: CertificateQuestion) -> Response:
    """A certificate the client was given: does it still hold?"""
    found, caller, who = question.deps, question.caller, question.asker(None)
    async with logged(question, None), found.database.write() as tx:
        said, subject, tag = await show.certificate(found, tx, caller, reference)
        await lookups.log_usage(tx, who, subject=subject, answer=_held(said))
    headers = {"ETag": tag}
    asked = {each.strip().removeprefix("W/") for each in request.headers.get("If-None-Match", "").split(",")}
    if tag in asked or "*" in asked:
        return Response(status_code=304, headers=headers)
    return Response(orjson.dumps(said), media_type="application/json", headers=headers)


@router.post("/corrections", status_code=202, response_model=CorrectionOut, openapi_extra=ONCE)
async def request_correction(request: Request, body: CorrectionIn, question: CorrectionQuestion) -> Response:
    """Say that a record behind a person's certificate is wrong; the department that delivered it has to answer."""
    found, caller, who = question.deps, question.caller, question.asker(body.program)

    async def effect(tx: WriteTx) -> Answered:
        program = recognise.program_for(found, body.program, allowed=caller.may_program(body.program))
        sandbox.refuse(program)
        subject = recognise.known_subject(found, body.citizen_id)
        made = await corrections.request(found, tx, caller, program.code, subject, body.reason)
        await lookups.log_usage(tx, who, subject=subject, answer="correction_requested")
        place = str(request.url_for("get_correction", correction_id=made.correction_id).path)
        coded = {"reason": words.coded(made.reason, store.REASONS)}
        return Answered(CorrectionOut.model_validate(made).model_copy(update=coded), 202, {"Location": place})

    async with logged(question, body.program):
        response = await once(request, found.database, caller.client_id, body.model_dump_json().encode(), effect)
    return with_words(response, reason=mask_text(body.reason))


@router.get("/corrections/{correction_id}", name="get_correction")
async def get_correction(correction_id: UUID, question: CorrectionQuestion) -> CorrectionOut:
    """What the department says; logged as a look, for it may be in words about the person."""
    found = question.deps
    async with logged(question, None), found.database.write() as tx:
        said = await corrections.get(found, tx, correction_id, question.caller)
        await lookups.log_usage(tx, question.asker(said.program), subject=said.subject, answer="seen")
    return CorrectionOut.model_validate(said)


def _held(said: dict[str, Any]) -> str:
    held = "revoked" if said["revoked_at"] else "in_force"
    return f"sandbox:{held}" if "sandbox" in said else held


def _json(body: dict[str, Any]) -> Response:
    return Response(orjson.dumps(body), media_type="application/json")
