"""notify's own schema, a clock at nine in the morning, and the sandbox providers without sockets."""

from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import httpx
import pytest

from deploy.sandbox.app import SandboxOptions
from deploy.sandbox.app import create_app as create_sandbox
from deploy.sandbox.hooks import Receivers
from deploy.sandbox.push import Phones
from deploy.sandbox.sms import Gateways
from shared.kit.clock import FixedClock
from tests.services.notify.hooks import poster_of, serving, with_poster
from tests.services.notify.world import MORNING, make_deps, sms_settings
from tests.support.routes import app_of


@pytest.fixture
async def database(database_for):
    return await database_for("notify")


@pytest.fixture
def clock():
    return FixedClock(MORNING)


@cache
def _sandbox():
    """One for all tests of this process, as building one takes longer than most of them."""
    return create_sandbox(SandboxOptions())


@pytest.fixture
def sandbox():
    """As new: nothing sent, everybody behaving."""
    app = _sandbox()
    app.state.keep.clear()
    for name, fresh in (("gateways", Gateways()), ("receivers", Receivers()), ("phones", Phones())):
        vars(getattr(app.state, name)).update(vars(fresh))
    return app


@pytest.fixture
async def client(sandbox):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(sandbox)) as made:
        yield made


@pytest.fixture
def deps(database, clock, client):
    """A notify whose text messages go to the sandbox."""
    return make_deps(database, clock=clock, client=client, sms=sms_settings())


@pytest.fixture
async def http(deps, database, issuer):
    """The API over `deps`, asked without a socket."""
    app = app_of("notify")
    app.state.platform = SimpleNamespace(guard=issuer.known_guard, database=database)
    app.state.deps = replace(deps, test_recipients=frozenset({"13900000000"}))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://notify") as asked:
        yield asked


@pytest.fixture
async def receiver(sandbox):
    """A partner's receiver on a real socket."""
    async with serving(sandbox, lifespan="off") as url:
        yield f"{url}/hooks/civil"


@pytest.fixture
async def posting(database, clock):
    """A notify that may post webhooks to this machine."""
    made = with_poster(make_deps(database, clock=clock))
    yield made
    await poster_of(made).close()
