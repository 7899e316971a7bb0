"""The outermost layer of every HTTP answer: request id, trace, size limit, timing; pure ASGI, nothing buffered."""

import re
import secrets
from collections.abc import Sequence

import structlog
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.kit import trace
from shared.kit.answering import too_large
from shared.kit.clock import wall
from shared.kit.problems import TooLargeError
from shared.kit.telemetry import http_seconds

log = structlog.get_logger(__name__)

_REQUEST_ID = re.compile(rb"[A-Za-z0-9-]{8,64}")
_QUIET = frozenset({"/livez", "/readyz", "/metrics"})
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Edge:
    """ASGI middleware.

    Args:
        app: what it wraps.
        max_body_bytes: limit of bodies read whole.
        streamed: patterns of paths whose handlers read the body piece by piece under limits of their own.
    """

    def __init__(self, app: ASGIApp, *, max_body_bytes: int, streamed: Sequence[str] = ()) -> None:
        self._app = app
        self._limit = max_body_bytes
        self._streamed = [re.compile(pattern) for pattern in streamed]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        given = headers.get(b"x-request-id", b"")
        request_id = given.decode() if given and _REQUEST_ID.fullmatch(given) else secrets.token_hex(12)
        scope.setdefault("state", {})["request_id"] = request_id
        incoming = headers.get(b"traceparent", b"").decode(errors="replace")
        if scope["path"] in _QUIET or not trace.recorded():
            trace.start(incoming)
            await self._serve(scope, receive, send, headers)
            return
        with trace.span("request", parent=incoming, kind="server") as piece:
            await self._serve(scope, receive, send, headers, piece)

    async def _serve(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        headers: dict[bytes, bytes],
        piece: trace.Piece | None = None,
    ) -> None:
        request_id: str = scope["state"]["request_id"]
        structlog.contextvars.bind_contextvars(request_id=request_id)
        started, status = wall(), 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", []),
                    (b"x-request-id", request_id.encode()),
                    (b"x-content-type-options", b"nosniff"),
                    (b"cache-control", b"no-store"),
                ]
            await send(message)

        try:
            if self._declares_too_much(scope, headers):
                # Answered here: the framework would make a plain 400 of an error that comes up while it reads the body.
                await too_large(Request(scope), self._limit)(scope, receive, answer)
            else:
                await self._app(scope, self._limited(scope, receive), answer)
        finally:
            self._note(scope, status, wall() - started, piece)
            structlog.contextvars.unbind_contextvars("request_id")

    def _is_streamed(self, scope: Scope) -> bool:
        return any(pattern.fullmatch(scope["path"]) for pattern in self._streamed)

    def _declares_too_much(self, scope: Scope, headers: dict[bytes, bytes]) -> bool:
        declared = headers.get(b"content-length", b"0")
        return declared.isdigit() and int(declared) > self._limit and not self._is_streamed(scope)

    def _limited(self, scope: Scope, receive: Receive) -> Receive:
        if self._is_streamed(scope):
            return receive
        taken = 0

        async def limited() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._limit:
                detail = f"At most {self._limit} bytes."
                raise TooLargeError(detail)
            return message

        return limited

    def _note(self, scope: Scope, status: int, seconds: float, piece: trace.Piece | None) -> None:
        # The template of the route, never the path: a path could hold an identifier, and labels must stay few.
        route = getattr(scope.get("route"), "path", "unmatched")
        # Any word is a method to the parser of requests, and a label is kept for good.
        method = scope["method"] if scope["method"] in _METHODS else "other"
        http_seconds(method, route, status).observe(seconds)
        if piece:
            piece.name = f"{method} {route}"
            piece.attributes = {"http.route": route, "http.response.status_code": status}
        if route not in _QUIET:
            log.info("request", method=method, route=route, status=status, ms=round(seconds * 1000, 1))
