"""A route for the hottest paths: one guard, one JSON body, none of the framework's work for what else there may be."""

from collections.abc import Callable, Coroutine
from typing import Any

import orjson
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import TypeAdapter, ValidationError

_JSON = "application/json"


class HotRoute(APIRoute):
    """Documented and found like any other; its function takes a guard and a body, and answers with a Response."""

    def get_route_handler(  # type: ignore[explicit-override]  # typing knows @override from 3.12 on
        self,
    ) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """What answers a request."""
        (guard,), (body,) = self.dependant.dependencies, self.dependant.body_params
        check, guard_name, body_name, answer = guard.call, guard.name, body.name, self.endpoint
        assert check is not None
        assert guard_name is not None
        shape: Any = body.field_info.annotation
        read = TypeAdapter(shape)

        async def handle(request: Request) -> Response:
            raw = await request.body()
            let_in = await check(request)
            said = _read(read, raw, request.headers.get("content-type", ""))
            response: Response = await answer(**{guard_name: let_in, body_name: said})
            return response

        return handle


def _read(adapter: TypeAdapter[Any], raw: bytes, declared: str) -> Any:  # noqa: ANN401  (whatever the route takes)
    """The body, or the error FastAPI raises for it."""
    if not raw:
        raise RequestValidationError([{"type": "missing", "loc": ("body",), "msg": "Field required"}])
    try:
        # What is declared as something else is no document, whatever it looks like.
        plain = orjson.loads(raw) if _is_json(declared) else raw
    except orjson.JSONDecodeError as error:
        raise RequestValidationError(
            [{"type": "json_invalid", "loc": ("body", error.pos), "msg": "JSON decode error"}]
        ) from error
    try:
        return adapter.validate_python(plain, from_attributes=True)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise RequestValidationError([{**each, "loc": ("body", *each["loc"])} for each in found]) from error


def _is_json(declared: str) -> bool:
    if declared == _JSON:
        return True
    media = declared.partition(";")[0].strip().lower()
    return media == _JSON or (media.startswith("application/") and media.endswith("+json"))
