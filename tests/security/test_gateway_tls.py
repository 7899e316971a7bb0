"""TLS to the gateway with a real one, and tokens that hold with one certificate only."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Request, Security

from deploy.certificates import Pair
from deploy.local import caddy
from deploy.local.clients import SERVICES
from deploy.local.ports import HOST
from deploy.local.probes import free_ports, get
from shared.kit import answering
from shared.kit.auth import Caller, allow
from tests.security.test_tls import child


def application(issuer) -> FastAPI:
    app = FastAPI()
    answering.install(app)
    guard = issuer.guard()
    app.state.platform = SimpleNamespace(guard=guard)

    @app.post("/oauth/token")
    async def token(request: Request) -> dict[str, str]:
        thumbprint = guard.certificate(request)
        return {"token": issuer.token("operate", certificate=thumbprint), "bound": thumbprint or ""}

    @app.get("/v1/figures")
    async def figures(caller: Annotated[Caller, Security(allow("operate"))]) -> dict[str, str | None]:
        return {"bound": caller.certificate}

    return app


@pytest.fixture
async def gateway(tmp_path, made, issuer) -> AsyncIterator[str]:
    """The gateway behind TLS, before an application with the kit's guard; its address."""
    port, behind = free_ports(HOST, 2)
    config = uvicorn.Config(application(issuer), host=HOST, port=behind, log_config=None, proxy_headers=False)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    spec = caddy.spec(tmp_path, host=HOST, port=port, upstreams={each: [behind] for each in SERVICES})
    pair = Pair.named(made, "gateway")
    told = {
        "WUGAN_GATEWAY_CERT": str(pair.certificate),
        "WUGAN_GATEWAY_KEY": str(pair.key),
        "WUGAN_PARTNERS_CA": str(made / "partners.crt"),
    }
    argv = tuple(each.replace("gateway/Caddyfile", "gateway/tls.Caddyfile") for each in spec.argv)

    async def ready() -> bool:
        status, _ = await get(HOST, port, "/livez")  # plain HTTP is answered with 400 by a TLS port
        return status == 400

    async with child(replace(spec, argv=argv, env={**spec.env, **told}, ready=ready), tmp_path):
        yield f"https://localhost:{port}"
    server.should_exit = True
    await serving


def caller(made: Path, client: Pair | None = None) -> httpx.AsyncClient:
    context = ssl.create_default_context(cafile=made / "inside.crt")
    if client:
        context.load_cert_chain(client.certificate, client.key)
    return httpx.AsyncClient(verify=context)


async def test_a_token_fetched_with_a_certificate_holds_with_that_certificate_only(gateway, made):
    url, forged = f"{gateway}/api/recognition", ""
    async with caller(made, Pair.named(made, "partner-bank")) as bank:
        said = (await bank.post(f"{url}/oauth/token")).json()
        bearer = {"Authorization": f"Bearer {said['token']}"}
        assert said["bound"]
        answered = await bank.get(f"{url}/v1/figures", headers=bearer)
        assert answered.json() == {"bound": said["bound"]}
        pem = ssl.PEM_cert_to_DER_cert(Pair.named(made, "partner-bank").certificate.read_text())
        forged = f":{base64.b64encode(pem).decode()}:"
    for other in (None, Pair.named(made, "partner-court")):
        async with caller(made, other) as thief:
            for headers in (bearer, bearer | {"Client-Cert": forged}, bearer | {"client-cert": forged}):
                answered = await thief.get(f"{url}/v1/figures", headers=headers)
                assert (answered.status_code, answered.json()["code"]) == (401, "unauthorized")
    async with caller(made) as plain:
        said = (await plain.post(f"{url}/oauth/token", headers={"Client-Cert": forged})).json()
        assert said["bound"] == ""
        answered = await plain.get(f"{url}/v1/figures", headers={"Authorization": f"Bearer {said['token']}"})
        assert answered.json() == {"bound": None}


async def test_a_certificate_of_another_authority_gets_no_connection(gateway, made):
    async with caller(made, Pair.named(made / "strangers", "partner-bank")) as stranger:
        with pytest.raises((httpx.TransportError, ssl.SSLError)):
            await stranger.get(f"{gateway}/livez")
    async with caller(made) as plain:
        assert (await plain.get(f"{gateway}/livez")).status_code == 200
        assert (await plain.get(f"{gateway}/api/ingest/metrics")).status_code == 404


async def test_the_header_is_believed_from_a_gateway_only(issuer):
    told = [(b"client-cert", b":QUJD:")]

    def asked(host: str, headers=told) -> Request:
        return Request({"type": "http", "headers": headers, "client": (host, 1)})

    guard = issuer.guard()
    assert guard.certificate(asked("127.0.0.1")) == "tdQEXD9Gb6kf4sxqvnkjKhpXzfEE96JucW4KHieJ33g"
    assert guard.certificate(asked("10.0.0.7")) is None
    assert guard.certificate(asked("unix")) is None
    for header in (b"", b"::", b"QUJD", b":not base64:"):
        assert guard.certificate(asked("127.0.0.1", [(b"client-cert", header)])) is None
