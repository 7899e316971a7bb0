"""Each service documents itself behind the real gateway, under its prefix and without the internet."""

import asyncio
import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from importlib import import_module
from urllib.parse import urljoin

import httpx
import pytest
import uvicorn
from typing_extensions import override

from deploy.local import caddy
from deploy.local.clients import SERVICES
from deploy.local.journal import Journal
from deploy.local.ports import HOST
from deploy.local.probes import free_ports
from deploy.local.processes import Child
from shared.kit.app import create_app
from shared.kit.docs_page import page
from tests.support.routes import app_of
from tests.support.settings import settings_for


class Seen(HTMLParser):
    """What a browser would go and get, where links lead, and what can be read."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.words: list[str] = []
        self.tags: set[str] = set()
        self.feed(html)

    @override
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name == "src" or (tag == "link" and name == "href"):
                self.loaded.append(value or "")
            elif name == "href":
                self.links.append(value or "")
            elif name == "id":
                self.ids.add(value or "")

    @override
    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture
async def gateway(tmp_path) -> AsyncIterator[str]:
    """The gateway before ingest as it is, not started: its documentation asks for neither database nor broker."""
    port, behind = free_ports(HOST, 2)
    declared = import_module("services.ingest.app").SERVICE
    app = create_app(declared, settings_for(declared.settings))
    server = uvicorn.Server(uvicorn.Config(app, host=HOST, port=behind, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve())
    journal, upstreams = Journal(tmp_path), {each: [behind] for each in SERVICES}
    running = Child(caddy.spec(tmp_path, host=HOST, port=port, upstreams=upstreams), journal)
    try:
        await running.start()
        yield f"http://{HOST}:{port}"
    finally:
        await running.stop()
        journal.close()
        server.should_exit = True
        await serving


async def test_the_page_behind_the_gateway_leads_to_its_document(gateway):
    async with httpx.AsyncClient() as browser:
        answer = await browser.get(f"{gateway}/api/ingest/docs")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        seen = Seen(answer.text)
        assert not seen.loaded
        (lead,) = [link for link in seen.links if not link.startswith("#")]
        followed = await browser.get(urljoin(str(answer.url), lead))
    assert followed.status_code == 200
    document = followed.json()
    assert document["info"]["title"] == "wugan ingest"
    assert set(document["paths"]) <= set(seen.words)


@pytest.mark.parametrize("service", SERVICES)
def test_every_route_and_schema_of_a_service_can_be_read(service):
    document = app_of(service).openapi()
    html = page(document)
    seen = Seen(html)
    assert not seen.loaded
    assert "script" not in seen.tags
    for path, methods in document["paths"].items():
        assert path in seen.words
        for verb, operation in methods.items():
            assert re.search(rf">{verb.upper()}</span><span class=at>{re.escape(path)}<", html)
            assert operation["operationId"] in seen.ids
    assert {f"schema-{name}" for name in document["components"]["schemas"]} <= seen.ids
    assert {link[1:] for link in seen.links if link.startswith("#")} <= seen.ids


def test_what_a_document_says_is_text_and_never_markup():
    evil = "<script>alert(1)<\\script>'\""
    schema = {"type": "object", "description": evil, "properties": {evil: {"enum": [evil], "description": evil}}}
    document = {
        "info": {"title": evil, "description": evil},
        "paths": {f"/{evil}": {"get": {
            "tags": [evil], "operationId": evil, "summary": evil, "description": evil, "security": [{evil: []}],
            "parameters": [{"name": evil, "in": "query", "schema": {"type": "string", "default": evil}}],
            "requestBody": {"content": {evil: {"schema": {"$ref": f"#/components/schemas/{evil}"}}}},
            "responses": {evil: {"description": evil}},
        }}},
        "components": {"schemas": {evil: schema, "Map": {"additionalProperties": {"pattern": evil}}}},
    }  # fmt: skip
    seen = Seen(page(document))
    assert "script" not in seen.tags
    assert seen.ids == {evil, "schemas", f"schema-{evil}", "schema-Map"}
    assert "".join(seen.words).count(evil) > 12
