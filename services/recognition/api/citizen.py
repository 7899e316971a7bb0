"""Who a citizen is: the person the mobile back end vouches for, as his token names him; nobody else, by no route."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from fastapi import Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from services.recognition.api.deps import RouteDeps, admit_person, asker, deps
from services.recognition.domain.clients import CITIZEN
from services.recognition.store import lookups
from services.recognition.store.lookups import Asker
from shared.kit.auth import Caller, allow
from shared.kit.db import WriteTx
from shared.kit.problems import ForbiddenError

READ = "me.read"
WRITE = "me.write"
_SEEN = "seen"

_bearer = HTTPBearer(auto_error=False, bearerFormat="RFC 9068 JWT", description="token that names one citizen")


@dataclass(frozen=True, slots=True)
class Citizen:
    """A person asking about himself."""

    deps: RouteDeps
    subject: UUID
    client_id: str
    asker: Asker

    async def log(self, tx: WriteTx, answer: str = _SEEN) -> None:
        """Write the look down, in the transaction that answers it."""
        await lookups.log_usage(tx, self.asker, subject=self.subject, answer=answer)


def citizen(scope: str, action: str) -> Callable[..., Awaitable[Citizen]]:
    """A guard for routes below /v1/me: a citizen's token with this scope, which names the person."""
    inner = allow(scope, roles=(CITIZEN,), met=admit_person)

    async def check(request: Request, credentials: HTTPAuthorizationCredentials | None = Security(_bearer)) -> Citizen:
        found, request.state.action = deps(request), action
        caller = await inner(request, credentials)
        subject = _subject(caller)
        who = asker(request, found, caller, action, why=None, program=None)
        return Citizen(found, subject, caller.client_id, who)

    check.is_guard = True  # type: ignore[attr-defined]  # a mark for the guard test
    return check


def _subject(caller: Caller) -> UUID:
    try:
        return UUID(caller.user)
    except ValueError as error:
        detail = "The token names no citizen: sign an assertion with the claim `user` at the token endpoint."
        raise ForbiddenError(detail) from error
