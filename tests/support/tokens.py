"""A token issuer for tests: real ES256 access tokens, verified by the real guard."""

from collections.abc import Sequence
from functools import cached_property

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey

from shared.kit.auth import TOKEN_TYPE, Guard, Keys
from shared.kit.clock import wall

ISSUER = "http://issuer.test"
AUDIENCE = "wugan"


class Issuer:
    """Signs tokens and serves its keys through an in-memory transport."""

    def __init__(self) -> None:
        self.key = ECKey.generate_key("P-256", auto_kid=True)
        self._headers: dict[tuple[object, ...], dict[str, str]] = {}

    def token(
        self,
        *scopes: str,
        client_id: str = "test-client",
        role: str = "operator",
        programs: Sequence[str] = ("*",),
        divisions: Sequence[str] = (),
        department: str | None = None,
        user: str | None = None,
        lifetime: int = 600,
        issuer: str = ISSUER,
        audience: str = AUDIENCE,
        token_type: str = TOKEN_TYPE,
        certificate: str | None = None,
    ) -> str:
        """A signed access token."""
        now = int(wall())
        claims = {
            "iss": issuer,
            "aud": audience,
            "sub": user or client_id,
            "client_id": client_id,
            "iat": now,
            "exp": now + lifetime,
            "jti": f"t{now}",
            "scope": " ".join(scopes),
            "role": role,
            "programs": list(programs),
            "divisions": list(divisions),
            "department": department,
            **({"cnf": {"x5t#S256": certificate}} if certificate else {}),
        }
        return jwt.encode({"alg": "ES256", "kid": self.key.kid, "typ": token_type}, claims, self.key)

    def headers(self, *scopes: str, **options: object) -> dict[str, str]:
        """The Authorization header of such a token; within a minute the same one, as a client would use it."""
        key = (scopes, repr(options), int(wall()) // 60)
        if key not in self._headers:
            token = self.token(*scopes, **options)  # type: ignore[arg-type]
            self._headers[key] = {"Authorization": f"Bearer {token}"}
        return {**self._headers[key]}

    @cached_property
    def known_guard(self) -> Guard:
        """One for all tests that are about something else: it has the keys, and knows the tokens it has seen."""
        return self.guard()

    def guard(self) -> Guard:
        """A new guard that trusts this issuer."""

        def serve(_request: httpx.Request) -> httpx.Response:
            return httpx.Response(200, json={"keys": [self.key.as_dict(private=False)]})

        client = httpx.AsyncClient(transport=httpx.MockTransport(serve))
        keys = Keys(f"{ISSUER}/.well-known/jwks.json", client)
        return Guard(keys, issuer=ISSUER, audience=AUDIENCE)
