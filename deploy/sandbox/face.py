"""A provider of face checks as provincial apps have one: it looks at nobody, and signs what it is told to have seen."""

from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter
from joserfc import jwt
from joserfc.jwk import ECKey
from pydantic import BaseModel, ConfigDict, Field

from shared.kit.clock import wall

ISSUER = "urn:wugan:sandbox:face"
_SECONDS = 120


class SeenIn(BaseModel):
    """What the provider is to have seen: whose face, how alike, how alive, for which session.

    Attributes:
        nonce: of the session; another one is signed just as well.
        score: 0 to 100.
        age: seconds since it was signed, for one that comes too late.
    """

    model_config = ConfigDict(extra="forbid")

    citizen_id: Annotated[str, Field(max_length=40)]
    nonce: Annotated[str, Field(max_length=200)]
    audience: str = "wugan"
    score: Annotated[float, Field(ge=0, le=100)] = 96.0
    live: bool = True
    age: Annotated[int, Field(ge=0, le=86_400)] = 0


def router() -> APIRouter:
    """The provider's keys, and the word it gives."""
    made = APIRouter(prefix="/face", tags=["face"])
    key = ECKey.generate_key("P-256", auto_kid=True)

    @made.get("/jwks.json")
    async def jwks() -> dict[str, Any]:
        return {"keys": [{**key.as_dict(private=False), "use": "sig", "alg": "ES256"}]}

    @made.post("/assertions")
    async def see(body: SeenIn) -> dict[str, str]:
        signed_at = int(wall()) - body.age
        claims = {
            "iss": ISSUER,
            "aud": body.audience,
            "iat": signed_at,
            "exp": signed_at + _SECONDS,
            "jti": uuid4().hex,
            "nonce": body.nonce,
            "citizen_id": body.citizen_id,
            "score": body.score,
            "live": body.live,
        }
        return {"assertion": jwt.encode({"alg": "ES256", "kid": key.kid, "typ": "face+jwt"}, claims, key)}

    return made
