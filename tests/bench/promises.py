"""What the design promises beside what was last measured: the rows at the head of docs/benchmarks.md, of the pages' own files."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.figures import number

CITY_SECONDS, CITY_RECORDS, CITY_RATIO = 360.0, 38_370_000, 2.0
SERVICE_MIB = 600
DEMO_SECONDS, TOLD_SECONDS = 60.0, 2.0
_PEAK = "peak memory"
_OF_BENCH = (
    ("1.36 million people assessed anew under another rule set", "≤ 15 s", ("a whole city under another rule set",)),
    (
        "a single check with its usage log",
        "≥ 0.8 × a bare FastAPI with the same SELECT and INSERT; 99th percentile at half load ≤ 25 ms",
        ("single checks", "99th percentile at half load"),
    ),
    (
        "batches, jobs over a program and pay lists of 1.36 million people",
        "≥ 30,000 people/s",
        ("batches of 1,000", "whole-program job, asked to fetched", "pay list, posted to fetched"),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """One row.

    Attributes:
        measured: each figure in words, with whether it is within its budget.
        page: where it stands, a file's name without its ending.
        when: day of the measurement and what there is to know about it.
    """

    work: str
    budget: str
    measured: Sequence[tuple[str, bool]]
    page: str
    when: str

    @property
    def verdict(self) -> str:
        """In one word; where nothing was measured, so."""
        return judged(all(met for _, met in self.measured)) if self.measured else "not measured"


def judged(met: bool) -> str:
    """A budget's word."""
    return "met" if met else "missed"


def p95(seconds: Sequence[float]) -> float:
    """Within what 95 of a hundred were there."""
    return statistics.quantiles(seconds, n=20)[-1]


def by_hand_seconds(run: Mapping[str, Any]) -> float:
    """What the afternoon's work took for a city, of a run in city.json."""
    return float(sum(run["by_hand"][part] for part in ("parsing", "copying", "certifying")))


def promises(folder: Path) -> list[Promise]:
    """Every promise, by the files `make city`, `make bench`, `make soon` and `make chaos` left in a folder."""
    bench, cities = _read(folder / "benchmarks.json"), _read(folder / "city.json")
    return [
        _city(cities),
        *(_of_bench(work, budget, bench, names) for work, budget, names in _OF_BENCH),
        *_soon(_read(folder / "soon.json")),
        _memory(bench, cities),
        _chaos(_read(folder / "chaos.json")),
    ]


def _city(cities: Mapping[str, Any]) -> Promise:
    run, measured = cities.get("1"), []
    if run:
        ratio = run["seconds"] / by_hand_seconds(run)
        measured = [
            (f"{run['seconds']:,.0f} s", run["seconds"] <= CITY_SECONDS * run["records"] / CITY_RECORDS),
            (f"{ratio:.2f} ×", ratio <= CITY_RATIO),
        ]
    return Promise(
        work="the whole city, from its files to every person decided and each certificate said (38.37 million records)",
        budget=f"≤ {CITY_SECONDS:g} s, and ≤ {CITY_RATIO:g} × the same by hand",
        measured=measured,
        page="city",
        when=_when(run),
    )


def _of_bench(work: str, budget: str, bench: Mapping[str, Any], names: Sequence[str]) -> Promise:
    named = {each["name"]: each for each in bench.get("figures", ()) if each["name"] in names}
    found = [named[name] for name in names] if len(named) == len(names) else []
    return Promise(
        work=work,
        budget=budget,
        measured=[(_words(each), each["met"]) for each in found],
        page="benchmarks",
        when=_day(bench) if found else "",
    )


def _words(figure: Mapping[str, Any]) -> str:
    if figure["budget"].startswith("ratio"):
        return f"{number(figure['ratio'])} ×"
    return f"{number(figure['ours'])} {figure['unit']}"


def _soon(soon: Mapping[str, Any]) -> list[Promise]:
    told = []
    for work, name, most in (
        ("a death posted → the partner's check says `under_review`, p95", "reviewed", TOLD_SECONDS),
        ("a record that certifies posted → the partner's webhook, p95", "told", TOLD_SECONDS),
        ("`make demo` after the install", "demo", DEMO_SECONDS),
    ):
        value = soon.get(name)
        seconds = p95(value) if isinstance(value, list) else value
        measured = [] if seconds is None else [(f"{seconds:.2f} s", seconds <= most)]
        told.append(Promise(work=work, budget=f"≤ {most:g} s", measured=measured, page="soon", when=_day(soon)))
    return told


def _memory(bench: Mapping[str, Any], cities: Mapping[str, Any]) -> Promise:
    figures = bench.get("figures", ())
    peaks = [(each["section"], float(each["ours"])) for each in figures if each["name"].startswith(_PEAK)]
    run = cities.get("1", {})
    peaks += [(f"{name} in the whole city", float(peak)) for name, peak in run.get("peaks_mib", {}).items()]
    peaks.sort(key=lambda each: -each[1])
    above = [each for each in peaks if each[1] > SERVICE_MIB] or peaks[:1]
    return Promise(
        work=f"memory of one service's process in all of this ({len(peaks)} peaks; here those above, or the highest)",
        budget=f"≤ {SERVICE_MIB} MiB",
        measured=[(f"{peak:,.0f} MiB ({where})", peak <= SERVICE_MIB) for where, peak in above],
        page="city",
        when="; ".join(filter(None, (_when(run), _day(bench)))),
    )


def _chaos(chaos: Mapping[str, Any]) -> Promise:
    measured = []
    if chaos:
        failed = len(chaos["failed"])
        words = f"{chaos['runs']} runs, {failed} failed; lost {chaos['lost']}, doubled {chaos['doubled']}"
        measured = [(words, not failed)]
    return Promise(
        work="kill -9 of any process at any time; NATS or PostgreSQL restarted",
        budget="nothing lost, nothing doubled, the end of an undisturbed run",
        measured=measured,
        page="chaos",
        when=str(chaos.get("day", "")),
    )


def _day(known: Mapping[str, Any]) -> str:
    machine = known.get("machine", {})
    return str(machine.get("date") or machine.get("day") or "")


def _when(run: Mapping[str, Any] | None) -> str:
    return f"{run['day']}, load {run['load']}" if run else ""


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
