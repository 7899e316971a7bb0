"""Who is calling: RFC 9068 access tokens checked against the issuer's keys, and a guard for every route."""

import asyncio
import base64
import binascii
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest
from ipaddress import ip_address, ip_network
from typing import Any, Final, Generic, TypeVar

import httpx
import structlog
from fastapi import Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from shared.kit.clock import wall
from shared.kit.problems import ForbiddenError, UnauthorizedError, UnavailableError

log = structlog.get_logger(__name__)

ALGORITHMS: Final = ["ES256"]
TOKEN_TYPE: Final = "at+jwt"  # noqa: S105  (a media type, not a secret)
_REFRESH_SECONDS = 10.0
_RETRY_SECONDS = 1.0
_LEEWAY = 5
_KNOWN_SECONDS = 60.0
_MOST_KNOWN = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The client behind a request and what its token allows.

    Attributes:
        client_id: registered client.
        role: partner, department, citizen, grid_worker, grid_leader, village, officer, auditor, operator, service.
        scopes: what it may do.
        programs: programs it may speak for; `*` is every one.
        divisions: division code prefixes it may see; empty is every one, for roles that are not local.
        department: slug of the department it belongs to, if any.
        user: the named person at the other end where the token says one (officer, grid member), else the client.
        certificate: thumbprint of the client certificate the token is bound to (RFC 8705), if it is.
    """

    client_id: str
    role: str
    scopes: frozenset[str]
    programs: frozenset[str]
    divisions: tuple[str, ...]
    department: str | None
    user: str
    certificate: str | None = None

    def may_program(self, program: str) -> bool:
        """Whether the token speaks for `program`."""
        return "*" in self.programs or program in self.programs

    def may_division(self, division: str) -> bool:
        """Whether the token may see a division: one of its prefixes leads there."""
        return not self.divisions or any(division.startswith(prefix) for prefix in self.divisions)


class Keys:
    """The issuer's public keys, fetched when an unknown key id turns up, at most every ten seconds."""

    def __init__(self, url: str, client: httpx.AsyncClient) -> None:
        self._url = url
        self._client = client
        self._keys: KeySet | None = None
        self._ask_from = 0.0
        self._lock = asyncio.Lock()

    async def get(self, kid: str | None) -> KeySet:
        """A key set that holds `kid` if the issuer has it.

        Raises:
            UnavailableError: the issuer does not answer and no keys are known yet.
        """
        if self._keys and any(key.kid == kid for key in self._keys.keys):
            return self._keys
        async with self._lock:
            if wall() >= self._ask_from:
                # Those in line behind a question nobody answered do not ask again, each for itself.
                answered = await self._fetch()
                self._ask_from = wall() + (_REFRESH_SECONDS if answered else _RETRY_SECONDS)
        if self._keys is None:
            detail = "The token issuer does not answer; try again shortly."
            raise UnavailableError(detail)
        return self._keys

    async def _fetch(self) -> bool:
        try:
            answer = await self._client.get(self._url, timeout=3.0)
            answer.raise_for_status()
            self._keys = KeySet.import_key_set(answer.json())
        except (httpx.HTTPError, ValueError, JoseError) as error:
            log.warning("issuer_keys_unavailable", reason=type(error).__name__)
            return False
        return True


class Guard:
    """Checks access tokens.

    Args:
        keys: of the issuer.
        issuer: value `iss` must have.
        audience: value `aud` must have.
        gateways: networks of the gateways whose `Client-Cert` header is believed.
    """

    def __init__(
        self, keys: Keys, *, issuer: str, audience: str, gateways: Sequence[str] = ("127.0.0.1/32", "::1/128")
    ) -> None:
        self._keys = keys
        self._gateways = [ip_network(each.strip()) for each in gateways if each.strip()]
        self._known: dict[str, tuple[float, Caller]] = {}
        self._registry = jwt.JWTClaimsRegistry(
            now=lambda: int(wall()),
            leeway=_LEEWAY,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
            client_id={"essential": True},
        )

    async def caller(self, token: str) -> Caller:
        """The caller a token names; one that held a minute ago is not verified again.

        Raises:
            UnauthorizedError: malformed, expired, of another issuer, audience, type or algorithm.
        """
        known = self._known.get(token)
        if known and wall() < known[0]:
            return known[1]
        caller, ends = await self._verified(token)
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[token] = (min(ends, wall() + _KNOWN_SECONDS), caller)
        return caller

    def certificate(self, request: Request) -> str | None:
        """Thumbprint (x5t#S256) of the certificate a client showed to the gateway; None without one.

        The gateway overwrites the header (RFC 9440) whatever the caller sent; from anybody else it says nothing.
        """
        told = request.headers.get("client-cert", "").strip()
        if not (told.startswith(":") and told.endswith(":")) or len(told) <= len("::"):
            return None
        if request.client is None or not self._is_gateway(request.client.host):
            return None
        try:
            digest = sha256(base64.b64decode(told[1:-1], validate=True)).digest()
        except binascii.Error:
            return None
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    def peer(self, request: Request) -> str:
        """Address a request came from, as far as it can be believed: the gateway says whom it speaks for."""
        host = request.client.host if request.client else "-"
        told = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
        return told if told and self._is_gateway(host) and _is_address(told) else host

    def _is_gateway(self, host: str) -> bool:
        try:
            address = ip_address(host)
        except ValueError:
            return False
        return any(address in network for network in self._gateways)

    async def _verified(self, token: str) -> tuple[Caller, float]:
        detail = "The token is not valid here: fetch a new one from the token endpoint."
        try:
            header = _header(token)
            if header.get("typ") != TOKEN_TYPE or header.get("alg") not in ALGORITHMS:
                raise UnauthorizedError(detail)
            keys = await self._keys.get(header.get("kid"))
            decoded = jwt.decode(token, keys, algorithms=ALGORITHMS)
            self._registry.validate(decoded.claims)
            return _caller(decoded.claims), float(decoded.claims["exp"])
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise UnauthorizedError(detail) from error


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _header(token: str) -> Mapping[str, Any]:
    return jws.extract_compact(token.encode()).protected


def _caller(claims: Mapping[str, Any]) -> Caller:
    return Caller(
        client_id=str(claims["client_id"]),
        role=str(claims.get("role", "partner")),
        scopes=frozenset(str(claims.get("scope", "")).split()),
        programs=frozenset(claims.get("programs", ())),
        divisions=tuple(claims.get("divisions", ())),
        department=claims.get("department"),
        user=str(claims.get("sub") or claims["client_id"]),
        certificate=_bound_to(claims.get("cnf")),
    )


def _bound_to(confirmation: object) -> str | None:
    if confirmation is None:
        return None
    if not isinstance(confirmation, dict) or not isinstance(confirmation.get("x5t#S256"), str):
        # Bound to something we cannot check: no token for anybody here.
        raise TypeError("cnf")
    return str(confirmation["x5t#S256"])


_FORMAT, _ABOUT = "RFC 9068 JWT", "private_key_jwt client credentials"
_bearer = HTTPBearer(auto_error=False, bearerFormat=_FORMAT, description=_ABOUT)

GuardFunction = Callable[..., Awaitable[Caller]]
AllowedT = TypeVar("AllowedT")


class BearerGuard(HTTPBearer, Generic[AllowedT]):
    """A guard that is its own scheme of the documents: on the hottest paths one dependency to be solved, not two.

    Args:
        check: lets a request in, or raises.
    """

    is_guard = True

    def __init__(self, check: Callable[[Request, HTTPAuthorizationCredentials | None], Awaitable[AllowedT]]) -> None:
        name = _bearer.scheme_name
        super().__init__(auto_error=False, bearerFormat=_FORMAT, description=_ABOUT, scheme_name=name)
        self.check = check

    async def __call__(  # type: ignore[override,explicit-override]  # whom it lets in, not what was said
        self, request: Request
    ) -> AllowedT:
        """What the check makes of the request and its token."""
        return await self.check(request, await super().__call__(request))


def allow(
    *scopes: str,
    roles: Sequence[str] = (),
    named: bool = False,
    met: Callable[[Request, Caller], object] | None = None,
) -> GuardFunction:
    """A dependency that lets a caller in who holds every scope (and one of the roles, where given).

    Use it as `UploadCaller = Annotated[Caller, Security(allow("ingest.upload"))]`; a test finds routes without one.

    Args:
        scopes: the caller needs.
        roles: of which the caller has one.
        named: the token must say which person acts: a client's own name stands for nobody, and the person behind it
            would count as a second one beside himself.
        met: called once it is known who is calling, before it matters what he may do; raises where he comes too often.
    """

    async def check(request: Request, credentials: HTTPAuthorizationCredentials | None = Security(_bearer)) -> Caller:
        if credentials is None:
            raise UnauthorizedError
        guard: Guard = request.app.state.platform.guard
        caller = await guard.caller(credentials.credentials)
        if caller.certificate and not compare_digest(caller.certificate, guard.certificate(request) or ""):
            detail = "The token is bound to a client certificate: connect with that certificate."
            raise UnauthorizedError(detail)
        request.state.caller = caller
        if met:
            met(request, caller)
        if missing := [scope for scope in scopes if scope not in caller.scopes]:
            detail = f"The token lacks the scope {missing[0]}; ask the operator to grant it to your client."
            raise ForbiddenError(detail)
        if roles and caller.role not in roles:
            detail = f"This is for {', '.join(roles)}."
            raise ForbiddenError(detail)
        if named and caller.user == caller.client_id:
            detail = "A named person has to do this: the client must say who acts, in the claim user of its assertion."
            raise ForbiddenError(detail)
        return caller

    check.is_guard = True  # type: ignore[attr-defined]  # a mark for the guard test
    return check
