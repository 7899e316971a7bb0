"""Which addresses are called, what a partner sees of his endpoints, and how soon an event leaves."""

import asyncio
from datetime import timedelta
from uuid import UUID

import httpx
import orjson
import pytest

from deploy.sandbox.app import SandboxOptions, create_app
from services.notify.channels.webhook import Poster, WebhookSettings
from services.notify.domain.endpoints import may_call
from services.notify.jobs import Hooks
from tests.services.notify.hooks import (
    CLIENT,
    LOCAL,
    heard,
    post_all,
    poster_of,
    recorded,
    serving,
    subscription,
    with_poster,
)
from tests.services.notify.world import hear, make_deps

pytestmark = pytest.mark.db


@pytest.fixture
def deps(posting):
    return posting


class TestAddresses:
    @pytest.mark.parametrize(
        "address",
        [
            "127.0.0.1", "10.0.0.1", "172.16.3.4", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
            "::1", "fe80::1", "fc00::1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::", "255.255.255.255",
            "::10.0.0.1", "::ffff:0:a00:1", "fec0::1", "2001:0:a00:1::1", "64:ff9b:1::a00:1", "ff0e::1", "::",
        ],
    )  # fmt: skip
    def test_private_addresses_are_not_called(self, address):
        assert not may_call(address, [])

    def test_public_ones_and_allowed_ones_are(self):
        assert may_call("1.1.1.1", [])
        assert may_call("2606:4700::1111", [])
        assert may_call("127.0.0.1", LOCAL.networks)
        assert may_call("::ffff:127.0.0.1", LOCAL.networks)

    @pytest.mark.parametrize(
        ("url", "addresses", "reason"),
        [
            ("https://inside.example/x", ["10.0.0.5"], "address_not_allowed"),
            ("https://mixed.example/x", ["1.1.1.1", "127.0.0.1"], "address_not_allowed"),
            ("https://nowhere.example/x", [], "address_not_allowed"),
            ("http://plain.example/x", ["1.1.1.1"], "tls_needed"),
            ("ftp://archive.example/x", ["1.1.1.1"], "url_not_usable"),
            ("https://user:word@some.example/x", ["1.1.1.1"], "url_not_usable"),
            ("https:///x", ["1.1.1.1"], "url_not_usable"),
        ],
    )
    async def test_what_must_not_be_called_is_refused_before_connecting(self, url, addresses, reason):
        async def resolve(_host: str, _port: int) -> list[str]:
            return list(addresses)

        poster = Poster(WebhookSettings(), resolve=resolve)
        assert (await poster.post(url, {}, b"{}")).reason == reason
        await poster.close()

    async def test_it_connects_to_the_address_it_looked_at_under_the_name_it_was_given(self):
        seen, sandbox = [], create_app(SandboxOptions())

        @sandbox.middleware("http")
        async def note(request, call_next):
            seen.append(request.headers["host"])
            return await call_next(request)

        async def resolve(_host: str, _port: int) -> list[str]:
            return ["127.0.0.1"]

        async with serving(sandbox) as url:
            port = httpx.URL(url).port
            poster = Poster(LOCAL, resolve=resolve)
            body = orjson.dumps({"type": "x", "data": {}})
            answer = await poster.post(f"http://partner.example:{port}/hooks/civil", {"webhook-id": "1"}, body)
            await poster.close()
        assert (answer.status, answer.reason) == (200, "")
        assert seen == [f"partner.example:{port}"]


class TestTheApi:
    async def test_a_partner_sees_his_own_endpoints_and_replays_by_id_or_time(
        self, http, deps, clock, issuer, sandbox, receiver
    ):
        owner = issuer.headers("notify.webhooks", role="partner", client_id=CLIENT)
        other = issuer.headers("notify.webhooks", role="partner", client_id="health")
        await hear(deps, subscription(url=receiver))
        await post_all(deps)
        await hear(deps, recorded([1, 2, 3]))
        await post_all(deps)
        (mine,) = (await http.get("/v1/endpoints", headers=owner)).json()["items"]
        assert (mine["status"], mine["waiting"], mine["failed"]) == ("active", 0, 0)
        assert (await http.get("/v1/endpoints", headers=other)).json()["items"] == []
        path = f"/v1/endpoints/{UUID(int=1)}"
        first = (await http.get(f"{path}/posts", params={"limit": 2}, headers=owner)).json()
        rest = (await http.get(f"{path}/posts", params={"before": first["next_before"]}, headers=owner)).json()
        assert [UUID(item["event_id"]).int for item in first["items"] + rest["items"]] == [3, 2, 1]
        assert (await http.get(f"{path}/posts", headers=other)).status_code == 404
        assert (await http.get(f"{path}/posts?before={10**20}", headers=owner)).status_code == 422
        assert (
            await http.post(f"{path}:replay", json={"since": "2023-11-01T00:00:00Z"}, headers=other)
        ).status_code == 404
        by_id = await http.post(f"{path}:replay", json={"event_ids": [str(UUID(int=2))]}, headers=owner)
        assert (by_id.status_code, by_id.json()) == (202, {"queued": 1})
        await post_all(deps)
        clock.move(timedelta(seconds=1))
        by_time = await http.post(f"{path}:replay", json={"since": "2023-11-01T00:00:00Z"}, headers=owner)
        assert by_time.json() == {"queued": 3}
        await post_all(deps)
        assert {UUID(each["id"]).int: each["handed"] for each in sandbox.state.keep.list_hooks("civil", 9)} == {
            1: 2, 2: 3, 3: 2,
        }  # fmt: skip
        assert (await http.post(f"{path}:replay", json={}, headers=owner)).status_code == 422
        held = await http.post(f"{path}:resume", headers=owner)
        assert (held.status_code, held.json()["code"]) == (409, "endpoint_not_held")
        assert (await http.get("/v1/endpoints", headers=issuer.headers("notify.read"))).status_code == 403


async def test_the_loop_posts_within_a_moment_of_the_event(committing_database_for, sandbox, receiver):
    database = await committing_database_for("notify")
    deps = with_poster(make_deps(database))
    loop = asyncio.create_task(Hooks(deps, poster_of(deps)).run())
    await hear(deps, subscription(url=receiver))
    await hear(deps, recorded(range(1, 101)))
    async with asyncio.timeout(60):
        while len(heard(sandbox)) < 100:
            await asyncio.sleep(0.01)
    loop.cancel()
    await asyncio.gather(loop, return_exceptions=True)
    await poster_of(deps).close()
    assert sorted(heard(sandbox)) == list(range(1, 101))
