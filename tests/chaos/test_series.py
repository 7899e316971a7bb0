"""What a series of chaos says of itself: a failure stays a failure, and other code's runs are not its own."""

import io
import json
from dataclasses import replace
from random import Random
from types import SimpleNamespace
from typing import cast

import pytest
from rich.console import Console

from deploy.demo.client import Client
from deploy.demo.truth import Accuracy
from deploy.local.stack import LocalStack
from shared.contracts.events import EVENTS
from tests.chaos import __main__ as chaos
from tests.chaos import report
from tests.chaos.city import Outcome, Striker, _discard_parked
from tests.chaos.digest import Table
from tests.chaos.faults import FAULTS, SERVICES, World
from tests.chaos.state import Series, Undisturbed

RIGHT = Accuracy(**dict.fromkeys(Accuracy.__dataclass_fields__, 1))
HELD = {"grid.cases": Table(rows=3, columns={"subject": "a"}, whole="b")}
CAME_TO = {"tasks": Table(rows=2, columns={}, whole="a")}
GOOD = Outcome(accuracy=RIGHT, seconds=9, recovery=1, parked=0, texts_twice=0, tables=HELD, ends=CAME_TO)
BAD = replace(GOOD, tables={"grid.cases": Table(rows=4, columns={"subject": "c"}, whole="d")})
KILL = next(fault for fault in FAULTS if fault.name == "kill -9 grid")
POISON = next(fault for fault in FAULTS if fault.parks)


@pytest.fixture
def outcomes(monkeypatch):
    """What the next runs end with."""
    planned: list[Outcome] = []

    async def run(folder, *_):
        folder.mkdir(exist_ok=True)
        return planned.pop(0)

    monkeypatch.setattr("tests.chaos.city.run", run)
    return planned


def series(folder, code="abc"):
    made = Series(folder, 7, 30.0, code)
    made.load()
    if made.undisturbed is None:
        told = dict.fromkeys(Accuracy.__dataclass_fields__, 1)
        made.undisturbed = Undisturbed(seconds=9, accuracy=told, texts_twice=0, tables=HELD, ends=CAME_TO)
    return made


async def said(fault, made) -> tuple[int, str]:
    out = Console(width=200, file=io.StringIO(), record=True)
    return await chaos.chaos([fault], made, out), out.export_text()


async def test_a_run_that_failed_is_failed_also_when_the_next_one_passes(tmp_path, outcomes):
    outcomes += [BAD, GOOD]
    assert (await said(KILL, series(tmp_path)))[0] == 1
    again = series(tmp_path)
    failed, text = await said(KILL, again)
    assert failed == 1
    assert not outcomes
    first, second = again.rows[KILL.name]
    assert "FAILED" in report.cells(first)[-1]
    assert report.cells(second)[-1] == "0"
    assert "FAILED" in text
    assert "run 2" in text
    assert (await said(KILL, series(tmp_path)))[0] == 1  # nothing is run, and it is still told


async def test_what_other_code_did_is_not_taken_for_this_ones(tmp_path, outcomes):
    outcomes += [GOOD, GOOD]
    assert (await said(KILL, series(tmp_path)))[0] == 0
    assert series(tmp_path).rows
    for other in ("other", ""):
        assert not series(tmp_path, other).rows
    assert (await said(KILL, series(tmp_path, "other")))[0] == 0
    assert not outcomes


@pytest.mark.parametrize(("parked", "failed"), [(0, 1), (len(EVENTS) - 1, 1), (len(EVENTS), 0)])
async def test_poison_that_was_not_parked_did_not_strike(tmp_path, outcomes, parked, failed):
    outcomes.append(replace(GOOD, parked=parked))
    assert (await said(POISON, series(tmp_path)))[0] == failed


@pytest.mark.parametrize(("rows", "lost", "doubled"), [(1, 1, 0), (2, 0, 0), (4, 0, 2)])
async def test_a_run_that_came_to_another_end_failed_though_every_table_is_the_same(
    tmp_path, outcomes, rows, lost, doubled
):
    outcomes.append(replace(GOOD, ends={"tasks": Table(rows=rows, columns={}, whole="b")}))
    made = series(tmp_path)
    assert (await said(KILL, made))[0] == 1
    (row,) = made.rows[KILL.name]
    assert (row.lost, row.doubled) == (lost, doubled)
    assert row.differs[0].startswith("tasks: ")


async def test_a_fault_strikes_once_when_its_moment_has_come(monkeypatch):
    struck = []

    async def strike(world):
        struck.append(world)

    async def at_once(*_urls):
        pass

    monkeypatch.setattr("tests.chaos.city.recovered", at_once)
    servers = SimpleNamespace(database_url=str, nats_url=str)
    striker = Striker(replace(KILL, share=0.4, strike=strike), 30.0, Random(1))
    striker.world = cast(World, SimpleNamespace(servers=servers))
    stack = cast(LocalStack, None)
    early = []
    for stage, share in (("rosters", 0.9), ("sources", 0.3)):
        striker(stack, stage, share)
        early.append(striker.struck)
    assert early == [None, None]
    for share in (0.4, 0.9):
        striker(stack, "sources", share)
    assert striker.struck is not None
    assert await striker.struck < 30
    assert struck == [striker.world]


async def test_every_parked_letter_is_thrown_away_however_many_pages_they_are():
    parked = {("DELETE", "grid", f"/v1/dead-letters/{number}") for number in range(250)}

    async def call(*words):
        if words[0] == "DELETE":
            parked.remove(words)
        names = (path.rpartition("/")[2] for _, service, path in sorted(parked) if service == words[1])
        return {"items": [{"id": name} for name in names][:100]}

    assert await _discard_parked(cast(Client, SimpleNamespace(call=call))) == 250
    assert not parked


def test_every_service_is_killed_and_stopped():
    names = {fault.name for fault in FAULTS}
    assert {f"{what} {service}" for what in ("kill -9", "SIGSTOP") for service in SERVICES} <= names


def test_a_table_that_was_compared_with_nothing_is_named(tmp_path):
    made = series(tmp_path)
    assert made.undisturbed
    made.undisturbed.unlike = ["grid.rounds"]
    made.save()
    report.write(series(tmp_path), [], 0.01, tmp_path / "chaos.md")
    assert "`grid.rounds`: undisturbed runs had unlike numbers" in (tmp_path / "chaos.md").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "chaos.json").read_text(encoding="utf-8"))["failed"] == []
