"""The threat model points at tests that are there."""

import re

import pytest

from deploy.local.programs import ROOT

MODEL = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`(tests/[\w/.-]+)`", MODEL)))
THREATS = [line for line in MODEL.split("## STRIDE", 1)[1].split("\n## ", 1)[0].splitlines() if line.startswith("| ")][
    1:
]


@pytest.mark.parametrize("path", NAMED)
def test_a_named_test_is_there(path):
    found = ROOT / path
    assert found.exists()
    assert found.is_file() or any(found.rglob("test_*.py"))


def test_every_threat_has_an_answer_and_a_test():
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in THREATS if not line.startswith("| ---")]
    assert len(rows) > 20
    assert all(len(row) == 3 and row[1] and "test" in row[2] for row in rows), rows
    for letter in ("Spoofing", "Tampering", "Repudiation", "Information disclosure", "Denial of service", "Elevation"):
        assert f"**{letter}**" in MODEL
