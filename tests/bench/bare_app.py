"""The least that answers the same question: FastAPI and asyncpg, the same statement, and nothing else.

No token, no purpose, no request id, no metrics, no log line, no claims, no pseudonym. It hashes the id as ours does,
because without that there is no row to find. It has what makes asyncpg quick: as many connections as ours, and no
reset question when one is given back. `/v1/textbook:check` is the same written as the manuals do: a transaction with a
SELECT and an INSERT on a pool as it comes.

`python -m tests.bench.bare_app` serves on WUGAN_PORT.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from hashlib import blake2b
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import uvicorn
from fastapi import FastAPI, Request, Response
from pydantic import BaseModel

from services.recognition.store import lookups

TODAY, CYCLE_MONTHS, CONNECTIONS = date(2023, 11, 1), 12, 8
NOW = datetime(2023, 11, 1, 1, tzinfo=UTC)
_LOOK = lookups._SEEN + lookups._ROWS
_KEY = bytes.fromhex(os.environ.get("WUGAN_SUBJECT_KEY", "00" * 32))


class Question(BaseModel):
    program: str
    citizen_id: str
    max_age_days: int | None = None


async def _leave_as_is(_connection: object) -> None:
    pass


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    url, settings = os.environ["WUGAN_DATABASE_URL"], {"search_path": "recognition", "jit": "off"}
    tuned = {"min_size": CONNECTIONS, "max_size": CONNECTIONS, "reset": _leave_as_is}
    async with (
        asyncpg.create_pool(url, server_settings=settings, **tuned) as pool,
        asyncpg.create_pool(url, server_settings=settings) as plain_pool,
    ):
        app.state.pool, app.state.plain_pool = pool, plain_pool
        yield


app = FastAPI(lifespan=_lifespan)


@app.get("/livez")
async def livez() -> dict[str, str]:
    return {"status": "alive"}


@app.post("/v1/recognitions:check")
async def check(question: Question, request: Request) -> Response:
    rows = await request.app.state.pool.fetch(
        lookups.LOOK_AND_LOG, [_subject(question)], question.program, CYCLE_MONTHS, TODAY, question.max_age_days,
        NOW, "bare", "bare", None, "check", "pay", "law", None, "bare",
    )  # fmt: skip
    said = dict(rows[0])
    said["certificate_id"] = str(said["certificate_id"])
    return Response(orjson.dumps(said, default=str), media_type="application/json")


@app.post("/v1/textbook:check")
async def textbook(question: Question, request: Request) -> dict[str, Any]:
    subject = _subject(question)
    async with request.app.state.plain_pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(_LOOK, [subject], question.program, CYCLE_MONTHS, TODAY, question.max_age_days)
        await connection.execute(
            lookups._DENIED, NOW, "bare", "bare", None, "check", question.program, subject, "pay", "law", None,
            row["answer"], "bare",
        )  # fmt: skip
    return dict(row)


def _subject(question: Question) -> UUID:
    return UUID(bytes=blake2b(question.citizen_id.encode(), digest_size=16, key=_KEY, person=b"subject").digest())


if __name__ == "__main__":
    uvicorn.run(
        app, host="127.0.0.1", port=int(os.environ["WUGAN_PORT"]), loop="uvloop", log_config=None, access_log=False,
        server_header=False, timeout_keep_alive=75,
    )  # fmt: skip
