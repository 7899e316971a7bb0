"""Questions to other services over HTTP: a deadline, a small retry budget, and a token of our own."""

import asyncio
import json
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey

from shared.kit import trace
from shared.kit.clock import wall
from shared.kit.problems import ForbiddenError, UnavailableError

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_RETRYABLE = frozenset({502, 503, 504})


def load_key(path: Path) -> ECKey:
    """A private EC key from a PEM or JWK file; its key id is its thumbprint."""
    text = path.read_text(encoding="utf-8")
    key = ECKey.import_key(json.loads(text) if text.lstrip().startswith("{") else text)
    key.ensure_kid()
    return key


def client_assertion(client_id: str, key: ECKey, token_url: str, user: str | None = None) -> str:
    """A signed assertion of RFC 7523 for one token request; valid a minute, used once.

    It names the person who acts where one stands behind the client.
    """
    now = int(wall())
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": token_url,
        "iat": now,
        "exp": now + 60,
        "jti": secrets.token_urlsafe(16),
        **({"user": user} if user else {}),
    }
    return jwt.encode({"alg": "ES256", "kid": key.kid}, claims, key)


class TokenSource:
    """Access tokens for a client, or a person behind it, by private_key_jwt; kept until shortly before they end.

    Args:
        client: the connection pool.
        issuer_url: what the issuer calls itself, which assertions are made out to.
        client_id: the client.
        key: its private key.
        user: the person behind it.
        token_url: where the issuer is asked; default: under its own name.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        *,
        issuer_url: str,
        client_id: str,
        key: ECKey,
        user: str | None = None,
        token_url: str | None = None,
    ) -> None:
        self._client = client
        self._audience = f"{issuer_url}/oauth/token"
        self._url = token_url or self._audience
        self._client_id = client_id
        self._key = key
        self._user = user
        self._token = ""
        self._until = 0.0
        self._lock = asyncio.Lock()

    async def get(self) -> str:
        """A token that holds for at least thirty seconds.

        Raises:
            UnavailableError: the issuer does not answer.
            ForbiddenError: the issuer refuses this client.
        """
        async with self._lock:
            if wall() + 30 < self._until:
                return self._token
            form = {
                "grant_type": "client_credentials",
                "client_assertion_type": ASSERTION_TYPE,
                "client_assertion": client_assertion(self._client_id, self._key, self._audience, self._user),
            }
            try:
                answer = await self._client.post(self._url, data=form, timeout=5.0)
            except httpx.HTTPError as error:
                detail = "The token issuer does not answer."
                raise UnavailableError(detail) from error
            if answer.status_code in _RETRYABLE | {httpx.codes.TOO_MANY_REQUESTS}:
                detail = "The token issuer is not ready."
                raise UnavailableError(detail)
            if answer.status_code != httpx.codes.OK:
                detail = "The token issuer refused this client."
                raise ForbiddenError(detail)
            said = answer.json()
            self._token, self._until = said["access_token"], wall() + float(said["expires_in"])
            return self._token


class Peers:
    """Calls to the other services.

    Args:
        client: the shared connection pool.
        tokens: of this service's own client; None lets only public questions through.
    """

    def __init__(self, client: httpx.AsyncClient, tokens: TokenSource | None) -> None:
        self._client = client
        self._tokens = tokens

    async def ask(
        self,
        method: str,
        url: str,
        *,
        body: object | None = None,
        headers: dict[str, str] | None = None,
        deadline: float = 3.0,
        tries: int = 3,
    ) -> httpx.Response:
        """One question with an answer below 500, or `UnavailableError` when the deadline has passed."""
        ends = wall() + deadline
        sent = dict(headers or {})
        if self._tokens:
            sent["Authorization"] = f"Bearer {await self._tokens.get()}"
        for attempt in range(tries):
            left = ends - wall()
            if left <= 0:
                break
            try:
                with trace.span(
                    method, parent=trace.current(), kind="client", attributes={"peer": urlsplit(url).netloc}
                ):
                    sent[trace.HEADER] = trace.current() or ""
                    answer = await self._client.request(method, url, json=body, headers=sent, timeout=left)
            except httpx.TransportError:
                await asyncio.sleep(min(0.1 * 2**attempt, max(0.0, ends - wall())))
                continue
            if answer.status_code not in _RETRYABLE:
                return answer
            await asyncio.sleep(min(0.1 * 2**attempt, max(0.0, ends - wall())))
        detail = "Another part of the platform does not answer; try again shortly."
        raise UnavailableError(detail)

    async def get_json(self, url: str, *, deadline: float = 3.0) -> Any:  # noqa: ANN401  (JSON)
        """The JSON document at `url`; None where there is none (404)."""
        answer = await self.ask("GET", url, deadline=deadline)
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        answer.raise_for_status()
        return answer.json()
