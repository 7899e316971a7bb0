"""A hot route answers as the framework's own does, faults included."""

from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Response, Security
from pydantic import BaseModel, ConfigDict, Field

from shared.kit import answering
from shared.kit.auth import BearerGuard
from shared.kit.hot import HotRoute
from shared.kit.problems import UnauthorizedError


class Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(max_length=3)]
    age: int | None = None


async def _named(_request: object, credentials: Any) -> str:
    if credentials is None:
        raise UnauthorizedError
    return str(credentials.credentials)


Known = Annotated[str, Security(BearerGuard(_named))]
JSON = {"Content-Type": "application/json"}
TOKEN = {"Authorization": "Bearer her"}


@pytest.fixture
async def http():
    app, plain, hot = FastAPI(), APIRouter(prefix="/plain"), APIRouter(prefix="/hot", route_class=HotRoute)

    async def ask(body: Asked, caller: Known) -> Response:
        return Response(f"{caller} {body.name} {body.age}")

    for router in (plain, hot):
        router.add_api_route("/ask", ask, methods=["POST"])
        app.include_router(router)
    answering.install(app)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://a.test") as client:
        yield client


@pytest.mark.parametrize(
    ("body", "media"),
    [
        ('{"name": "a", "age": 3}', "application/json"),
        ('{"name": "a"}', "application/json; charset=utf-8"),
        ('{"name": "a"}', "Application/Problem+JSON"),
        ('{"name": "a"}', "text/plain"),
        ('{"name": "a"}', ""),
        ("", "application/json"),
        ("[1]", "application/json"),
        ("null", "application/json"),
        ('{"name": "abcd", "age": "x"}', "application/json"),
        ('{"age": 4.5}', "application/json"),
        ('{"name": "a", "341602195005050013": 1}', "application/json"),
    ],
)
async def test_body_and_faults_are_those_of_the_framework(http, body, media):
    headers = {**TOKEN, "Content-Type": media}
    theirs, ours = [await http.post(f"/{each}/ask", content=body, headers=headers) for each in ("plain", "hot")]
    assert (ours.status_code, ours.content) == (theirs.status_code, theirs.content)


@pytest.mark.parametrize("body", ["{", '{"name": "\\ud800"}', '{"name": NaN}'])
async def test_what_is_no_json_is_malformed_at_the_body(http, body):
    answer = await http.post("/hot/ask", content=body, headers={**TOKEN, **JSON})
    assert (answer.status_code, answer.json()["code"]) == (422, "malformed")
    assert answer.json()["errors"][0]["pointer"].startswith("/body")


async def test_who_is_nobody_is_told_nothing_of_the_body(http):
    answer = await http.post("/hot/ask", content="{", headers=JSON)
    assert answer.status_code == 401


async def test_it_is_documented_as_any_other(http):
    paths = (await http.get("/openapi.json")).json()["paths"]
    ours, theirs = paths["/hot/ask"]["post"], paths["/plain/ask"]["post"]
    assert {name: ours[name] for name in ("requestBody", "responses", "security")} == {
        name: theirs[name] for name in ("requestBody", "responses", "security")
    }
