"""What all routes share: dependencies, callers, cursors."""

import base64
import binascii
from hashlib import blake2b
from typing import Annotated, cast
from uuid import UUID

from fastapi import Depends, Request, Security

from services.grid.schemas.work import TaskOut
from services.grid.store.tasks import Task
from services.grid.usecases.deps import Deps
from shared.kit.auth import Caller, allow
from shared.kit.looks import whole_city
from shared.kit.problems import ProblemError

Worker = Annotated[Caller, Security(allow("grid.work"))]
Village = Annotated[Caller, Security(allow("grid.work", roles=("village", "grid_leader")))]
Reader = Annotated[Caller, Security(allow("grid.read"))]
Officer = Annotated[Caller, Security(allow("grid.manage", roles=("officer",)))]
Manager = Annotated[Caller, Security(allow("grid.manage"))]
Party = Annotated[Caller, Security(allow("grid.read", roles=("village", "grid_leader", "officer")))]
Involved = Annotated[
    Caller, Security(allow("grid.read", roles=("village", "grid_leader", "grid_worker", "officer", "citizen")))
]
Citizen = Annotated[Caller, Security(allow("me.read", roles=("citizen",)))]
Service = Annotated[Caller, Security(allow("grid.read", roles=("service",)))]
Auditor = Annotated[Caller, Security(allow("audit.read", met=whole_city))]
Operator = Annotated[Caller, Security(allow("operate"))]


def _deps(request: Request) -> Deps:
    return cast(Deps, request.app.state.deps)


Parts = Annotated[Deps, Depends(_deps)]

_TAG = 8


def task_out(task: Task, caller: Caller) -> TaskOut:
    """A task as this caller may see it."""
    shown = TaskOut.model_validate(task)
    return shown if caller.role == "officer" else shown.model_copy(update={"visit_reasons": []})


class CursorError(ProblemError):
    """A cursor of another question."""

    code = "cursor_invalid"
    title = "The cursor belongs to another question; start again without one"


def make_cursor(last: UUID, *question: object) -> str:
    """A cursor that holds for this question only."""
    return base64.urlsafe_b64encode(last.bytes + _tag(last, question)).decode().rstrip("=")


def read_cursor(cursor: str | None, *question: object) -> UUID | None:
    """The id after which to go on.

    Raises:
        CursorError: malformed, or made for another question.
    """
    if cursor is None:
        return None
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        last = UUID(bytes=raw[:16])
    except (ValueError, binascii.Error) as error:
        raise CursorError from error
    if raw[16:] != _tag(last, question):
        raise CursorError
    return last


def _tag(last: UUID, question: tuple[object, ...]) -> bytes:
    # It guards against mistakes, not against forgery: the view is checked on every row anyway.
    return blake2b(repr(question).encode(), digest_size=_TAG, salt=last.bytes).digest()
