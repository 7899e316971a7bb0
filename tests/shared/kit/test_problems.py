"""Errors have one shape, say what to do, and never echo what was sent."""

from datetime import datetime, timedelta, timezone

import asyncpg
import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict

from shared.kit import answering
from shared.kit.edge import Edge
from shared.kit.problems import NotFoundError

ID = "341602194901011237"


class Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")
    citizen_id: str
    days: int
    values: dict[str, str] = {}


BEYOND = {
    4221: asyncpg.CharacterNotInRepertoireError,
    4222: asyncpg.DataError,
    4223: OverflowError,
    4224: asyncpg.NumericValueOutOfRangeError,
    4225: asyncpg.DatetimeFieldOverflowError,
    4226: asyncpg.UntranslatableCharacterError,
    5001: asyncpg.DivisionByZeroError,
}
CROWDED = {5031: asyncpg.QueryCanceledError, 5032: asyncpg.DeadlockDetectedError}


@pytest.fixture
async def http():
    app = FastAPI()
    answering.install(app)

    @app.post("/ask")
    async def ask(asked: Asked) -> dict[str, int]:
        if asked.days == 404:
            raise NotFoundError("Nothing has this number; list them first.")
        if asked.days in BEYOND:
            raise BEYOND[asked.days](asked.citizen_id)
        if asked.days in CROWDED:
            raise CROWDED[asked.days](asked.citizen_id)
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
        ("POST", "/ask", {"citizen_id": ID, "days": 1, "values": {ID: 2}}, 422, "malformed"),
        *[("POST", "/ask", {"citizen_id": ID, "days": days}, 422, "malformed") for days in BEYOND if days < 5000],
        ("POST", "/ask", {"citizen_id": ID, "days": 5001}, 500, "internal"),
        ("POST", "/ask", {"citizen_id": ID, "days": 500}, 500, "internal"),
        *[("POST", "/ask", {"citizen_id": ID, "days": days}, 503, "unavailable") for days in CROWDED],
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


async def test_a_body_that_declares_no_length_is_too_large_once_it_is(http):
    async def pieces():
        for _ in range(30):
            yield b" " * 100

    answer = await http.post("/ask", content=pieces(), headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


async def test_a_pointer_names_what_is_declared_and_no_key_of_a_mapping(http):
    answer = await http.post("/ask", json={"citizen_id": 1, "days": "x", "values": {ID: 2, "days": 3}})
    assert [each["pointer"] for each in answer.json()["errors"]] == [
        "/body/citizen_id", "/body/days", "/body/values/*", "/body/values/days",
    ]  # fmt: skip


@pytest.mark.db
@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("SELECT $1::text", "a\0b"),
        ("SELECT $1::text::jsonb", '"a\\u0000b"'),
        ("SELECT $1::bigint", 2**70),
        ("SELECT $1::timestamptz", datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))),
    ],
)
async def test_what_no_database_keeps_is_the_callers_mistake(database, sql, value):
    app = FastAPI()
    answering.install(app)

    @app.get("/plain")
    async def plain() -> None:
        async with database.write() as tx:
            await tx.fetch(sql, value)

    @app.get("/once")
    async def once() -> None:
        await database.at_once(sql, value)

    @app.get("/core")
    async def core() -> None:
        async with database.write() as tx:
            kind = sa.BigInteger() if isinstance(value, int) else sa.Text()
            await tx.execute(sa.select(sa.bindparam("value", value, kind)))

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://t") as client:
        for path in ("/plain", "/once", *(["/core"] if "json" not in sql and "time" not in sql else [])):
            answer = await client.get(path)
            assert (answer.status_code, answer.json()["code"]) == (422, "malformed"), answer.text


async def test_a_strange_request_id_is_replaced(http):
    answer = await http.post("/ask", json={"citizen_id": ID, "days": 1}, headers={"X-Request-Id": "a b;DROP"})
    assert answer.status_code == 200
    assert answer.headers["x-request-id"] != "a b;DROP"
