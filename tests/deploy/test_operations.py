"""What docs/operations.md counts on was measured: no figure of the capacity table is far from the newest run."""

import json
import re

import pytest

from deploy.local.programs import ROOT

FIGURES = {
    (each["section"], each["name"]): each
    for each in json.loads((ROOT / "docs" / "benchmarks.json").read_text(encoding="utf-8"))["figures"]
}
TABLE = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8").split("\n## Capacity", 1)[1].split("\n## ", 1)[0]
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
