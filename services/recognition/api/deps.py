"""What routes work with: dependencies, callers, and the headers that say why somebody asks."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, cast

import orjson
from fastapi import Depends, Request, Security
from fastapi.exceptions import RequestValidationError
from fastapi.security import HTTPAuthorizationCredentials
from joserfc import jws
from joserfc.errors import JoseError

from services.recognition.domain.citizen_id import holds_id
from services.recognition.store import lookups
from services.recognition.store.lookups import Asker
from services.recognition.usecases import recognise
from services.recognition.usecases.deps import Deps
from services.recognition.usecases.facing import FaceProvider
from services.recognition.usecases.limits import Limiter, TooManyRequestsError
from services.recognition.usecases.partners import Partners
from services.recognition.usecases.refusals import Refusals, denied
from services.recognition.usecases.tokens import Issuer
from shared.kit import purpose as reasons
from shared.kit.auth import BearerGuard, Caller, allow
from shared.kit.problems import MalformedError, ProblemError
from shared.kit.purpose import Purpose
from shared.kit.telemetry import mask_text
from shared.kit.together import Together


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteDeps(Deps):
    """Dependencies of the verbs, the issuer where it is built in, and the events that wake the loops.

    Attributes:
        limiter: of clients.
        persons: limits of the people behind a client many share: citizens, officers, auditors.
        addresses: limits of those who ask for tokens, whom nobody knows yet.
        refusals: keeps floods of them out of the usage log, but for their number.
        checks: asks about one person, together with whoever asks at the same moment.
        partners: learns who they are, where neither file nor issuer of ours says it.
        face: whose word on faces counts; None where no provider is connected.
    """

    issuer: Issuer | None
    wake_runs: asyncio.Event
    wake_bulk: asyncio.Event
    limiter: Limiter
    persons: Limiter
    addresses: Limiter
    refusals: Refusals
    checks: Together
    partners: Partners | None = None
    face: FaceProvider | None = None


def deps(request: Request) -> RouteDeps:
    """The service's dependencies."""
    return cast(RouteDeps, request.app.state.deps)


async def _deps(request: Request) -> RouteDeps:
    # FastAPI sends a plain function to a thread, which costs more than the lookup itself; hence async.
    return deps(request)


DepsOf = Annotated[RouteDeps, Depends(_deps)]

PURPOSE_HEADERS = reasons.PURPOSE_HEADERS
"""Description of the headers of a lawful question, for `openapi_extra`."""


def purpose(request: Request) -> Purpose:
    """The three headers of a lawful question.

    Raises:
        MalformedError: one is missing or is no word; nothing of it is echoed.
    """
    return reasons.read_purpose(request.headers, holds_id)


def asker(
    request: Request, found: Deps, caller: Caller, action: str, *, why: Purpose | None, program: str | None
) -> Asker:
    """What the usage log keeps of a request."""
    return Asker(
        at=found.clock.now(),
        client_id=caller.client_id,
        user=caller.user,
        department=caller.department,
        action=action,
        program=program,
        purpose=why.code if why else None,
        legal_basis=why.basis if why else None,
        case_ref=why.case if why else None,
        request_id=request.scope["state"]["request_id"],
    )


async def deny(request: Request, who: Asker, error: ProblemError) -> None:
    """Log a refusal in a transaction of its own, before it leaves; those beyond a limit as a number once they flood."""
    found, request.state.refusal_logged = deps(request), True
    if isinstance(error, TooManyRequestsError):
        await found.refusals.note(f"{who.client_id} {who.user}", who, error.code)
        return
    async with found.database.write() as tx:
        await lookups.log_usage(tx, who, subject=None, answer=denied(error.code))


async def log_refusal(request: Request, route: str, error: ProblemError | RequestValidationError) -> None:
    """Log what a route refuses and nobody has logged, before it leaves.

    Whoever is known passes his limit first, so each refusal has a row; nobody limits a stranger.
    """
    code = error.code if isinstance(error, ProblemError) else MalformedError.code
    status = error.status if isinstance(error, ProblemError) else MalformedError.status
    if getattr(request.state, "refusal_logged", False) or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return
    caller: Caller | None = getattr(request.state, "caller", None)
    action = getattr(request.state, "action", route)
    found = deps(request)
    if caller is not None:
        refused = error if isinstance(error, ProblemError) else MalformedError()
        await deny(request, asker(request, found, caller, action, why=None, program=None), refused)
    elif isinstance(error, ProblemError) and (token := _shown(request)):
        await found.refusals.note(stranger_at(request), stranger(request, found, action, token), code)


def _shown(request: Request) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" and token else None


def stranger_at(request: Request) -> str:
    """Whose share of the log somebody unknown takes: that of his address."""
    return f"@{request.app.state.platform.guard.peer(request)}"


def stranger(request: Request, found: Deps, action: str, token: str) -> Asker:
    """What the usage log keeps of somebody whose token or assertion does not hold; whom it names is not believed."""
    try:
        said = orjson.loads(jws.extract_compact(token.encode()).payload)
        claimed = mask_text(str(said.get("client_id") or said.get("iss")))
    except (JoseError, ValueError, AttributeError):
        claimed = ""
    return Asker(
        at=found.clock.now(),
        client_id="unverified",
        user=claimed if reasons.is_word(claimed) else "-",
        department=None,
        action=action,
        program=None,
        purpose=None,
        legal_basis=None,
        case_ref=None,
        request_id=request.scope["state"]["request_id"],
    )


def admit_client(request: Request, caller: Caller) -> None:
    """Let a client in at its rate, whatever it may do."""
    found = deps(request)
    request.state.limited = (found.limiter, caller.client_id)
    found.limiter.admit(caller.client_id)


def admit_person(request: Request, caller: Caller) -> None:
    """Let a person in at a rate people can keep; the client in front of him serves a whole city."""
    deps(request).persons.admit(f"{caller.client_id} {caller.user}")


officer_only = allow("recognition.manage", roles=("officer",), named=True, met=admit_person)
"""A guard for officers, by name; what they ask is limited and what they are refused is logged."""
Officer = Annotated[Caller, Security(officer_only)]


@dataclass(frozen=True, slots=True)
class Question:
    """A lawful question: who asks, why, and what answers it."""

    deps: RouteDeps
    caller: Caller
    why: Purpose | None
    request: Request
    action: str

    def asker(self, program: str | None) -> Asker:
        """What the usage log keeps of it."""
        return asker(self.request, self.deps, self.caller, self.action, why=self.why, program=program)


def asking(scope: str, action: str, *, lawful: bool = True) -> BearerGuard[Question]:
    """A guard that hands over the whole question: one dependency instead of five, on the path every program takes.

    Args:
        scope: the caller needs.
        action: for the usage log.
        lawful: whether purpose and basis must be said; what a caller asked for before needs no new reason.
    """
    inner = allow(scope, met=admit_client)

    async def check(request: Request, credentials: HTTPAuthorizationCredentials | None) -> Question:
        request.state.action = action
        caller = await inner(request, credentials)
        found = deps(request)
        if found.partners is not None and not found.partners.knows(caller):
            await found.partners.meet(caller)
        return Question(found, caller, purpose(request) if lawful else None, request, action)

    return BearerGuard(check)


@asynccontextmanager
async def logged(question: Question, program: str | None) -> AsyncIterator[None]:
    """Log a refusal before it leaves; the first of them is a program the token does not speak for."""
    try:
        if program is not None:
            recognise.program_for(question.deps, program, allowed=question.caller.may_program(program))
        yield
    except ProblemError as error:
        await deny(question.request, question.asker(program), error)
        raise
