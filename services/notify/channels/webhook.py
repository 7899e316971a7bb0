"""Webhooks to partner systems by Standard Webhooks 1.0.0: only to public addresses, no redirects, thin bodies.

What goes to whom is decided by partners' subscriptions, not by templates; this file knows how to call an endpoint.
"""

import asyncio
import socket
import ssl
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_network
from typing import Annotated, Final
from urllib.parse import urlsplit

import httpx
from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.notify.channels import Channel
from services.notify.domain.delivery import Reach
from services.notify.domain.endpoints import Network, may_call
from shared.kit.clock import wall

_MOST_BODY: Final = 65_536
_MOST_ENDPOINTS: Final = 256
_KNOWN_SECONDS: Final = 5.0
_MOST_WAIT: Final = 86_400.0

Resolve = Callable[[str, int], Awaitable[list[str]]]


class WebhookSettings(BaseSettings):
    """How endpoints are called."""

    model_config = SettingsConfigDict(env_prefix="WUGAN_NOTIFY_WEBHOOK_", extra="ignore", frozen=True)

    on: bool = Field(default=True, description="false: nothing is posted from here")
    allow: str = Field(
        default="", description="networks that may be called though they are private, and without TLS: 10.1.0.0/16, …"
    )
    seconds: Annotated[float, Field(gt=0, le=60)] = Field(default=15.0, description="longest wait for an answer")
    overlap_hours: Annotated[int, Field(ge=0, le=720)] = Field(
        default=24, description="how long an old secret signs beside a new one"
    )
    at_once: Annotated[int, Field(ge=1, le=64)] = Field(default=8, description="calls side by side to one endpoint")
    keep_days: Annotated[int, Field(ge=1)] = Field(default=90, description="how long events can be replayed")

    @field_validator("allow")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        for each in _split(value):
            ip_network(each)
        return value

    @property
    def networks(self) -> list[Network]:
        """Networks that may be called though they are private."""
        return [ip_network(each) for each in _split(self.allow)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of a call.

    Attributes:
        status: of HTTP; None when there was none.
        reason: a code when it is no success, else empty.
        body: its beginning.
        retry_after: seconds the receiver asked for; None when it did not.
    """

    status: int | None
    reason: str
    body: bytes = b""
    retry_after: float | None = None

    @property
    def taken(self) -> bool:
        return not self.reason


class Poster:
    """Calls endpoints; connects to the very address that was looked at, so that a name cannot point elsewhere later.

    Args:
        settings: of the channel.
        resolve: addresses of a host and port; the system's by default.
        transport: what carries the calls; sockets by default.
    """

    def __init__(
        self,
        settings: WebhookSettings,
        *,
        resolve: Resolve | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._settings = settings
        self._transport = transport
        self._networks = settings.networks
        self._resolve = resolve or _addresses
        self._tls = ssl.create_default_context()
        self._known: dict[tuple[str, int], tuple[float, list[str]]] = {}
        # One pool an endpoint: connections to one address must not be shared by names that TLS proved apart, and a pool
        # looks at each of its connections, for each of them, whenever a call begins or ends. Pools without a client
        # around them: redirects, cookies and proxies, all of which we must not follow, cost a third of the time.
        self._pools: OrderedDict[str, httpx.AsyncBaseTransport] = OrderedDict()

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Post bytes and read the beginning of the answer; raises nothing on purpose."""
        try:
            async with asyncio.timeout(self._settings.seconds):
                return await self._post(url, headers, body)
        except TimeoutError:
            return Answer(status=None, reason="timeout")
        except _RefusedError as error:
            return Answer(status=None, reason=str(error))
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            return Answer(status=None, reason=type(error).__name__.lower())

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        host, port, address = await self._where(url)
        sent = {**headers, "Host": urlsplit(url).netloc, "Content-Type": "application/json", "User-Agent": "wugan/1"}
        target = _target(url, address, port)
        asked = httpx.Request("POST", target, headers=sent, content=body, extensions={"sni_hostname": host})
        answer = await self._pool(url).handle_async_request(asked)
        try:
            said = b""
            assert isinstance(answer.stream, httpx.AsyncByteStream)
            async for piece in answer.stream:
                said += piece
                if len(said) > _MOST_BODY:
                    break
        finally:
            await answer.aclose()
        reason = "" if answer.is_success else f"http_{answer.status_code}"
        wait = _retry_after(answer.headers.get("retry-after"))
        return Answer(status=answer.status_code, reason=reason, body=said[:_MOST_BODY], retry_after=wait)

    async def _where(self, url: str) -> tuple[str, int, str]:
        """Host, port, and the address to connect to.

        Raises:
            _RefusedError: no address of the host may be called, or not without TLS.
        """
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.password:
            msg = "url_not_usable"
            raise _RefusedError(msg)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        addresses = await self._addresses(parts.hostname, port)
        if not addresses or not all(may_call(each, self._networks) for each in addresses):
            msg = "address_not_allowed"
            raise _RefusedError(msg)
        if parts.scheme == "http" and may_call(addresses[0], []):
            msg = "tls_needed"
            raise _RefusedError(msg)
        return parts.hostname, port, addresses[0]

    async def _addresses(self, host: str, port: int) -> list[str]:
        """Addresses of a host, asked for every few seconds: what is connected to is what was looked at in any case."""
        until, addresses = self._known.get((host, port), (0.0, []))
        if until < wall():
            if len(self._known) > _MOST_ENDPOINTS:
                self._known.clear()
            addresses = await self._resolve(host, port)
            self._known[host, port] = (wall() + _KNOWN_SECONDS, addresses)
        return addresses

    def _pool(self, url: str) -> httpx.AsyncBaseTransport:
        if url not in self._pools:
            self._pools[url] = self._transport or httpx.AsyncHTTPTransport(
                verify=self._tls,
                trust_env=False,
                # Shorter than servers keep idle connections: one closed under a call would count as a failure.
                limits=httpx.Limits(max_keepalive_connections=self._settings.at_once, keepalive_expiry=2.0),
            )
        self._pools.move_to_end(url)
        return self._pools[url]

    async def trim(self) -> None:
        """Close connections of endpoints not called for long; between rounds, when nothing is under way."""
        while len(self._pools) > _MOST_ENDPOINTS:
            _, pool = self._pools.popitem(last=False)
            await pool.aclose()

    async def close(self) -> None:
        """Close every connection."""
        for pool in self._pools.values():
            await pool.aclose()


class _RefusedError(Exception):
    """An address we do not call."""


async def _addresses(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(each[4][0]) for each in found]


@lru_cache(maxsize=4 * _MOST_ENDPOINTS)
def _target(url: str, address: str, port: int) -> httpx.URL:
    """An endpoint's URL with the address that was looked at in place of the name."""
    return httpx.URL(url).copy_with(host=address, port=port)


def _retry_after(text: str | None) -> float | None:
    """Seconds; None for a date, and for what is no time to wait."""
    with suppress(ValueError):
        seconds = float(text) if text else -1.0
        # Neither a NaN nor what lies in the past compares as more than nothing.
        return min(seconds, _MOST_WAIT) if seconds >= 0 else None
    return None


def _split(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


def off_because(settings: WebhookSettings) -> str | None:
    return None if settings.on else "WUGAN_NOTIFY_WEBHOOK_ON is false"


CHANNEL = Channel(
    code="webhook",
    label="对接系统推送",
    reference="Standard Webhooks 1.0.0；只推送事件编号、种类和版本，详情由对方凭授权查询",
    reaches=Reach.ENDPOINT,
    settings=WebhookSettings,
    off_because=off_because,
)
