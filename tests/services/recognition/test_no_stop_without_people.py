"""Nothing stops anybody's money but the decision of two named people: walked over the code and over the schema."""

import ast
import re
from collections import defaultdict
from functools import cache
from itertools import product
from pathlib import Path

import grimp
import pytest

import services.recognition
from services.recognition.domain.enrolments import STOPPED, Decision, Status, Step, TransitionError, after
from tests.services.recognition.world import enrolled, enrolment, subject

ROOT = Path(services.recognition.__file__).parent
FILES = sorted(path for path in ROOT.rglob("*.py") if "migrations" not in path.parts)
_WRITES_STATUS = re.compile(
    r"UPDATE\s+enrolment(?:\s+e)?\s+SET\s+[^;\"]*\bstatus\b[^;\"]*|INSERT\s+INTO\s+enrolment\s*\([^)]*\bstatus\b",
    re.IGNORECASE,
)


@cache
def calls() -> dict[str, set[str]]:
    """Of each name that is called, `module.function` of every function that calls it."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in FILES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        # A function within a function counts as what it stands in.
        for function in [*tree.body, *(each for node in _classes(tree) for each in node.body)]:
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                for node in ast.walk(function):
                    if isinstance(node, ast.Call):
                        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                        found[name].add(f"{path.stem}.{function.name}")
    return found


def _classes(tree: ast.Module) -> list[ast.ClassDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]


def callers_of(name: str) -> set[str]:
    return calls().get(name, set())


def test_one_statement_writes_the_status_of_an_enrolment_and_another_can_only_let_it_begin_anew():
    found = [(path.name, each.group()) for path in FILES for each in _WRITES_STATUS.finditer(path.read_text("utf-8"))]
    assert [name for name, _ in found] == ["decisions.py"] * 2
    assert found[0][1].startswith("UPDATE enrolment SET status = $3, decision_id = $4 WHERE")
    assert found[1][1].startswith("UPDATE enrolment e SET status = 'active', decision_id = NULL FROM")


def test_every_path_to_that_statement_goes_through_a_decision():
    assert callers_of("set_enrolment_status") == {
        "decide._announce_stop",
        "decide.let_go_on",
        "stopping.carry_out",
        "lifting._suspend_again",
    }
    # Only one of them can reach a stop, and only a route of the officers' leads there.
    assert callers_of("carry_out") == {"officer.carry_out"}
    assert {each.split(".")[0] for each in callers_of("step_after")} == {"decide", "stopping", "lifting"}


STOPPING = ("decide", "stopping", "lifting", "objecting")


@pytest.mark.parametrize("entry", ["handlers", "jobs"])
def test_no_event_and_no_loop_reaches_it(entry):
    graph = grimp.build_graph("services", cache_dir=None)
    for module in STOPPING:
        target = f"services.recognition.usecases.{module}"
        assert not graph.chain_exists(f"services.recognition.{entry}", target, as_packages=True), module


def test_only_the_officers_routes_lead_there():
    graph = grimp.build_graph("services", cache_dir=None)
    rooms = {
        importer.removeprefix("services.recognition.")
        for module in STOPPING[:3]
        for importer in graph.find_modules_that_directly_import(f"services.recognition.usecases.{module}")
    }
    assert rooms == {"api.officer", "usecases.stopping", "usecases.lifting", "usecases.objecting"}


@pytest.mark.parametrize(("status", "step"), sorted(product(Status, Step)))
def test_every_transition_to_a_stop_asks_for_two_people(status, step):
    alone = Decision(decided_by="officer-1", confirmed_by="officer-1")
    try:
        reached = after(status, step, alone)
    except TransitionError:
        return
    assert reached not in STOPPED or reached is status


@pytest.mark.db
@pytest.mark.parametrize("status", sorted(STOPPED))
async def test_the_schema_refuses_a_stop_without_a_decision_row(world, status):
    await world.hear(enrolled(enrolment(subject(1))))
    with pytest.raises(Exception, match="stop_needs_decision"):
        async with world.deps.database.write() as tx:
            await tx.run("UPDATE enrolment SET status = $1", status)
