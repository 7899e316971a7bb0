"""What receivers rely on stays as recorded."""

import ast
import json
from pathlib import Path

import pytest

import shared.contracts.events as module
from shared.contracts.describe import asyncapi, describe, is_addition
from shared.contracts.events import EVENTS, TableEvent
from tests.support.record import EVENTS_DIR, ROOT, dumps, events_table

IDS = [event.name for event in EVENTS]


def test_subjects_are_unique():
    assert len(set(IDS)) == len(IDS)


@pytest.mark.parametrize("event", EVENTS, ids=IDS)
def test_every_event_keeps_what_is_recorded(event):
    recorded = json.loads((EVENTS_DIR / f"{event.name}.json").read_text(encoding="utf-8"))
    assert is_addition(recorded, describe(event)), "receivers rely on the recorded shape: say a new version instead"
    assert recorded == json.loads(dumps(describe(event))), "an addition: record it with `make schema`"


@pytest.mark.parametrize("event", [each for each in EVENTS if isinstance(each, TableEvent)], ids=lambda each: each.name)
def test_tables_are_keyed_by_subject(event):
    assert next(iter(event.columns)) == "subject"


def test_asyncapi_is_recorded():
    assert json.loads((ROOT / "docs" / "asyncapi.json").read_text(encoding="utf-8")) == json.loads(dumps(asyncapi()))


def test_who_hears_what_is_recorded():
    recorded = (ROOT / "docs" / "events.md").read_text(encoding="utf-8")
    assert recorded == events_table(), "record the change with `make schema`"


def _names_in(folder: Path, function: str) -> set[str]:
    found: set[str] = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                if name in function.split("|"):
                    arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
                    found |= {each.id for each in arguments if isinstance(each, ast.Name)}
                    found |= {each.attr for each in arguments if isinstance(each, ast.Attribute)}
    return found


def _used_in(path: Path) -> set[str]:
    """Names a room uses, apart from importing them."""
    files = [path] if path.suffix == ".py" else list(path.rglob("*.py"))
    trees = [ast.parse(each.read_text(encoding="utf-8")) for each in files]
    return {node.id for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Name)}


def test_every_event_has_one_speaker_and_a_listener():
    constants = {name for name in dir(module) if isinstance(getattr(module, name), TableEvent | module.FactEvent)}
    speakers = {
        service: _names_in(ROOT / "services" / service, "say|say_table") & constants
        for service in ("ingest", "scoring", "grid", "recognition", "notify")
    }
    heard = {name for path in (ROOT / "services").rglob("handlers*") for name in _used_in(path)} & constants
    for name in constants:
        prefix = getattr(module, name).name.split(".", 1)[0]
        assert [service for service, said in speakers.items() if name in said] == [prefix], name
        assert name in heard, f"{name} is said but nobody listens"
