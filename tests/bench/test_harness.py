"""The harness itself: medians, budgets, and what is kept of the document."""

import asyncio
import json
import re
import subprocess
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from shared.kit.clock import wall
from tests.bench import city_report, load, profile, report, soon
from tests.bench.city_report import DOCS
from tests.bench.figures import Budget, figure, in_turn
from tests.bench.machine import version_of_the_code
from tests.bench.promises import promises
from tests.bench.scaling import VARIANTS, Kept, Measured
from tests.bench.scaling import write as write_scaling


def test_a_figure_is_the_median_of_its_runs_beside_that_of_the_baseline():
    made = figure("x", "rows/s", [1.0, 100.0, 8.0], [4.0, 2.0, 50.0], budget=Budget(least=2.0))
    assert (made.ours, made.baseline, made.ratio, made.met) == (8.0, 4.0, 2.0, True)


@pytest.mark.parametrize(
    ("budget", "met"),
    [
        (Budget(of="ours", most=10), True),
        (Budget(of="ours", most=9), False),
        (Budget(of="ours", least=11), False),
        (Budget(least=0.5), False),  # there is no baseline to be compared with
        (None, None),
    ],
)
def test_a_budget_is_of_the_ratio_or_of_our_own_figure(budget, met):
    assert figure("x", "ms", 10.0, budget=budget).met is met


async def test_both_sides_are_measured_in_turn():
    order = []

    async def run(name: str) -> str:
        order.append(name)
        return name

    assert await in_turn(lambda: run("a"), lambda: run("b"), 2) == (["a", "a"], ["b", "b"])
    assert order == ["a", "b", "a", "b"]


def test_what_is_written_by_hand_below_the_line_stays(tmp_path):
    sections, about = {"Disk": [figure("x", "rows/s", 2.0, 1.0, note="y")]}, {"Disk": "z"}
    report.write(tmp_path, sections, {"date": "1"}, about)
    path = tmp_path / "benchmarks.md"
    path.write_text(path.read_text(encoding="utf-8") + "\nOur own words.\n", encoding="utf-8")
    report.write(tmp_path, sections, {"date": "2"}, about)
    text = path.read_text(encoding="utf-8")
    assert text.count(report.MARKER) == text.count("Our own words.") == 1
    assert "date: 2" in text
    assert json.loads((tmp_path / "benchmarks.json").read_text(encoding="utf-8"))["figures"][0]["ratio"] == 2.0


def test_missed_budgets_are_named():
    console = Console(record=True, quiet=True)
    sections = {"a": [figure("x", "ms", 10.0, budget=Budget(of="ours", most=1)), figure("y", "ms", 1.0)]}
    assert report.say_missed(console, sections) == 1


@pytest.mark.parametrize("rate", [0.0, 100.0])
async def test_the_load_generator_counts_every_answer(rate):
    asked = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        while head := await _head(reader):
            await reader.readexactly(int(head.rsplit(b": ", 1)[1]))
            asked += 1
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    said = await load.work(
        load.Job(
            port=port, path="/", headers={}, bodies=["{}"], connections=2, seconds=0.3, warm_seconds=0.0, rate=rate
        )
    )
    server.close()
    assert said.refused == 0
    assert said.example == "{}"
    assert 0 < said.answers <= asked <= said.answers + 4
    if rate:
        assert said.answers <= 0.3 * rate + 2


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""


def test_a_series_of_scales_that_was_broken_off_goes_on_with_the_same_code_only(tmp_path):
    def ran(place: int, scale: float, right: int) -> Measured:
        return Measured(
            variant=VARIANTS[place].name, scale=scale, rows=10, seconds=2.0, processor=1.0, accuracy={"right": right}
        )

    file = tmp_path / "runs.json"
    kept = Kept(file, "a")
    for one in (ran(1, 0.1, 90), ran(0, 0.1, 90), ran(2, 0.01, 9)):
        kept.add(one)
    again = Kept(file, "a")
    assert [(each.scale, each.variant) for each in again.found] == [
        (0.01, VARIANTS[2].name), (0.1, VARIANTS[0].name), (0.1, VARIANTS[1].name)
    ]  # fmt: skip
    assert again.holds(VARIANTS[2], 0.01)
    assert not again.holds(VARIANTS[2], 1.0)
    assert again.unlike() == []
    assert again.whole() == []
    again.add(ran(3, 0.1, 89))
    assert [each.variant for each in again.unlike()] == [VARIANTS[3].name]
    for one in (ran(2, 0.1, 90), ran(0, 1.0, 90)):
        again.add(one)
    assert [(each.scale, each.variant) for each in again.whole()] == [(0.1, each.name) for each in VARIANTS]
    write_scaling(tmp_path, again.whole(), {"processors": "2"})
    page, plot = ((tmp_path / f"scaling.{kind}").read_text(encoding="utf-8") for kind in ("md", "svg"))
    assert all(f"| {each.name} | 10 | 2.0 s | 5 | 200000.0 | 100000.0 |" in page for each in VARIANTS)
    assert "(scaling.svg)" in page
    assert plot.count("scale 0.1)") == len(VARIANTS)
    again.add(ran(1, 1.0, 90))  # the whole city has one server
    assert {each.scale for each in again.whole()} == {0.1, 1.0}
    assert Kept(file, "b").found == []


def test_the_head_of_the_page_is_what_was_promised_beside_what_was_last_measured(tmp_path):
    text = (DOCS / "benchmarks.md").read_text(encoding="utf-8")
    assert report.head(DOCS) in text
    assert all(each.measured for each in promises(DOCS) if each.page in {"benchmarks", "city"})
    # After something else was measured, the head alone is another.
    (tmp_path / "benchmarks.md").write_text(text, encoding="utf-8")
    told = [0.1 * number for number in range(1, 21)]
    soon.write(tmp_path, soon.Measured(scale=0.01, demo=61.0, reviewed=told, told=told), {"day": "2026-11-29"})
    renewed = (tmp_path / "benchmarks.md").read_text(encoding="utf-8")
    assert renewed == text.replace(report.head(DOCS), report.head(tmp_path))
    assert "| ≤ 60 s | 61.00 s | **missed** | [soon.md](soon.md), 2026-11-29 |" in renewed
    assert renewed.count("not measured") == 6


def test_memory_above_its_budget_is_called_missed_on_the_page_of_the_city_and_of_its_profile(tmp_path):
    (run,) = (
        each for each in json.loads((DOCS / "city.json").read_text(encoding="utf-8")).values() if each["scale"] == 1
    )
    peaks = {"ingest": 859.0, "grid": 519.0}
    assert "| 1 | 859 MiB: missed | 519 MiB: met |" in city_report.page([{**run, "peaks_mib": peaks}])
    result: Any = SimpleNamespace(
        rows=lambda _which: 1, through=1.0, peaks={name: n * 2**20 for name, n in peaks.items()}
    )
    made = profile.Profile(result=result, processors={}, functions={}, statements=[], streams=[])
    profile.write(made, {}, tmp_path / "profile.md")
    page = (tmp_path / "profile.md").read_text(encoding="utf-8")
    assert "| ingest | 859 MiB | missed |\n| grid | 519 MiB | met |" in page


async def test_a_late_webhook_about_the_person_before_is_not_taken_for_this_ones():
    heard: list[dict[str, float]] = []
    late = [0.0]

    class Sender:
        async def quiet(self, *_services, **_told):
            late.clear()

        async def call(self, *_request, **_body):
            heard.extend({"received_at": wall() + each} for each in (*late, 7.0))

    async def get(_receiver):
        return SimpleNamespace(json=lambda: {"items": heard})

    partner: Any = SimpleNamespace(http=SimpleNamespace(get=get))
    sender: Any = Sender()
    person = {"citizen_id": "1", "name": "n"}
    assert await soon._until_told(sender, partner, "http://receiver", person) == pytest.approx(7.0, abs=1.0)


def test_what_was_promised_is_written_beside_what_was_measured(tmp_path):
    told = [0.1 * number for number in range(1, 21)]
    measured = soon.Measured(scale=0.01, demo=61.0, reviewed=told, told=[each * 2 for each in told])
    soon.write(tmp_path, measured, {"processors": "2"})
    page = (tmp_path / "soon.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| .+ \| ([\d.]+ s) \| ≤ [\d.]+ s: (\w+) \|$", page, re.MULTILINE) == [
        ("61.00 s", "missed"), ("1.99 s", "met"), ("3.99 s", "missed")
    ]  # fmt: skip
    assert json.loads((tmp_path / "soon.json").read_text(encoding="utf-8"))["demo"] == 61.0


def test_documents_are_no_other_version_of_the_code(tmp_path):
    def git(*words: str) -> None:
        named = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        subprocess.run(["git", "-C", str(tmp_path), *named, *words], check=True, capture_output=True)

    def commit(name: str, text: str) -> str:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
        git("add", ".")
        git("commit", "-m", name)
        return version_of_the_code(tmp_path)

    git("init")
    first = commit("code.py", "1")
    assert commit("docs/page.md", "1") == first
    (tmp_path / "docs" / "page.md").write_text("2", encoding="utf-8")
    assert version_of_the_code(tmp_path) == first
    (tmp_path / "code.py").write_text("2", encoding="utf-8")
    assert version_of_the_code(tmp_path).startswith(f"{first}+")
    assert commit("code.py", "2") not in {first, ""}
    assert version_of_the_code(tmp_path / "docs" / "nowhere") == ""
