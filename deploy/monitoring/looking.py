"""What the platform says about itself, asked as its operator: through the gateway, or from inside at each service."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from pydantic_settings import BaseSettings, SettingsConfigDict

from deploy.local.ask import OPERATORS, whose
from deploy.local.clients import SERVICES
from shared.kit.clock import wall
from shared.kit.http import TokenSource, load_key
from shared.kit.problems import ProblemError

_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a service; what did not answer is absent.

    Attributes:
        ready: whether `/readyz` says so; None where nobody answers.
        checks: its checks by name.
        flow: what is under way, as `/v1/flow` tells it.
        figures: its counts.
        today: what it has said since midnight, and since when the oldest of what it has to say waits.
        oldest: when the oldest parked message was parked, ISO 8601.
        seconds: time it took to answer.
        trouble: why figures or flow are missing, in one sentence.
    """

    service: str
    ready: bool | None = None
    checks: Mapping[str, bool] = field(default_factory=dict)
    flow: Mapping[str, Any] = field(default_factory=dict)
    figures: Mapping[str, Any] = field(default_factory=dict)
    today: Mapping[str, Any] = field(default_factory=dict)
    oldest: str | None = None
    seconds: float = 0.0
    trouble: str | None = None


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator of a running platform; `urls` by service."""

    http: httpx.AsyncClient
    urls: Mapping[str, str]
    tokens: TokenSource

    async def look(self) -> list[Look]:
        """One look at every service, all at once."""
        return list(await asyncio.gather(*(self._look(each) for each in SERVICES)))

    async def _look(self, service: str) -> Look:
        started = wall()
        ready, checks = await self._ready(service)
        try:
            bearer = {"Authorization": f"Bearer {await self.tokens.get()}"}
            flow, figures, today, letters = await asyncio.gather(
                *(self._get(service, f"/v1/{what}", bearer) for what in ("flow", "figures", "today", "dead-letters"))
            )
        except (httpx.HTTPError, ProblemError, ValueError, LookupError) as error:
            return Look(service, ready, checks, trouble=_sentence(error), seconds=wall() - started)
        oldest = letters["items"][0]["parked_at"] if letters["items"] else None
        return Look(service, ready, checks, flow, figures, today, oldest, wall() - started)

    async def _ready(self, service: str) -> tuple[bool | None, Mapping[str, bool]]:
        try:
            answer = await self.http.get(f"{self.urls[service]}/readyz", timeout=_SECONDS)
            said = answer.json()
        except (httpx.HTTPError, ValueError):
            return None, {}
        return (bool(said["ready"]), said["checks"]) if "ready" in said else (None, {})

    async def _get(self, service: str, path: str, headers: Mapping[str, str]) -> Any:  # noqa: ANN401  (JSON)
        answer = await self.http.get(f"{self.urls[service]}{path}", headers=headers, timeout=_SECONDS)
        answer.raise_for_status()
        return answer.json()


class Inside(BaseSettings):
    """Where an operator's process inside an installation finds everybody: the settings every service has as well."""

    model_config = SettingsConfigDict(env_prefix="WUGAN_", extra="ignore", frozen=True)

    client_key_file: Path
    issuer_url: str
    token_url: str
    ingest_url: str
    scoring_url: str
    grid_url: str
    recognition_url: str
    notify_url: str

    def operator(self, http: httpx.AsyncClient, client_id: str | None) -> Operator:
        """Asks the services themselves, without the gateway."""
        urls = {each: str(getattr(self, f"{each}_url")) for each in SERVICES}
        key = load_key(self.client_key_file)
        tokens = TokenSource(
            http, issuer_url=self.issuer_url, client_id=client_id or OPERATORS[0], key=key, token_url=self.token_url
        )
        return Operator(http, urls, tokens)


def behind(gateway: str) -> dict[str, str]:
    """Addresses of the services behind a gateway."""
    return {each: f"{gateway}/api/{each}" for each in SERVICES}


def operator(http: httpx.AsyncClient, gateway: str, data: Path, client_id: str | None) -> Operator:
    """An operator with the key that lies in the folder of an installation.

    Raises:
        NoSuchClientError: there is none.
    """
    name, path = whose(client_id, None, data=data, usual=OPERATORS)
    urls = behind(gateway)
    tokens = TokenSource(http, issuer_url=urls["recognition"], client_id=name, key=load_key(path))
    return Operator(http, urls, tokens)


def _sentence(error: Exception) -> str:
    if isinstance(error, httpx.HTTPStatusError):
        return f"{error.request.url.path} was answered with {error.response.status_code}"
    if isinstance(error, ProblemError):
        return error.detail or error.title
    if isinstance(error, ValueError | LookupError):
        return "something else answered than the service"
    return f"no answer ({type(error).__name__})"
