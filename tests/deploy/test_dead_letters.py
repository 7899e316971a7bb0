"""`wugan dead-letters` and whom commands act as: every parked message, as the operator who is installed."""

from pathlib import Path

import httpx
from joserfc.jwk import ECKey

from deploy.dead_letters import each_parked
from deploy.demo.client import Client
from deploy.local.ask import OPERATORS, whose
from shared.kit.http import TokenSource


async def test_all_pages_are_redriven_once_though_some_stay_parked():
    tried: list[int] = []

    def answer(request: httpx.Request) -> httpx.Response:
        path, after = request.url.path, int(request.url.params.get("after", 0))
        if path.endswith("/oauth/token"):
            return httpx.Response(200, json={"access_token": "t", "expires_in": 600})
        if path.endswith(":redrive"):
            tried.append(int(path.rpartition("/")[2].partition(":")[0]))
            return httpx.Response(409 if tried[-1] % 2 else 200, json={"id": tried[-1], "redriven": True})
        left = [n for n in range(1, 251) if n > after and "/grid/" in path][:100]
        return httpx.Response(
            200, json={"items": [{"id": n} for n in left], "next": left[-1] if len(left) == 100 else None}
        )

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        key = ECKey.generate_key("P-256", auto_kid=True)
        tokens = TokenSource(http, issuer_url="http://g/api/recognition", client_id="o", key=key)
        found = await each_parked(Client(http, "http://g", tokens), redrive=True)
    assert tried == list(range(1, 251))
    assert sum(done for _, _, done in found) == 125


def test_who_is_installed_acts_before_the_demos_operator(tmp_path):
    keys = tmp_path / "secrets" / "clients"
    keys.mkdir(parents=True)
    for name in reversed(OPERATORS):
        (keys / f"{name}.pem").touch()
        assert whose(None, None, data=tmp_path, usual=OPERATORS) == (name, keys / f"{name}.pem")
    assert whose("bank", Path("k.pem"), data=tmp_path, usual=OPERATORS) == ("bank", Path("k.pem"))
