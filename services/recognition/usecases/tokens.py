"""The built-in issuer: a signed assertion in, a short-lived access token out (RFC 7523, RFC 9068)."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import orjson
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, KeySetSerialization

from services.recognition.domain.citizen_id import normalise
from services.recognition.domain.clients import (
    CITIZEN,
    USER_ROLES,
    BadAssertionError,
    ScopeError,
    check_assertion,
    granted,
    places,
)
from services.recognition.store import clients
from services.recognition.store.clients import Client
from shared.kit.auth import ALGORITHMS, TOKEN_TYPE
from shared.kit.clock import wall
from shared.kit.crypto import Pseudonymiser
from shared.kit.db import WriteTx
from shared.kit.http import ASSERTION_TYPE

LONGEST_ASSERTION = 60.0
LEEWAY = 5.0
_CLIENT_ID = re.compile(r"[A-Za-z0-9._-]{1,100}")
_REQUIRED = ("grant_type", "client_assertion_type", "client_assertion")


class OAuthError(Exception):
    """An error of RFC 6749, section 5.2."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(description)
        self.error = error
        self.description = description
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """What tokens are made with.

    Attributes:
        key: private key, P-256.
        url: value of `iss`; the token endpoint lies below it.
        seconds: life of a token.
        subjects: turns the citizen a mobile back end names into a subject, so that no token holds an id number.
    """

    key: ECKey
    url: str
    audience: str
    seconds: int
    subjects: Pseudonymiser

    @property
    def token_url(self) -> str:
        """Address of the token endpoint, the audience of assertions."""
        return f"{self.url}/oauth/token"

    def jwks(self) -> dict[str, Any]:
        """Public keys."""
        return {"keys": [{**self.key.as_dict(private=False), "kid": self.key.kid, "use": "sig", "alg": "ES256"}]}

    def metadata(self) -> dict[str, Any]:
        """Description of this issuer (RFC 8414)."""
        return {
            "issuer": self.url,
            "token_endpoint": self.token_url,
            "jwks_uri": f"{self.url}/.well-known/jwks.json",
            "grant_types_supported": ["client_credentials"],
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": ALGORITHMS,
            "response_types_supported": [],
            "tls_client_certificate_bound_access_tokens": True,
        }


def read_form(form: Mapping[str, str]) -> str:
    """The client a request for a token names; what is wrong with it by itself costs nobody a connection.

    Raises:
        OAuthError: with the code and sentence to answer.
    """
    if missing := [name for name in _REQUIRED if name not in form]:
        raise OAuthError("invalid_request", f"{missing[0]} is missing")
    if form["grant_type"] != "client_credentials":
        raise OAuthError("unsupported_grant_type", "grant_type must be client_credentials")
    if form.get("client_assertion_type") != ASSERTION_TYPE:
        raise OAuthError("invalid_client", f"client_assertion_type must be {ASSERTION_TYPE}", 401)
    client_id = _claimed_client(form["client_assertion"])
    if form.get("client_id", client_id) != client_id:
        raise OAuthError("invalid_client", "client_id and the assertion name different clients", 401)
    return client_id


async def issue_token(
    issuer: Issuer, tx: WriteTx, client_id: str, form: Mapping[str, str], *, certificate: str | None = None
) -> dict[str, Any]:
    """A token for the client that signed the assertion in `form`, bound to its certificate where it showed one.

    Raises:
        OAuthError: with the code and sentence to answer.
    """
    client, claims = await _authenticate(issuer, tx, client_id, form["client_assertion"])
    # Only now: a stranger is not told who is held to a certificate.
    if client.certificates and certificate not in client.certificates:
        raise OAuthError("invalid_client", "This client must show the certificate it is registered with.", 401)
    try:
        scopes = granted(client.scopes, form.get("scope"))
    except ScopeError as error:
        raise OAuthError("invalid_scope", "The client does not have one of these scopes.") from error
    bound = {"cnf": {"x5t#S256": certificate}} if certificate else {}
    token = _sign(issuer, client, scopes, _user(issuer, client, claims.get("user")), bound)
    return {
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": issuer.seconds,
        "scope": " ".join(scopes),
    }


async def _authenticate(
    issuer: Issuer, tx: WriteTx, client_id: str, assertion: str
) -> tuple[Client, Mapping[str, Any]]:
    client = await clients.find_client(tx, client_id)
    if client is None:
        raise OAuthError("invalid_client", "This client is not registered, or its assertion is not its own.", 401)
    try:
        claims = jwt.decode(
            assertion, KeySet.import_key_set(cast(KeySetSerialization, client.jwks)), algorithms=ALGORITHMS
        ).claims
        check_assertion(
            claims,
            client_id=client_id,
            token_url=issuer.token_url,
            now=wall(),
            longest=LONGEST_ASSERTION,
            leeway=LEEWAY,
        )
    except BadAssertionError as error:
        raise OAuthError("invalid_client", str(error), 401) from error
    except (JoseError, ValueError) as error:
        sentence = "This client is not registered, or its assertion is not its own."
        raise OAuthError("invalid_client", sentence, 401) from error
    now = datetime.fromtimestamp(wall() - 2 * LEEWAY, UTC)
    if not await clients.use_assertion(tx, client_id, claims["jti"], datetime.fromtimestamp(claims["exp"], UTC), now):
        raise OAuthError("invalid_client", "This assertion was used before; sign a new one for each request.", 401)
    return client, claims


def _claimed_client(assertion: str) -> str:
    """The client an assertion names, before anything of it is believed."""
    try:
        payload = orjson.loads(jws.extract_compact(assertion.encode()).payload)
        claimed = str(payload["iss"])
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise OAuthError("invalid_client", "client_assertion must be a signed JWT", 401) from error
    if not _CLIENT_ID.fullmatch(claimed):
        raise OAuthError("invalid_client", "iss must be the id of a registered client", 401)
    return claimed


def _user(issuer: Issuer, client: Client, named: object) -> str:
    """Who stands behind the client: a person it vouches for, or itself. A citizen becomes his subject."""
    if named is None:
        return client.client_id
    if client.role not in USER_ROLES or not isinstance(named, str) or not 1 <= len(named) <= 64:  # noqa: PLR2004
        raise OAuthError("invalid_request", "user must be a text of 1 to 64 characters, of a client that has users")
    if client.role != CITIZEN:
        return named
    plain = normalise(named)
    if plain is None:
        raise OAuthError("invalid_request", "user must be a citizen id for a client of citizens")
    return str(issuer.subjects.one(plain))


def _sign(issuer: Issuer, client: Client, scopes: tuple[str, ...], user: str, bound: Mapping[str, Any]) -> str:
    now = int(wall())
    claims = {
        "iss": issuer.url,
        "aud": issuer.audience,
        "sub": user,
        "client_id": client.client_id,
        "iat": now,
        "exp": now + issuer.seconds,
        "jti": secrets.token_urlsafe(16),
        "scope": " ".join(scopes),
        "role": client.role,
        "programs": list(client.programs),
        "divisions": places(client.divisions),
        "department": client.department,
        **bound,
    }
    return jwt.encode({"alg": "ES256", "kid": issuer.key.kid, "typ": TOKEN_TYPE}, claims, issuer.key)
