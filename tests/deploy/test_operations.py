"""What docs/operations.md counts on is so: figures of the capacity table were measured, lines of the log are written."""

import json
import re

import pytest

from deploy.local.programs import ROOT

FIGURES = {
    (each["section"], each["name"]): each
    for each in json.loads((ROOT / "docs" / "benchmarks.json").read_text(encoding="utf-8"))["figures"]
}
GUIDE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
TABLE = GUIDE.split("\n## Capacity", 1)[1].split("\n## ", 1)[0]
LOGGED = re.findall(r"`([a-z_]+)`(?=(?: and `[a-z_]+`)? in the log)", GUIDE)
CITY_SIGNALS = 36_875_404
MEASURED = {
    "take in and say a record": ("Ingest", "CSV file to evidence committed and said"),
    "hear, merge and weigh a signal": ("Scoring", "signals heard and swept into sorted runs"),
    "weigh everybody anew under another rule set": (
        "A whole city assessed anew",
        "a whole city under another rule set",
    ),
    "check a person in a list": ("Whole programs and pay lists", "whole-program job, asked to fetched"),
    "signals at rest": ("Scoring", "bytes a signal"),
    "evidence with its origin": ("Keeping evidence", "ingest's segments beside rows with a unique key"),
}


def told(work: str) -> float:
    (cell,) = re.findall(rf"^\| {re.escape(work)} \| ([\d.,]+)( million)?", TABLE, re.MULTILINE)
    return float(cell[0].replace(",", "")) * (1e6 if cell[1] else 1)


@pytest.mark.parametrize("work", MEASURED)
def test_capacity_is_computed_of_what_was_measured(work):
    section, name = MEASURED[work]
    figure = next(each for key, each in FIGURES.items() if key == (section, name) and each["unit"] != "MiB")
    measured = CITY_SIGNALS / figure["ours"] if figure["unit"] == "s" else figure["ours"]
    assert told(work) == pytest.approx(measured, rel=0.25)


def test_what_the_runbook_looks_for_in_the_log_is_logged():
    written = {
        event
        for room in ("services", "shared", "deploy")
        for path in (ROOT / room).rglob("*.py")
        for event in re.findall(r'"([a-z_]+)"', path.read_text(encoding="utf-8"))
    }
    assert len(LOGGED) >= 4
    assert set(LOGGED) <= written
