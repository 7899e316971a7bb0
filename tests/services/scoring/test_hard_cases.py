"""The hard cases of the field, from a table."""

import ast
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from services.scoring.domain.negatives import Suspicion
from services.scoring.domain.signals import Kind
from shared.contracts.vocabulary import CaseConclusion, SuspicionKind
from tests.services.scoring.people import Saw, concluded, in_words, opinions_of

TABLES: dict[str, list[dict[str, Any]]] = tomllib.loads(Path(__file__).with_name("hard_cases.toml").read_text())
CASES, ELSEWHERE = TABLES["case"], TABLES["elsewhere"]
ROOT = Path(__file__).parents[3]


def saws_of(case: dict[str, Any]) -> list[Saw]:
    saws = [
        Saw(
            source=each["source"],
            on=each["on"],
            kind=Kind[each.get("kind", "seen").upper()],
            full=each.get("identity", "full") == "full",
            evidence=each.get("evidence", 0),
        )
        for each in case["signals"]
    ]
    for each in case.get("concluded", ()):
        kind, conclusion = SuspicionKind(each["kind"]), CaseConclusion(each["conclusion"])
        saws += concluded(kind, conclusion, each["on"], said=each.get("said"))
    return saws


def part_of(found: Suspicion, expected: dict[str, Any]) -> dict[str, Any]:
    """As much of a suspicion as is expected of it."""
    values = {
        "kind": found.kind.value,
        "confidence": found.confidence.value,
        "event_on": found.event_on,
        "reasons": list(found.reasons),
        "episode": found.episode,
    }
    return {name: values[name] for name in expected}


@pytest.mark.parametrize("case", CASES, ids=[f"{case['number']}: {case['title']}" for case in CASES])
def test_hard_case(case: dict[str, Any]) -> None:
    said = in_words(opinions_of(saws_of(case)))
    assert {name: said[name] for name in case["expect"]} == case["expect"]
    found = said["suspicions"]
    assert isinstance(found, tuple)
    assert len(found) == len(case["suspicions"]), [each.kind for each in found]
    assert [part_of(*pair) for pair in zip(found, case["suspicions"], strict=True)] == case["suspicions"]


def test_all_twenty_three_are_somewhere() -> None:
    assert {case["number"] for case in (*CASES, *ELSEWHERE)} == set(range(1, 24))


@pytest.mark.parametrize("case", ELSEWHERE, ids=[f"{case['number']}: {case['title']}" for case in ELSEWHERE])
def test_a_case_of_another_service_is_where_the_table_says(case: dict[str, Any]) -> None:
    for place in case["tested"]:
        path, _, words = place.partition("::")
        if path.endswith(".toml"):
            assert words in said_in(tomllib.loads((ROOT / path).read_text(encoding="utf-8"))), place
        else:
            assert words in names_in(path), place


@cache
def names_in(service: str) -> set[str]:
    """Names of the tests of a service, in whichever file they stand."""
    trees = (ast.parse(each.read_text(encoding="utf-8")) for each in (ROOT / service).rglob("test_*.py"))
    found = (each for tree in trees for each in ast.walk(tree))
    return {each.name for each in found if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}


def said_in(tree: Any) -> set[str]:
    """Keys of a declaration, and what its examples say; each example is a test of the loader."""
    if isinstance(tree, list):
        return {words for each in tree for words in said_in(each)}
    if not isinstance(tree, dict):
        return set()
    said = {words for each in tree.values() for words in said_in(each)}
    return said | set(tree) | {tree["says"]} if "says" in tree else said | set(tree)
