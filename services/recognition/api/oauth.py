"""The built-in token issuer: token endpoint, keys and metadata. Errors here are those of OAuth."""

from typing import Any
from urllib.parse import parse_qsl

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from services.recognition.api.deps import DepsOf, RouteDeps, stranger, stranger_at
from services.recognition.schemas.operation import OAuthErrorOut, TokenOut
from services.recognition.usecases import tokens
from services.recognition.usecases.limits import TooManyRequestsError
from services.recognition.usecases.tokens import Issuer, OAuthError
from shared.kit.http import ASSERTION_TYPE
from shared.kit.problems import PROBLEM_RESPONSES, NotFoundError

log = structlog.get_logger(__name__)

router = APIRouter(tags=["oauth"])

_FORM = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "required": ["grant_type", "client_assertion_type", "client_assertion"],
                    "properties": {
                        "grant_type": {"const": "client_credentials"},
                        "client_assertion_type": {"const": ASSERTION_TYPE},
                        "client_assertion": {"type": "string"},
                        "client_id": {"type": "string"},
                        "scope": {"type": "string"},
                    },
                }
            }
        },
    }
}
_MOST_FIELDS = 16


@router.post(
    "/oauth/token",
    openapi_extra=_FORM,
    response_model=TokenOut,
    responses={400: {"model": OAuthErrorOut}, 401: {"model": OAuthErrorOut}, 429: PROBLEM_RESPONSES[429]},
)
async def token(request: Request, found: DepsOf) -> Response:
    """An access token for a client that signs an assertion with its key (RFC 7523), good for ten minutes.

    Where the gateway saw a client certificate, the token holds together with that certificate only (RFC 8705).
    """
    issuer = _issuer(found)
    await _admit(request, found)
    form: dict[str, str] = {}
    try:
        form = _form(request.headers.get("content-type", ""), await request.body())
        client_id = tokens.read_form(form)
        async with found.database.write() as tx:
            certificate = request.app.state.platform.guard.certificate(request)
            said = await tokens.issue_token(issuer, tx, client_id, form, certificate=certificate)
    except OAuthError as error:
        log.warning("token_refused", error=error.error, status=error.status)
        await _log_refused(request, found, form.get("client_assertion", ""), error)
        return JSONResponse({"error": error.error, "error_description": error.description}, error.status)
    return JSONResponse(said, headers={"Pragma": "no-cache"})


@router.get("/.well-known/jwks.json")
async def jwks(found: DepsOf) -> dict[str, Any]:
    """Public keys of the issuer."""
    return _issuer(found).jwks()


@router.get("/.well-known/oauth-authorization-server")
async def metadata(found: DepsOf) -> dict[str, Any]:
    """Description of the issuer (RFC 8414)."""
    return _issuer(found).metadata()


async def _admit(request: Request, found: RouteDeps) -> None:
    """Let an address in at its rate: nobody is known yet, and each look at a signature costs."""
    address = stranger_at(request)
    try:
        found.addresses.admit(address)
    except TooManyRequestsError as error:
        await found.refusals.note(address, stranger(request, found, "token", ""), error.code)
        raise


async def _log_refused(request: Request, found: RouteDeps, assertion: str, error: OAuthError) -> None:
    # An assertion names its client as issuer; nobody believes it, but an auditor wants to see who was tried.
    await found.refusals.note(stranger_at(request), stranger(request, found, "token", assertion), error.error)


def _issuer(found: RouteDeps) -> Issuer:
    if found.issuer is None:
        detail = "Tokens come from the outside issuer of this installation."
        raise NotFoundError(detail)
    return found.issuer


def _form(content_type: str, body: bytes) -> dict[str, str]:
    if content_type.partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise OAuthError("invalid_request", "The body must be application/x-www-form-urlencoded.")
    try:
        pairs = parse_qsl(body.decode("ascii"), strict_parsing=True, max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise OAuthError("invalid_request", "The body is no form.") from error
    form = dict(pairs)
    if len(form) != len(pairs):
        raise OAuthError("invalid_request", "A parameter stands twice.")
    return form
