"""Questions to other services: where the token for them comes from."""

import httpx
import pytest
from joserfc.jwk import ECKey

from shared.kit.app import tokens_of
from shared.kit.settings import KitSettings
from tests.support.settings import settings_for

INSIDE = "http://recognition:8004/oauth/token"
NAME = "https://wugan.example.cn/api/recognition"


@pytest.mark.parametrize(("token_url", "asked"), [(INSIDE, INSIDE), (None, f"{NAME}/oauth/token")])
async def test_a_service_asks_the_issuer_where_its_settings_say(tmp_path, token_url, asked):
    key = tmp_path / "client.pem"
    key.write_bytes(ECKey.generate_key("P-256").as_pem(private=True))
    seen: list[str] = []

    def issuer(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        return httpx.Response(200, json={"access_token": "t", "expires_in": 600})

    told = {"issuer_url": NAME, "token_url": token_url, "client_id": "service-ingest", "client_key_file": key}
    async with httpx.AsyncClient(transport=httpx.MockTransport(issuer)) as http:
        tokens = tokens_of(settings_for(KitSettings, **told), http)
        assert tokens is not None
        assert await tokens.get() == "t"
        assert tokens_of(settings_for(KitSettings, **{**told, "client_id": None}), http) is None
    assert seen == [asked]
