"""`Idempotency-Key` for routes with effects: the answer is kept with the effect and given again to the same request."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any
from uuid import UUID

import orjson
from fastapi import Request, Response
from pydantic import BaseModel

from services.recognition.api.deps import asker
from services.recognition.store.idempotency import Kept
from services.recognition.store.lookups import log_usage
from services.recognition.usecases import idempotency
from services.recognition.usecases.deps import Deps
from shared.kit.auth import Caller
from shared.kit.db import Database, WriteTx
from shared.kit.problems import MalformedError

_KEY = re.compile(r"[\x21-\x7e]{8,128}")
HEADER = "Idempotency-Key"
ONCE_HEADER: dict[str, Any] = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "8 to 128 visible characters, new for each request; the same request under it has one effect",
    "schema": {"type": "string", "maxLength": 128, "pattern": "^[\\x21-\\x7e]{8,128}$"},
}
ONCE: dict[str, Any] = {"parameters": [ONCE_HEADER]}
"""Description of the header alone, for `openapi_extra`."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What an effect is answered with.

    Attributes:
        about: program and person whom the answer tells of, where it tells a named person of one.
    """

    body: BaseModel | None
    status: int = 200
    headers: Mapping[str, str] | None = None
    about: tuple[str | None, UUID] | None = None


def key_of(request: Request) -> str | None:
    """The key of a request.

    Raises:
        MalformedError: it is no key.
    """
    key = request.headers.get(HEADER)
    if key is not None and not _KEY.fullmatch(key):
        raise MalformedError(f"{HEADER} has 8 to 128 visible characters.")
    return key


def fingerprint(request: Request, body: bytes) -> bytes:
    """What makes a request the same: method, path, query and body."""
    line = f"{request.method} {request.url.path}?{request.url.query}\n".encode()
    return blake2b(line + body, digest_size=32).digest()


async def once(
    request: Request,
    database: Database,
    client_id: str,
    body: bytes,
    effect: Callable[[WriteTx], Awaitable[Answered]],
    replayed: Callable[[WriteTx, Kept], Awaitable[None]] | None = None,
) -> Response:
    """The answer of `effect`, run in a transaction of its own, or what the same request was answered before.

    Args:
        request: may carry a key; without one the effect simply happens.
        database: where.
        client_id: keys of two clients have nothing to do with each other.
        body: as it came, or a digest of it.
        effect: does it all and says what to answer; what it raises is not kept.
        replayed: what is done before a kept answer leaves again.
    """
    key = key_of(request)
    async with database.write() as tx:
        if key is not None:
            kept = await idempotency.earlier(tx, client_id, key, fingerprint(request, body))
            if kept is not None:
                if replayed is not None:
                    await replayed(tx, kept)
                return _response(kept, {"Idempotent-Replayed": "true"})
        answered = await effect(tx)
        made = Kept(
            fingerprint=fingerprint(request, body),
            status=answered.status,
            headers=dict(answered.headers or {}),
            body=b"" if answered.body is None else orjson.dumps(answered.body.model_dump(mode="json", by_alias=True)),
        )
        if key is not None:
            await idempotency.keep(tx, client_id, key, made)
    return _response(made, {})


async def once_by(
    request: Request,
    found: Deps,
    caller: Caller,
    body: BaseModel | None,
    effect: Callable[[WriteTx], Awaitable[Answered]],
    action: str,
) -> Response:
    """The same for a named person behind a client many share: nobody is given another's answer.

    Whom the answer tells of is in the usage log before it leaves, under `action` with the verb of the route; each time
    it is given again, too.
    """

    async def log(tx: WriteTx, about: tuple[str | None, UUID] | None, answer: str) -> None:
        if about is not None:
            who = asker(request, found, caller, action, why=None, program=about[0])
            await log_usage(tx, who, subject=about[1], answer=answer)

    async def logged(tx: WriteTx) -> Answered:
        answered = await effect(tx)
        await log(tx, answered.about, request.url.path.rpartition(":")[2] if ":" in request.url.path else "done")
        return answered

    async def again(tx: WriteTx, kept: Kept) -> None:
        await log(tx, _about(kept), "seen")

    sent = b"" if body is None else body.model_dump_json().encode()
    return await once(request, found.database, f"{caller.client_id} {caller.user}", sent, logged, again)


def _about(kept: Kept) -> tuple[str | None, UUID] | None:
    """Whom a kept answer tells of."""
    said = orjson.loads(kept.body or b"{}")
    said = said.get("decision", said)
    return (said.get("program"), UUID(said["subject"])) if said.get("subject") else None


def with_words(response: Response, **words: str | None) -> Response:
    """An answer with what people wrote put in: it is kept without, for their words stand nowhere but sealed."""
    headers = {name: value for name, value in response.headers.items() if not name.startswith("content-")}
    body = orjson.dumps(orjson.loads(response.body) | words)
    return Response(body, response.status_code, headers, media_type="application/json")


def _response(kept: Kept, more: Mapping[str, str]) -> Response:
    headers = {**kept.headers, **more}
    return Response(kept.body, kept.status, headers, media_type="application/json" if kept.body else None)
