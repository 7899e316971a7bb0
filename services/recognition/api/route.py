"""A route that tells its caller what is left of its limits, and of paths that will go, when and where to look."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, date, datetime
from email.utils import format_datetime
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from services.recognition.api.deps import log_refusal
from services.recognition.usecases.limits import Limiter
from shared.kit.hot import HotRoute
from shared.kit.problems import ProblemError

_NOTICE_DAYS = 365
_SERVER_ERRORS = 500


@dataclass(frozen=True, slots=True)
class Leaving:
    """A path that will go; announced a year before.

    Attributes:
        since: day it was announced (Deprecation, RFC 9745).
        until: last day it answers (Sunset, RFC 8594).
        instead: where to read what to use instead.
    """

    since: date
    until: date
    instead: str

    def __post_init__(self) -> None:
        if (self.until - self.since).days < _NOTICE_DAYS:
            msg = "a path is announced to go a year before it does"
            raise ValueError(msg)

    def headers(self) -> dict[str, str]:
        """Deprecation, Sunset and Link."""
        since, until = (datetime(day.year, day.month, day.day, tzinfo=UTC) for day in (self.since, self.until))
        return {
            "Deprecation": f"@{int(since.timestamp())}",
            "Sunset": format_datetime(until, usegmt=True),
            "Link": f'<{self.instead}>; rel="deprecation"',
        }


LEAVING: dict[tuple[str, str], Leaving] = {}
"""Method and path template of what will go; nothing does at present."""


_TEXT = {"schema": {"type": "string"}}
_LIMITS = {
    "RateLimit-Policy": {"description": "limits of the client: burst and people a day", **_TEXT},
    "RateLimit": {"description": "what is left of them", **_TEXT},
}
_AGAIN = {"Retry-After": {"description": "seconds until it is worth asking again", **_TEXT}}


class LoggedRoute(APIRoute):
    """No refusal of it leaves unlogged, whoever made it: the guard, the shape of the request, or what it asks for."""

    def get_route_handler(  # type: ignore[explicit-override]  # typing knows @override from 3.12 on
        self,
    ) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await answer(request)
            except (ProblemError, RequestValidationError) as error:
                await log_refusal(request, self.name, error)
                raise

        return handle


class PartnerRoute(LoggedRoute):
    """Adds RateLimit fields for whoever passed a limiter, and says what will go."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:  # noqa: ANN401  (FastAPI's own)
        super().__init__(path, endpoint, **options)
        told = {str(code): {"headers": _LIMITS} for code in (self.status_code or 200, *self.responses)
                if int(code) < _SERVER_ERRORS}  # fmt: skip
        told["429"] = {"headers": {**_LIMITS, **_AGAIN}}
        self.openapi_extra = {**(self.openapi_extra or {}), "responses": told}

    def get_route_handler(  # type: ignore[explicit-override]  # typing knows @override from 3.12 on
        self,
    ) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        answer = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                response = await answer(request)
            except ProblemError as error:
                error.headers = {**_left(request), **error.headers}
                raise
            response.headers.update(_left(request))
            leaving = LEAVING.get((request.method, self.path_format))
            if leaving is not None:
                response.headers.update(leaving.headers())
            return response

        return handle


def _left(request: Request) -> dict[str, str]:
    """What is left of the caller's limits, where it has passed a limiter."""
    limited: tuple[Limiter, str] | None = getattr(request.state, "limited", None)
    return limited[0].headers(limited[1]) if limited is not None else {}


class QuestionRoute(PartnerRoute, HotRoute):
    """The same for the questions every program asks every month about everybody."""
