"""The client in docs/partner-api.md is the one the month's story runs; docs/officers.md calls what there is, as who may."""

import csv
import re

import pytest

from deploy.local.clients import CLIENTS
from services.recognition.programs import load
from tests.flows import partner_client
from tests.support.record import ROOT


def test_the_client_in_the_docs_is_the_one_that_runs():
    page = (ROOT / "docs" / "partner-api.md").read_text(encoding="utf-8")
    source = (ROOT / "tests" / "flows" / "partner_client.py").read_text(encoding="utf-8")
    assert f"```python\n{source}```\n" in page, "put the client's new source into the page"
    assert partner_client.Partner.__doc__


def test_every_synthetic_person_stands_in_the_page():
    page = (ROOT / "docs" / "partner-api.md").read_text(encoding="utf-8")
    for person in load()["sandbox_pension"].people:
        assert f"| `{person.citizen_id}` |" in page, person.says


OFFICERS = (ROOT / "docs" / "officers.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["demo-officer", "demo-analyst", "demo-auditor"])
def test_the_officers_page_names_the_demos_clients_as_they_are(name):
    row = next(line for line in OFFICERS.splitlines() if line.startswith(f"| `{name}` |"))
    card = next(card for card in CLIENTS if card.client_id == name)
    assert set(re.findall(r"`(\w+\.\w+)`", row)) == set(card.scopes)
    assert row.split("|")[2].strip() == card.role


def test_the_officers_page_calls_routes_there_are():
    with (ROOT / "tests" / "security" / "routes.csv").open(encoding="utf-8") as file:
        routes = {row["service"] + re.sub(r"{\w+}", "{}", row["path"]) for row in csv.DictReader(file)}
    called = {
        re.sub(r"\$(?:[A-Z]+|{[A-Z]+})", "{}", each) for each in re.findall(r"\$API/(\w+/v1/[^\s?\"]+)", OFFICERS)
    }
    assert len(called) > 8
    assert called <= routes
