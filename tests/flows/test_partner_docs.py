"""The client in docs/partner-api.md is the one the month's story runs."""

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
