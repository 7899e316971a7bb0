"""A caller of the platform as a department's developer would write one: tokens, uploads, patience."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from shared.kit.clock import wall
from shared.kit.http import TokenSource, load_key
from shared.kit.problems import UnavailableError

_AWAY = frozenset({502, 503, 504, 507})  # away, or without room until the operator makes some
_PIECE = 1 << 20


class RefusedError(Exception):
    """The platform answered with a problem; its sentence is the message."""


@dataclass(frozen=True, slots=True)
class Client:
    """One registered client of the platform.

    Attributes:
        http: connection pool.
        gateway: e.g. http://127.0.0.1:8000
        tokens: of this client.
        patience: seconds to go on trying while a part of the platform is away or restarting.
        stops_at_parked: whether parked messages end the wait for quiet, since an operator must look.
    """

    http: httpx.AsyncClient
    gateway: str
    tokens: TokenSource
    patience: float = 60.0
    stops_at_parked: bool = True

    async def call(
        self,
        method: str,
        service: str,
        path: str,
        *,
        body: object | None = None,
        headers: Mapping[str, str] | None = None,
        content: Callable[[], AsyncIterator[bytes]] | bytes | None = None,
    ) -> Any:  # noqa: ANN401  (JSON)
        """The JSON answer of a service; every request we send may be sent twice, so trouble is tried again.

        Raises:
            RefusedError: an answer of 4xx.
            ForbiddenError: the issuer knows no such client.
            httpx.TransportError: still away after `patience`.
        """
        ends, pause = wall() + self.patience, 0.2
        while True:
            try:
                sent = {"Authorization": f"Bearer {await self.tokens.get()}", **(headers or {})}
                answer = await self.http.request(
                    method,
                    f"{self.gateway}/api/{service}{path}",
                    json=body,
                    content=content() if callable(content) else content,
                    headers=sent,
                    timeout=httpx.Timeout(300, connect=5),
                )
                if answer.status_code not in _AWAY:
                    return _read(answer)
            except (httpx.TransportError, OSError, UnavailableError) as error:
                if wall() > ends:
                    msg = f"{service} stays away: {type(error).__name__}"
                    raise httpx.TransportError(msg) from error
            if wall() > ends:
                msg = f"{service} stays away"
                raise httpx.TransportError(msg)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 2.0)

    async def upload(self, service: str, path: str, file: Path, **parameters: str) -> Any:  # noqa: ANN401  (JSON)
        """Send a file as it is, piece by piece."""

        async def pieces() -> AsyncIterator[bytes]:
            with file.open("rb") as opened:
                while piece := opened.read(_PIECE):
                    yield piece

        query = httpx.QueryParams({"filename": file.name, **parameters})
        headers = {"Content-Type": "application/octet-stream"}
        return await self.call("POST", service, f"{path}?{query}", content=pieces, headers=headers)

    async def quiet(self, services: Sequence[str], *, told: Callable[[int], object], seconds: float = 600) -> None:
        """Wait until nothing is under way in any of the services, twice in a row.

        Raises:
            TimeoutError: it never became quiet.
            RefusedError: a message was parked; the operator must look.
        """
        ends, calm = wall() + seconds, 0
        while calm < 2:  # noqa: PLR2004  (twice: a message may be between two services at the first look)
            flows = await asyncio.gather(*(self.call("GET", service, "/v1/flow") for service in services))
            left = sum(
                flow[key] for flow in flows for key in ("outbox_pending", "undelivered", "unacknowledged", "working")
            )
            if self.stops_at_parked and (parked := sum(flow["dead_letters"] for flow in flows)):
                msg = f"{parked} messages were parked; look with `wugan dead-letters`"
                raise RefusedError(msg)
            told(left)
            calm = calm + 1 if left == 0 else 0
            if wall() > ends:
                msg = f"{left} messages are still under way after {seconds:.0f} s"
                raise TimeoutError(msg)
            # Asking costs the services time they need to become quiet.
            await asyncio.sleep(0.1 if calm else min(1.0, 0.2 + left / 500))


def _read(answer: httpx.Response) -> Any:  # noqa: ANN401  (JSON)
    if answer.is_success:
        return answer.json() if answer.content else None
    try:
        problem = answer.json()
    except ValueError:
        problem = {}
    places = "; ".join(f"{each['pointer']} {each['detail']}" for each in problem.get("errors", [])[:3])
    said = problem.get("detail") or problem.get("error_description") or ""
    msg = f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {said} {places}".strip()
    raise RefusedError(msg)


@asynccontextmanager
async def client(
    gateway: str, issuer_url: str, client_id: str, key: Path, user: str | None = None
) -> AsyncIterator[Client]:
    """A client with its own connections, for one person behind it where he is named."""
    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=16)) as http:
        tokens = TokenSource(http, issuer_url=issuer_url, client_id=client_id, key=load_key(key), user=user)
        yield Client(http, gateway, tokens)
