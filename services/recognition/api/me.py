"""The citizen's API, behind the mobile back end: about oneself, in plain words, and what one can do about it."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response, Security
from starlette.concurrency import run_in_threadpool

from services.recognition.api.citizen import READ, WRITE, Citizen, citizen
from services.recognition.api.route import LoggedRoute
from services.recognition.domain.citizen_id import normalise
from services.recognition.schemas.common import Instant
from services.recognition.schemas.me import (
    LooksOut,
    MyObjectionOut,
    MyObjectionsOut,
    MyRequestsOut,
    ObjectIn,
    ProofIn,
    RequestOut,
    ReviewIn,
    StatusOut,
    StopIn,
    VisitIn,
)
from services.recognition.store import objections, requests
from services.recognition.usecases import asking, mine, objecting, proofs
from services.recognition.usecases.asking import SELF, StopWish
from services.recognition.usecases.recognise import subject_of
from shared.kit.problems import PROBLEM_RESPONSES, MalformedError

router = APIRouter(prefix="/v1/me", tags=["citizen"], route_class=LoggedRoute, responses=PROBLEM_RESPONSES)

_COMING = "已收到。网格员会联系您并上门，请留意；不收取任何费用，不会索要验证码。"
_CHECKING = "已收到。工作人员核实后会办理，结果会告知您；核实期间您不需要开任何证明。"
_TAKEN_BACK = "已撤回。还没有办理的不再办理；已经停发的，工作人员会按规定恢复，结果会告知您。"
_NOT_ID = "身份证号不正确，请检查位数、出生日期和校验码。"


@router.get("")
async def get_status(who: Annotated[Citizen, Security(citizen(READ, "me.status"))]) -> StatusOut:
    """Whether I am certified, until when, by what class of evidence, which benefits took it, and what I must do."""
    async with who.deps.database.write() as tx:
        status = await mine.read_status(who.deps, tx, who.subject)
        await who.log(tx)
    return StatusOut.model_validate(status)


@router.get("/looks")
async def list_looks(
    who: Annotated[Citizen, Security(citizen(READ, "me.looks"))],
    before: Instant | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> LooksOut:
    """Which organisations looked at my data, and for what."""
    async with who.deps.database.write() as tx:
        items, following = await mine.read_looks(who.deps, tx, who.subject, before=before, limit=limit)
        await who.log(tx)
    return LooksOut.model_validate({"items": items, "before": following})


@router.post(
    "/proof",
    response_class=Response,
    responses={200: {"content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}}}},
)
async def make_proof(
    request: Request, body: ProofIn, who: Annotated[Citizen, Security(citizen(READ, "me.proof"))]
) -> Response:
    """A page to print. The number given must be one's own; it stands on it masked and is not kept."""
    async with who.deps.database.write() as tx:
        status = await mine.read_status(who.deps, tx, who.subject)
        plain = normalise(body.citizen_id)
        own = plain is not None and who.deps.subjects.one(plain) == who.subject
        await who.log(tx, "seen" if own else "denied:malformed")
    if plain is None or not own:
        request.state.refusal_logged = True
        raise MalformedError(_NOT_ID)
    made_at = who.deps.clock.now()
    # Shaping a page of Chinese takes most of a second of processor time; requests go on beside it.
    page = await run_in_threadpool(proofs.make_page, status, mine.masked_id(plain), made_at, who.deps.clock.today())
    return Response(page, media_type="application/pdf", headers={"Cache-Control": "no-store"})


@router.get("/objections")
async def list_objections(who: Annotated[Citizen, Security(citizen(READ, "me.objections"))]) -> MyObjectionsOut:
    """My objections, when they are answered, and the answers."""
    async with who.deps.database.write() as tx:
        listed = await objections.list_of(tx, who.deps.vault, who.subject)
        await who.log(tx)
    return MyObjectionsOut(items=[MyObjectionOut.model_validate(each) for each in listed])


@router.post("/objections", status_code=201)
async def make_objection(
    body: ObjectIn, who: Annotated[Citizen, Security(citizen(WRITE, "me.object"))]
) -> MyObjectionOut:
    """Say that something is wrong. It is answered within working days by somebody who had no hand in it."""
    async with who.deps.database.write() as tx:
        made = await objecting.object_to(
            who.deps, tx, who.subject, program=body.program, about=body.about, said=body.said
        )
        await who.log(tx)
    return MyObjectionOut.model_validate(made)


@router.post("/objections/{objection_id}:review", status_code=201)
async def ask_review(
    objection_id: UUID, body: ReviewIn, who: Annotated[Citizen, Security(citizen(WRITE, "me.review"))]
) -> MyObjectionOut:
    """Have a dismissed objection looked at again, by somebody else."""
    async with who.deps.database.write() as tx:
        made = await objecting.ask_review(who.deps, tx, who.subject, objection_id, said=body.said)
        await who.log(tx)
    return MyObjectionOut.model_validate(made)


@router.get("/requests")
async def list_requests(who: Annotated[Citizen, Security(citizen(READ, "me.requests"))]) -> MyRequestsOut:
    """What I asked for, and what came of it."""
    async with who.deps.database.write() as tx:
        listed = await requests.list_requests(tx, who.deps.vault, who.subject)
        await who.log(tx)
    return MyRequestsOut.model_validate({"items": listed}, from_attributes=True)


@router.post("/visit-requests", status_code=202)
async def ask_visit(body: VisitIn, who: Annotated[Citizen, Security(citizen(WRITE, "me.visit"))]) -> RequestOut:
    """Ask for somebody to come to my home."""
    async with who.deps.database.write() as tx:
        made = await asking.ask_visit(who.deps, tx, who.subject, reason=body.reason)
        await who.log(tx)
    return RequestOut(request_id=made.request_id, requested_at=made.requested_at, sentence=_COMING)


@router.post("/stop-requests", status_code=202)
async def ask_stop(body: StopIn, who: Annotated[Citizen, Security(citizen(WRITE, "me.stop"))]) -> RequestOut:
    """Ask to stop my benefits, or report that a relative died; people verify it before anything stops."""
    subject, relation = who.subject, SELF
    if body.relative is not None:
        found = subject_of(who.deps, body.relative.citizen_id)
        if found is None:
            raise MalformedError(_NOT_ID)
        subject, relation = found, str(body.relative.relation)
    wish = StopWish(
        subject=subject, relation=relation, programs=body.programs, reason=body.reason, event_on=body.event_on
    )
    async with who.deps.database.write() as tx:
        made = await asking.ask_stop(who.deps, tx, who.subject, wish)
        await who.log(tx)
    return RequestOut(request_id=made.request_id, requested_at=made.requested_at, sentence=_CHECKING)


@router.post("/stop-requests/{request_id}:withdraw", status_code=202)
async def withdraw_stop(request_id: UUID, who: Annotated[Citizen, Security(citizen(WRITE, "me.stop"))]) -> RequestOut:
    """Take back what I asked to stop of my own benefits."""
    async with who.deps.database.write() as tx:
        found = await asking.withdraw_stop(who.deps, tx, who.subject, request_id)
        await who.log(tx)
    return RequestOut(request_id=found.request_id, requested_at=found.requested_at, sentence=_TAKEN_BACK)
