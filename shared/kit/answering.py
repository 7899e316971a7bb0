"""Answers every error of an application as RFC 9457 problem+json, without echoing what was sent."""

from http import HTTPStatus
from typing import Any

import asyncpg
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from shared.kit.problems import PROBLEM_JSON, MalformedError, ProblemError, TooLargeError, UnavailableError

log = structlog.get_logger(__name__)


def problem_document(request: Request, error: ProblemError) -> dict[str, Any]:
    """The RFC 9457 document of an error."""
    return {
        "type": f"urn:wugan:problem:{error.code}",
        "title": error.title,
        "status": error.status,
        "code": error.code,
        "detail": error.detail or error.title,
        "trace_id": request.scope.get("state", {}).get("request_id", ""),
        **error.extra,
    }


def _respond(request: Request, error: ProblemError) -> JSONResponse:
    return JSONResponse(
        problem_document(request, error), status_code=error.status, headers=error.headers, media_type=PROBLEM_JSON
    )


def too_large(request: Request, limit: int) -> JSONResponse:
    """The answer to a body that declares more than `limit` bytes."""
    return _respond(request, TooLargeError(f"At most {limit} bytes."))


def _declared(request: Request) -> frozenset[str]:
    """Every name a request of its route may have a value under; keys of mappings are not among them."""
    route, state = request.scope.get("route"), request.app.state
    if not hasattr(state, "declared"):
        state.declared = {}
    known: dict[int, frozenset[str]] = state.declared
    if id(route) not in known:
        known[id(route)] = _names(get_openapi(title="-", version="-", routes=[route] if route else []))
    return known[id(route)]


def _names(document: dict[str, Any]) -> frozenset[str]:
    found = {"body", "query", "path", "header", "cookie"}

    def walk(node: object) -> None:
        if isinstance(node, dict):
            if isinstance(named := node.get("properties"), dict):
                found.update(named)
            found.update(str(each["name"]) for each in node.get("parameters", ()) if "name" in each)
            for each in node.values():
                walk(each)
        elif isinstance(node, list):
            for each in node:
                walk(each)

    walk(document)
    return frozenset(found)


def _pointer(location: tuple[int | str, ...], kind: str, declared: frozenset[str]) -> str:
    # The name of a member nobody declared is input too, and so is a key of a mapping.
    if kind == "extra_forbidden":
        location = location[:-1]
    parts = [str(part) if isinstance(part, int) or part in declared else "*" for part in location]
    return "/" + "/".join(part.replace("~", "~0").replace("/", "~1") for part in parts)


async def _on_problem(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ProblemError)
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.warning("problem", code=error.code, status=error.status)
    return _respond(request, error)


async def _on_validation(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    declared = _declared(request)
    # pydantic's `input` and `ctx` may hold an id number, so only place and kind leave.
    errors = [
        {
            "pointer": _pointer(tuple(each["loc"]), each["type"], declared),
            "code": each["type"],
            "detail": each["msg"].split(", got")[0],
        }
        for each in error.errors()
    ]
    return _respond(request, MalformedError("See `errors` for the places to mend.", extra={"errors": errors}))


async def _on_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    # Whatever is raised while a body is read, our own limit too, the framework calls a bad request.
    if isinstance(error.__cause__, ProblemError):
        return _respond(request, error.__cause__)
    phrase = HTTPStatus(error.status_code).phrase
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = _allowed(request)
    problem = ProblemError(phrase, headers=headers)
    document = problem_document(request, problem) | {
        "type": f"urn:wugan:problem:{phrase.lower().replace(' ', '_')}",
        "title": phrase,
        "status": error.status_code,
        "code": phrase.lower().replace(" ", "_"),
    }
    return JSONResponse(document, status_code=error.status_code, headers=headers, media_type=PROBLEM_JSON)


def _allowed(request: Request) -> str:
    """Methods of the resource: several routes may share a path, and the framework names those of the first only."""
    methods: set[str] = set()
    for route in request.app.routes:
        match, _ = route.matches(request.scope)
        if match is not Match.NONE:
            methods |= getattr(route, "methods", None) or set()
    return ", ".join(sorted(methods))


_CROWDED = (asyncpg.QueryCanceledError, asyncpg.TransactionRollbackError)
"""The database took longer than it may, or ended one of two transactions of which each waited for the other."""


async def _on_crowded(request: Request, error: Exception) -> JSONResponse:
    log.warning("database_crowded", reason=type(error).__name__, exc_info=error)
    detail = "The database was too busy with other requests; nothing of this one was kept, try again shortly."
    return _respond(request, UnavailableError(detail))


_BEYOND = (
    asyncpg.CharacterNotInRepertoireError,
    asyncpg.UntranslatableCharacterError,
    asyncpg.NumericValueOutOfRangeError,
    asyncpg.DatetimeFieldOverflowError,
)
"""Values that have the documented shape and that no database keeps: a NUL in a text, a number or an instant too far."""


async def _on_value(request: Request, error: Exception) -> JSONResponse:
    # Of exactly this class the driver raises what it cannot write down; the others are the server's, ours among them.
    if not isinstance(error, (*_BEYOND, OverflowError)) and type(error) is not asyncpg.DataError:
        return await _on_bug(request, error)
    log.warning("value_out_of_range", reason=type(error).__name__)
    detail = "A value lies beyond what can be kept: a NUL in a text, or a number or an instant out of all range."
    return _respond(request, MalformedError(detail))


async def _on_wrapped(request: Request, error: Exception) -> JSONResponse:
    """An error of the driver that came through SQLAlchemy."""
    assert isinstance(error, DBAPIError)
    cause = error.orig.__cause__ if error.orig else None
    if isinstance(cause, asyncpg.DataError):
        return await _on_value(request, cause)
    if isinstance(cause, _CROWDED):
        return await _on_crowded(request, cause)
    return await _on_bug(request, error)


async def _on_bug(request: Request, error: Exception) -> JSONResponse:
    log.error("unexpected_error", exc_info=error)
    document = problem_document(request, ProblemError("An unexpected error was logged under `trace_id`."))
    document |= {"status": 500, "code": "internal", "title": "Internal error", "type": "urn:wugan:problem:internal"}
    return JSONResponse(document, status_code=500, media_type=PROBLEM_JSON)


def install(app: FastAPI) -> None:
    """Answer every error of `app` in one shape."""
    app.add_exception_handler(ProblemError, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_validation)
    app.add_exception_handler(HTTPException, _on_http)
    for crowded in _CROWDED:
        app.add_exception_handler(crowded, _on_crowded)
    app.add_exception_handler(asyncpg.DataError, _on_value)
    app.add_exception_handler(OverflowError, _on_value)
    app.add_exception_handler(DBAPIError, _on_wrapped)
    app.add_exception_handler(Exception, _on_bug)
