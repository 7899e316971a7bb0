"""Errors that carry their own sentence and status. They need no web framework: `answering` turns them into HTTP."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, ClassVar

PROBLEM_JSON = "application/problem+json"


class ProblemError(Exception):
    """Base of every expected error: subclass it, set `status`, `code` and `title`, and say what to do next.

    Args:
        detail: a sentence for the developer at the other end: what, why, what to do; no input values, no ids.
        headers: response headers, e.g. `Retry-After`.
        extra: members added to the problem document.
    """

    status: ClassVar[int] = 400
    code: ClassVar[str] = "bad_request"
    title: ClassVar[str] = "The request cannot be served"

    def __init__(
        self, detail: str = "", *, headers: Mapping[str, str] | None = None, extra: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})


class NotFoundError(ProblemError):
    """Absent, or not yours: the two look the same from outside."""

    status = 404
    code = "not_found"
    title = "There is no such thing here"


class ConflictError(ProblemError):
    """The state does not allow it now."""

    status = 409
    code = "conflict"
    title = "The current state does not allow this"


class ForbiddenError(ProblemError):
    """Known caller, not allowed."""

    status = 403
    code = "forbidden"
    title = "The token does not allow this"


class UnauthorizedError(ProblemError):
    """No caller, or a token that does not hold."""

    status = 401
    code = "unauthorized"
    title = "A valid access token is needed"

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail, headers={"WWW-Authenticate": "Bearer"})


class TooLargeError(ProblemError):
    """A body beyond the limit of the settings."""

    status = 413
    code = "too_large"
    title = "The body is larger than this service takes"


class UnavailableError(ProblemError):
    """Something this service needs does not answer; trying again later is right."""

    status = 503
    code = "unavailable"
    title = "A part this service needs does not answer"

    def __init__(self, detail: str = "", *, retry_after: int = 2) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after)})


class MalformedError(ProblemError):
    """A body that does not have the documented shape; `errors` says where, never what was sent."""

    status = 422
    code = "malformed"
    title = "The request does not have the documented shape"


PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {
        "description": HTTPStatus(status).phrase,
        "content": {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for status in (400, 401, 403, 404, 409, 413, 422, 429, 500, 503)
}
"""Documented error answers for a router: `APIRouter(responses=PROBLEM_RESPONSES)`."""

PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457 problem details",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "trace_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "pointer": {"type": "string"},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
    },
}
