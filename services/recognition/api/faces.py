"""Self-certification by face: one way of several, and never the only one."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Security

from services.recognition.api.citizen import READ, WRITE, Citizen, citizen
from services.recognition.api.route import LoggedRoute
from services.recognition.domain.faces import FaceRefusal, FaceState
from services.recognition.domain.words import OTHER_WAYS
from services.recognition.schemas.me import AssertionIn, FaceIn, FaceSessionOut
from services.recognition.store.faces import FaceSession
from services.recognition.usecases import facing, mine
from services.recognition.usecases.facing import FaceProvider, NoFaceError
from services.recognition.usecases.refusals import denied
from shared.kit.db import WriteTx
from shared.kit.problems import PROBLEM_RESPONSES, ProblemError

router = APIRouter(
    prefix="/v1/me/face-sessions", tags=["citizen"], route_class=LoggedRoute, responses=PROBLEM_RESPONSES
)

_SENTENCES = {
    FaceState.OPEN: "请在几分钟内完成人脸核验；也可以改用其他任何一种方式。",
    FaceState.PASSED: "人脸核验已通过。",
}
_REFUSED = {
    FaceRefusal.LIVENESS: "没有确认是本人现场操作，请重新发起，或改用其他方式办理。",
    FaceRefusal.SCORE: "人脸比对没有通过，这不影响您的待遇，请改用其他方式办理，或再试一次。",
    FaceRefusal.PERSON: "核验的不是您本人，请重新发起，或改用其他方式办理。",
    FaceRefusal.NONCE: "核验结果不属于这次认证，请重新发起，或改用其他方式办理。",
}


@router.post("", status_code=201)
async def open_session(
    body: FaceIn, who: Annotated[Citizen, Security(citizen(WRITE, "me.face.open"))]
) -> FaceSessionOut:
    """Open a session: its nonce goes to the provider, whose signed word comes back to `:finish`."""
    provider = _provider(who)
    try:
        async with who.deps.database.write() as tx:
            session = await facing.open_session(who.deps, tx, who.subject, who.client_id, assisted=body.assisted)
            await who.log(tx)
    except ProblemError as error:
        raise _with_ways(error) from error
    return _session(session, provider, "")


@router.get("/{session_id}")
async def get_session(
    session_id: UUID, who: Annotated[Citizen, Security(citizen(READ, "me.face.read"))]
) -> FaceSessionOut:
    """How a session of mine ended."""
    provider = _provider(who)
    async with who.deps.database.write() as tx:
        session = await facing.get_session(tx, session_id, who.subject)
        stands = await _stands(who, tx, session)
        await who.log(tx)
    return _session(session, provider, stands)


@router.post("/{session_id}:finish")
async def finish(
    request: Request,
    session_id: UUID,
    body: AssertionIn,
    who: Annotated[Citizen, Security(citizen(WRITE, "me.face.finish"))],
) -> FaceSessionOut:
    """Hand over what the provider signed. It counts once; a refusal changes nothing of the benefits."""
    provider = _provider(who)
    try:
        claims = await provider.claims(body.assertion)
        assertion = facing.read_assertion(who.deps, claims, who.subject)
        async with who.deps.database.write() as tx:
            session = await facing.finish(who.deps, tx, session_id, who.subject, assertion)
            stands = await _stands(who, tx, session)
            await who.log(tx, str(session.state))
    except ProblemError as error:
        request.state.refusal_logged = True
        async with who.deps.database.write() as tx:
            await who.log(tx, denied(error.code))
        raise _with_ways(error) from error
    return _session(session, provider, stands)


async def _stands(who: Citizen, tx: WriteTx, session: FaceSession) -> str:
    """What is left to do for whoever passed: a face answers no stop that is announced, and no claim but being alive."""
    if session.state is not FaceState.PASSED:
        return ""
    return str((await mine.read_status(who.deps, tx, who.subject))["summary"])


def _provider(who: Citizen) -> FaceProvider:
    if who.deps.face is None:
        detail = "本地没有开通人脸认证，请改用其他方式办理。"
        raise _with_ways(NoFaceError(detail))
    return who.deps.face


def _with_ways(error: ProblemError) -> ProblemError:
    error.extra["other_ways"] = list(OTHER_WAYS)
    return error


def _session(session: FaceSession, provider: FaceProvider, stands: str) -> FaceSessionOut:
    sentence = _REFUSED[session.refused_for] if session.refused_for else _SENTENCES[session.state]
    return FaceSessionOut(
        session_id=session.session_id,
        nonce=session.nonce,
        provider=provider.issuer,
        audience=provider.audience,
        expires_at=session.expires_at,
        state=session.state,
        refused_for=session.refused_for,
        sentence=sentence + stands,
        other_ways=list(OTHER_WAYS),
    )
