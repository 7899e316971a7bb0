"""What routes work with: dependencies, callers, and the headers that say why somebody asks."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, cast

from fastapi import Depends, Header, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from services.recognition.store import lookups
from services.recognition.store.lookups import Asker
from services.recognition.usecases.deps import Deps
from services.recognition.usecases.tokens import Issuer
from shared.kit.auth import Caller, allow
from shared.kit.problems import ForbiddenError, ProblemError


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteDeps(Deps):
    """Dependencies of the verbs, the issuer where it is built in, and the event that wakes the run loop."""

    issuer: Issuer | None
    wake_runs: asyncio.Event


def deps(request: Request) -> RouteDeps:
    """The service's dependencies."""
    return cast(RouteDeps, request.app.state.deps)


DepsOf = Annotated[RouteDeps, Depends(deps)]

_Token = Annotated[str, Header(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/§-]{0,79}$")]
PurposeCode = Annotated[_Token, Header(alias="Purpose-Code", description="why the person is looked up")]
LegalBasis = Annotated[_Token, Header(alias="Legal-Basis", description="rule that allows it")]
CaseRef = Annotated[_Token | None, Header(alias="Case-Ref", description="the caller's own case or list")]


@dataclass(frozen=True, slots=True)
class Purpose:
    """Why somebody asks."""

    code: str
    basis: str
    case: str | None


def purpose(purpose_code: PurposeCode, legal_basis: LegalBasis, case_ref: CaseRef = None) -> Purpose:
    """The three headers of a lawful question."""
    return Purpose(purpose_code, legal_basis, case_ref)


PurposeOf = Annotated[Purpose, Depends(purpose)]


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


_bearer = HTTPBearer(auto_error=False, bearerFormat="RFC 9068 JWT", description="private_key_jwt client credentials")


def allow_logged(scope: str, action: str) -> Callable[..., Awaitable[Caller]]:
    """`allow(scope)`, with a usage row for a caller who is known and lacks the scope."""
    inner = allow(scope)

    async def check(request: Request, credentials: HTTPAuthorizationCredentials | None = Security(_bearer)) -> Caller:
        try:
            return await inner(request, credentials)
        except ForbiddenError as error:
            assert credentials is not None
            caller = await request.app.state.platform.guard.caller(credentials.credentials)
            found = deps(request)
            await deny(found, asker(request, found, caller, action, why=None, program=None), error)
            raise

    check.is_guard = True  # type: ignore[attr-defined]  # a mark for the guard test
    return check


Json = Mapping[str, Any]
