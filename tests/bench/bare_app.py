"""The least that answers the same question: FastAPI and asyncpg, one statement for each, and nothing else.

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

TODAY, CYCLE_MONTHS, CONNECTIONS = date(2023, 11, 1), 12, 8
NOW = datetime(2023, 11, 1, 1, tzinfo=UTC)
_SEEN = """
WITH asked AS (
    SELECT subject, ord::int FROM unnest($1::uuid[]) WITH ORDINALITY AS u (subject, ord)
), seen AS (
    SELECT a.ord, a.subject, e.status, e.listed, e.decision_id, COALESCE(s.under_review, false) AS under_review,
           b.until, b.as_of, b.certificate_id, b.channel,
           answer(e.listed, e.status, COALESCE(s.under_review, false), b.until, b.as_of, $4::date, $5::int) AS answer
    FROM asked a
    LEFT JOIN LATERAL (
        SELECT listed, status, decision_id FROM enrolment WHERE subject = a.subject AND program = $2 LIMIT 1
    ) e ON true
    LEFT JOIN LATERAL (SELECT under_review FROM standing WHERE subject = a.subject LIMIT 1) s ON true
    LEFT JOIN LATERAL (
        SELECT h.certificate_id, h.as_of, h.channel,
               valid_until(h.as_of, $3::int, NULLIF(h.cap_months, 0)::int) AS until
        FROM holding h WHERE h.subject = a.subject AND h.claim = 'alive' ORDER BY until DESC, h.as_of DESC LIMIT 1
    ) b ON true
)
"""

_LOGGED = """
, logged AS (
    INSERT INTO usage (at, client_id, user_ref, department, action, program, subject, purpose, legal_basis, case_ref,
                       answer, request_id)
    SELECT $6, $7, $8, $9, $10, $2, subject, $11, $12, $13, answer, $14 FROM seen
)
"""

_ROWS = """
SELECT answer, status, until, as_of, certificate_id, channel, decision_id FROM seen ORDER BY ord
"""

LOOK_AND_LOG = _SEEN + _LOGGED + _ROWS
"""$1 subjects, $2 program, $3 cycle, $4 today, $5 max age in days, $6.. the asker."""

_LOG = """
INSERT INTO usage (at, client_id, user_ref, department, action, program, subject, purpose, legal_basis, case_ref,
                   answer, request_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
"""

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
        LOOK_AND_LOG, [_subject(question)], question.program, CYCLE_MONTHS, TODAY, question.max_age_days,
        NOW, "bare", "bare", None, "check", "pay", "law", None, "bare",
    )  # fmt: skip
    said = dict(rows[0])
    said["certificate_id"] = str(said["certificate_id"])
    return Response(orjson.dumps(said, default=str), media_type="application/json")


@app.post("/v1/textbook:check")
async def textbook(question: Question, request: Request) -> dict[str, Any]:
    subject = _subject(question)
    async with request.app.state.plain_pool.acquire() as connection, connection.transaction():
        row = await connection.fetchrow(
            _SEEN + _ROWS, [subject], question.program, CYCLE_MONTHS, TODAY, question.max_age_days
        )
        await connection.execute(
            _LOG, NOW, "bare", "bare", None, "check", question.program, subject, "pay", "law", None,
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
