"""What every route of notify uses."""

from typing import Annotated, cast

from fastapi import Depends, Request, Security

from services.notify.usecases.deps import Deps
from shared.kit.auth import Caller, allow


def deps_of(request: Request) -> Deps:
    return cast(Deps, request.app.state.deps)


Wired = Annotated[Deps, Depends(deps_of)]
Reader = Annotated[Caller, Security(allow("notify.read"))]
Manager = Annotated[Caller, Security(allow("notify.manage"))]
Operator = Annotated[Caller, Security(allow("operate"))]
