"""What every route of notify uses."""

from typing import Annotated, cast

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from services.notify.usecases.deps import Deps
from services.notify.usecases.rights import CITIZEN, EVERYBODYS, LOOKERS
from shared.kit.auth import Caller, GuardFunction, allow
from shared.kit.problems import ForbiddenError

_bearer = HTTPBearer(auto_error=False, bearerFormat="RFC 9068 JWT", description="private_key_jwt client credentials")


def deps_of(request: Request) -> Deps:
    return cast(Deps, request.app.state.deps)


def either(one: GuardFunction, other: GuardFunction) -> GuardFunction:
    """A guard that lets in whom one of two lets in."""

    async def check(request: Request, credentials: HTTPAuthorizationCredentials | None = Security(_bearer)) -> Caller:
        try:
            return await one(request, credentials)
        except ForbiddenError:
            return await other(request, credentials)

    check.is_guard = True  # type: ignore[attr-defined]  # a mark for the guard test
    return check


Wired = Annotated[Deps, Depends(deps_of)]
Reader = Annotated[Caller, Security(allow("notify.read"))]
Looker = Annotated[Caller, Security(allow("notify.read", roles=sorted(LOOKERS)))]
"""Who may look at a person, himself among them; at which one depends on the token."""
Manager = Annotated[Caller, Security(allow("notify.manage", roles=sorted(EVERYBODYS | {"officer"})))]
"""Who may have people written to in the name of the office."""
Preferrer = Annotated[Caller, Security(either(allow("notify.manage"), allow("notify.read", roles=(CITIZEN,))))]
"""Who may say how a person wants to be told: who manages messages, and the person himself."""
Printer = Annotated[Caller, Security(either(allow("notify.read"), allow("notify.village")))]
"""Who may print what is for everybody."""
Operator = Annotated[Caller, Security(allow("operate"))]
