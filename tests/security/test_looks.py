"""Whatever service keeps looks at people: an auditor reads them, and his own look at one person is among them."""

from types import SimpleNamespace
from uuid import UUID

import httpx
import pytest

from shared.kit.clock import FixedClock
from tests.services.grid.town import NOW
from tests.support.routes import app_of

ANNA = UUID(int=1)


@pytest.mark.parametrize("service", ["ingest", "scoring", "notify"])
async def test_an_auditor_reads_who_looked_and_is_read(service, database_for, issuer):
    app = app_of(service)
    app.state.platform = SimpleNamespace(
        guard=issuer.guard(), database=await database_for(service), clock=FixedClock(NOW)
    )
    headers = issuer.headers("audit.read", role="auditor", user="auditor-1")
    found = []
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://s.test", headers=headers) as http:
        for asked in ("", "&limit=1&user=auditor-1", "&client_id=nobody"):
            answer = await http.get(f"/v1/looks?subject={ANNA}&until=2030-01-01T00:00:00Z{asked}")
            found.append([(each["user"], each["subject"], each["at"]) for each in answer.json()["items"]])
    assert found == [[], [("auditor-1", str(ANNA), "2023-11-01T02:00:00Z")], []]
