"""`wugan status` and the exporter, before a platform that answers well, badly or not at all."""

import io
from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey
from prometheus_client import CollectorRegistry
from rich.console import Console

from deploy.certificates import make
from deploy.local.ask import NoSuchClientError
from deploy.local.clients import SERVICES
from deploy.monitoring.endings import ENDS, UNREAD, Endings
from deploy.monitoring.exporter import Figures
from deploy.monitoring.looking import Inside, Look, Operator, behind, operator
from deploy.monitoring.notes import Notes, note
from deploy.monitoring.status import flat, screen, wrong
from shared.kit.clock import wall
from shared.kit.http import TokenSource

FLOW = {"outbox_pending": 1, "undelivered": 2, "unacknowledged": 3, "working": 4, "dead_letters": 0}
SINCE = "2026-11-01T08:00:00Z"
PARKED = {"items": [{"parked_at": "2026-11-01T08:00:00Z"}]}


def platform(request: httpx.Request) -> httpx.Response:
    """notify has parked messages, grid is not ready, scoring is away."""
    path = request.url.path
    service = path.split("/")[2]
    if path.endswith("/oauth/token"):
        return httpx.Response(200, json={"access_token": "t", "expires_in": 600})
    if service == "scoring":
        raise httpx.ConnectError("away")
    bodies: dict[str, Any] = {
        "readyz": {"ready": service != "grid", "checks": {"database": service != "grid", "bus": True}},
        "flow": FLOW | {"dead_letters": int(service == "notify")},
        "figures": {"people": 7, "certified_people": {"data": 5}},
        "today": {"day": "2026-11-01", "said": {f"{service}.batch.completed": 12}, "oldest_unsaid_at": SINCE},
        "dead-letters": PARKED if service == "notify" else {"items": []},
    }
    if not path.endswith("readyz") and request.headers["authorization"] != "Bearer t":
        return httpx.Response(401, json={})
    return httpx.Response(
        503 if path.endswith("readyz") and service == "grid" else 200, json=bodies[path.rsplit("/", 1)[1]]
    )


@pytest.fixture
async def looks() -> dict[str, Look]:
    async with httpx.AsyncClient(transport=httpx.MockTransport(platform)) as http:
        key = ECKey.generate_key("P-256", auto_kid=True)
        tokens = TokenSource(http, issuer_url="http://g/api/recognition", client_id="o", key=key)
        return {each.service: each for each in await Operator(http, behind("http://g"), tokens).look()}


async def test_one_screen_says_what_is_wrong_and_where(looks):
    assert list(looks) == list(SERVICES)
    assert wrong(looks["ingest"]) == wrong(looks["recognition"]) == []
    assert wrong(looks["grid"]) == ["not ready: database"]
    assert wrong(looks["scoring"])[0] == "does not answer"
    assert "1 messages are parked, the oldest since 2026-11-01T08:00:00Z" in wrong(looks["notify"])[0]
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(screen(list(looks.values())))
    text = console.export_text()
    for word in (
        "certified_people.data 5",
        "batch.completed 12",
        "scoring",
        "away",
        "✗ grid: not ready: database",
        "wugan dead-letters list",
    ):
        assert word in text
    assert "nothing is wrong" not in text


async def test_the_exporter_tells_prometheus_what_the_services_told_it(looks):
    registry = CollectorRegistry()
    figures = Figures(registry)
    for look in looks.values():
        figures.take(look)
    labels = {"service": "recognition", "figure": "certified_people", "key": "data"}
    assert registry.get_sample_value("wugan_figure", labels) == 5
    assert registry.get_sample_value("wugan_flow", {"service": "notify", "what": "dead_letters"}) == 1
    ready = {name: registry.get_sample_value("wugan_ready", {"service": name}) for name in SERVICES}
    assert ready == {"ingest": 1, "scoring": 0, "grid": 0, "recognition": 1, "notify": 1}
    assert registry.get_sample_value("wugan_figures_answered", {"service": "scoring"}) == 0
    assert registry.get_sample_value("wugan_figure", labels | {"service": "scoring"}) is None


def test_what_a_service_no_longer_tells_is_gone_unless_it_told_nothing():
    registry = CollectorRegistry()
    figures = Figures(registry)
    labels = [{"service": "grid", "figure": "tasks_open", "key": key} for key in ("unmatched", "suspicion")]
    seen = []
    for look in (
        Look("grid", figures={"tasks_open": {"unmatched": 9, "suspicion": 1}}),
        Look("grid", trouble="no answer"),
        Look("grid", figures={"tasks_open": {"suspicion": 2}}),
        Look("grid", figures={"tasks_open": {"unmatched": 3}}),
    ):
        figures.take(look)
        seen.append([registry.get_sample_value("wugan_figure", each) for each in labels])
    assert seen == [[9, 1], [9, 1], [None, 2], [3, None]]


async def test_a_page_where_a_service_should_be_is_told_and_ends_nothing():
    def page(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, html="<p>maintenance</p>")

    async with httpx.AsyncClient(transport=httpx.MockTransport(page)) as http:
        tokens = TokenSource(http, issuer_url="http://g", client_id="o", key=ECKey.generate_key("P-256", auto_kid=True))
        looks = await Operator(http, behind("http://g"), tokens).look()
    assert {look.trouble for look in looks} == {"something else answered than the service"}


def test_what_a_command_noted_is_served_as_it_last_was(tmp_path):
    note(None, {"wugan_reconcile_missing": 1})
    registry = CollectorRegistry()
    registry.register(Notes(tmp_path))
    for missing in (3, 0):
        note(tmp_path / "reconcile.prom", {"wugan_reconcile_missing": missing})
        assert registry.get_sample_value("wugan_reconcile_missing") == missing
    (tmp_path / "broken.prom").write_text("half a li", encoding="utf-8")
    assert registry.get_sample_value("wugan_reconcile_missing") == 0


def test_the_end_of_each_certificate_is_told(tmp_path):
    make(tmp_path, ["localhost"])
    (tmp_path / "broken.crt").write_text("half a certif", encoding="utf-8")
    registry = CollectorRegistry()
    registry.register(Endings(tmp_path))
    days = {name: (registry.get_sample_value(ENDS, {"certificate": name}) or 0) - wall() for name in ("nats", "inside")}
    assert {name: round(left / 86400) for name, left in days.items()} == {"nats": 425, "inside": 3650}
    assert registry.get_sample_value(ENDS, {"certificate": "broken"}) is None
    assert registry.get_sample_value(UNREAD) == 1


def test_a_folder_that_holds_no_certificate_is_told_too(tmp_path):
    registry = CollectorRegistry()
    registry.register(Endings(tmp_path / "gone"))
    assert registry.get_sample_value(UNREAD) == 1


def test_groups_are_told_by_their_names():
    assert flat({"a": 1, "b": {"x": 2, "y": {"z": 3}}, "c": "text", "d": True}) == [("a", 1), ("b.x", 2), ("b.y.z", 3)]


def test_a_folder_without_the_operators_key_is_told(tmp_path):
    with pytest.raises(NoSuchClientError, match="--data"):
        operator(httpx.AsyncClient(), "http://g", tmp_path, "nobody")


async def test_from_inside_services_and_issuer_are_asked_themselves(tmp_path):
    key = tmp_path / "client.pem"
    key.write_bytes(ECKey.generate_key("P-256").as_pem(private=True))
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(f"{request.url.host}{request.url.path}")
        return httpx.Response(
            200, json={"access_token": "t", "expires_in": 600, "ready": True, "checks": {}, "items": []}
        )

    told: dict[str, Any] = {f"{each}_url": f"http://{each}:1" for each in SERVICES}
    told |= {"client_key_file": key, "issuer_url": "https://wugan.example.cn/api/recognition"}
    settings = Inside(token_url="http://recognition:8004/oauth/token", **told)
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        looks = await settings.operator(http, "operator").look()
    assert [look.ready for look in looks] == [True] * len(SERVICES)
    assert {each.split("/")[0] for each in asked} == set(SERVICES)
    assert "recognition/oauth/token" in asked
