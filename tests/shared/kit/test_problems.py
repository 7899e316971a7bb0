"""Errors have one shape, say what to do, and never echo what was sent."""

import asyncpg
import httpx
import pytest
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict

from shared.kit import problems
from shared.kit.edge import Edge
from shared.kit.problems import NotFoundError

ID = "341602194901011237"


class Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")
    citizen_id: str
    days: int


@pytest.fixture
async def http():
    app = FastAPI()
    problems.install(app)

    @app.post("/ask")
    async def ask(asked: Asked) -> dict[str, int]:
        if asked.days == 404:
            raise NotFoundError("Nothing has this number; list them first.")
        if asked.days == 503:
            raise asyncpg.QueryCanceledError(asked.citizen_id)
        if asked.days == 500:
            raise RuntimeError(asked.citizen_id)
        return {"days": asked.days}

    wrapped = Edge(app, max_body_bytes=2_000)
    transport = httpx.ASGITransport(wrapped, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://t") as client:
        yield client


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("POST", "/ask", {"citizen_id": ID, "days": 404}, 404, "not_found"),
        ("POST", "/ask", {"citizen_id": ID, "days": "x"}, 422, "malformed"),
        ("POST", "/ask", {"citizen_id": ID, "days": 1, ID: 2}, 422, "malformed"),
        ("POST", "/ask", {"citizen_id": ID, "days": 500}, 500, "internal"),
        ("POST", "/ask", {"citizen_id": ID, "days": 503}, 503, "unavailable"),
        ("POST", "/ask", {"citizen_id": ID * 200, "days": 1}, 413, "too_large"),
        ("GET", "/ask", None, 405, "method_not_allowed"),
        ("GET", "/nowhere", None, 404, "not_found"),
    ],
)
async def test_every_error_is_a_problem_without_the_input(http, method, path, body, status, code):
    answer = await http.request(method, path, json=body, headers={"X-Request-Id": "abcdefgh-1"})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    said = answer.json()
    assert (said["code"], said["status"], said["trace_id"]) == (code, status, "abcdefgh-1")
    assert said["type"].startswith("urn:wugan:problem:")
    assert ID not in answer.text
    assert answer.headers["x-request-id"] == "abcdefgh-1"


async def test_a_strange_request_id_is_replaced(http):
    answer = await http.post("/ask", json={"citizen_id": ID, "days": 1}, headers={"X-Request-Id": "a b;DROP"})
    assert answer.status_code == 200
    assert answer.headers["x-request-id"] != "a b;DROP"
