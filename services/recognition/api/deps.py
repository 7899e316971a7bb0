"""What routes work with: dependencies, callers, and the headers that say why somebody asks."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, cast

import orjson
from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from joserfc import jws
from joserfc.errors import JoseError

from services.recognition.store import lookups
from services.recognition.store.lookups import Asker
from services.recognition.usecases import recognise
from services.recognition.usecases.deps import Deps
from services.recognition.usecases.facing import FaceProvider
from services.recognition.usecases.limits import Limiter
from services.recognition.usecases.tokens import Issuer
from shared.kit.auth import BearerGuard, Caller, allow
from shared.kit.problems import ForbiddenError, MalformedError, ProblemError, UnauthorizedError
from shared.kit.telemetry import mask_text
from shared.kit.together import Together


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteDeps(Deps):
    """Dependencies of the verbs, the issuer where it is built in, and the events that wake the loops.

    Attributes:
        checks: asks about one person, together with whoever asks at the same moment.
        face: whose word on faces counts; None where no provider is connected.
    """

    issuer: Issuer | None
    wake_runs: asyncio.Event
    wake_bulk: asyncio.Event
    limiter: Limiter
    checks: Together
    face: FaceProvider | None = None


def deps(request: Request) -> RouteDeps:
    """The service's dependencies."""
    return cast(RouteDeps, request.app.state.deps)


async def _deps(request: Request) -> RouteDeps:
    # FastAPI sends a plain function to a thread, which costs more than the lookup itself; hence async.
    return deps(request)


DepsOf = Annotated[RouteDeps, Depends(_deps)]

_WORD = r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,79}"
_IS_WORD = re.compile(_WORD).fullmatch
_REASONS = {
    "Purpose-Code": (True, "why the person is looked up"),
    "Legal-Basis": (True, "rule that allows it"),
    "Case-Ref": (False, "the caller's own case or list"),
}
PURPOSE_HEADERS: dict[str, Any] = {
    "parameters": [
        {
            "name": name,
            "in": "header",
            "required": required,
            "description": description,
            "schema": {"type": "string", "maxLength": 80, "pattern": f"^{_WORD}$"},
        }
        for name, (required, description) in _REASONS.items()
    ]
}
"""Description of the headers of a lawful question, for `openapi_extra`."""


@dataclass(frozen=True, slots=True)
class Purpose:
    """Why somebody asks."""

    code: str
    basis: str
    case: str | None


def purpose(request: Request) -> Purpose:
    """The three headers of a lawful question.

    Raises:
        MalformedError: one is missing or is no word; nothing of it is echoed.
    """
    headers, given = request.headers, dict[str, str | None]()
    for name, (required, _) in _REASONS.items():
        given[name] = value = headers.get(name)
        if (required and value is None) or (value is not None and not _IS_WORD(value)):
            detail = "Say why you look a person up: letters, digits and . _ : / - , at most 80."
            code = "missing" if value is None else "string_pattern_mismatch"
            errors = [{"pointer": f"/header/{name}", "code": code, "detail": detail}]
            raise MalformedError(f"The header {name} is needed as a word.", extra={"errors": errors})
    return Purpose(given["Purpose-Code"] or "", given["Legal-Basis"] or "", given["Case-Ref"])


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


async def deny(found: Deps, who: Asker, error: ProblemError) -> None:
    """Log a refusal in a transaction of its own, before it leaves."""
    async with found.database.write() as tx:
        await lookups.log_usage(tx, who, subject=None, answer=f"denied:{error.code}")


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
        user=claimed if _IS_WORD(claimed) else "-",
        department=None,
        action=action,
        program=None,
        purpose=None,
        legal_basis=None,
        case_ref=None,
        request_id=request.scope["state"]["request_id"],
    )


_bearer = HTTPBearer(auto_error=False, bearerFormat="RFC 9068 JWT", description="private_key_jwt client credentials")


def allow_logged(scope: str, action: str) -> Callable[..., Awaitable[Caller]]:
    """`allow(scope)`, with a usage row for a caller who is known and lacks the scope."""
    inner = allow(scope)

    async def check(request: Request, credentials: HTTPAuthorizationCredentials | None = Security(_bearer)) -> Caller:
        try:
            return await inner(request, credentials)
        except UnauthorizedError as error:
            if credentials is not None:
                await deny(deps(request), stranger(request, deps(request), action, credentials.credentials), error)
            raise
        except ForbiddenError as error:
            assert credentials is not None
            caller = await request.app.state.platform.guard.caller(credentials.credentials)
            found = deps(request)
            await deny(found, asker(request, found, caller, action, why=None, program=None), error)
            raise

    check.is_guard = True  # type: ignore[attr-defined]  # a mark for the guard test
    return check


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
    inner = allow_logged(scope, action)

    async def check(request: Request, credentials: HTTPAuthorizationCredentials | None) -> Question:
        caller = await inner(request, credentials)
        found = deps(request)
        request.state.limited = (found.limiter, caller.client_id)
        found.limiter.admit(caller.client_id)
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
        await deny(question.deps, question.asker(program), error)
        raise
