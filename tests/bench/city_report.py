"""docs/city.md, .json and .svg: the whole city both ways, a line for each scale it was last run at."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from tests.bench.promises import CITY_RATIO, CITY_RECORDS, CITY_SECONDS, SERVICE_MIB, by_hand_seconds, judged
from tests.bench.report import renew

DOCS = Path(__file__).parents[2] / "docs"
_INTRO = """# The whole city, both ways

Made by `make city` (`make city s=0.1` for a tenth); do not edit. «Ours» is the platform: five services over PostgreSQL and
JetStream, from the first file of a source to the last certificate said, with every row's verdict, lineage and event kept.
«By hand» is what an engineer would write in an afternoon: one process that reads the same files with polars, copies them
into one table and applies the strong rule and the point sum in one SQL statement. Both ran after each other on the same
machine, and their answers were compared person by person. The rosters were in before, on both sides.

"""
_HEAD = (
    "scale", "rows", "ours", "by hand", "ratio", "µs a row, ours", "µs a row, by hand",
    "certified", "certified otherwise by hand", "measured",
)  # fmt: skip
_OUTRO = f"""
Who is certified otherwise by hand is held back by the platform for a death record without a number that may mean him;
by hand nobody looks. Budgets of the design: {CITY_RECORDS:,} records in {CITY_SECONDS:g} s, at most {CITY_RATIO:g} × the afternoon's work,
{SERVICE_MIB} MiB a service. Memory is the most each process has had by the end of the whole run, as /proc/‹pid›/status tells of it (VmHWM).

"""


def add(told: Mapping[str, Any]) -> None:
    """Put one run in the place of the last one at its scale."""
    path = DOCS / "city.json"
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    kept[f"{told['scale']:g}"] = dict(told)
    path.write_text(json.dumps(kept, ensure_ascii=False, indent=1, default=str) + "\n", encoding="utf-8")
    runs = [kept[scale] for scale in sorted(kept, key=float)]
    (DOCS / "city.md").write_text(page(runs), encoding="utf-8")
    _plot(runs)
    renew(DOCS)


def page(runs: Sequence[Mapping[str, Any]]) -> str:
    """What is written of the runs, the smallest city first."""
    newest = runs[-1]
    text = _INTRO + "".join(f"* {name}: {value}\n" for name, value in newest["machine"].items())
    text += f"\n| {' | '.join(_HEAD)} |\n|{'---:|' * len(_HEAD)}\n"
    text += "".join(f"| {' | '.join(_row(run))} |\n" for run in runs)
    text += (
        _OUTRO
        + "## Where the time of the whole run goes\n\nSeconds of each stage, as the screen of the demo shows them.\n\n"
    )
    stages = list(newest["stages"])
    text += f"| scale | {' | '.join(stages)} |\n|---:|{'---:|' * len(stages)}\n"
    for run in runs:
        seconds = (f"{run['stages'].get(name, 0):,.1f}" for name in stages)
        text += f"| {run['scale']:g} | {' | '.join(seconds)} |\n"
    services = list(newest["peaks_mib"])
    text += f"\n## Memory\n\n| scale | {' | '.join(services)} |\n|---:|{'---:|' * len(services)}\n"
    for run in runs:
        peaks = (f"{peak:,.0f} MiB: {judged(peak <= SERVICE_MIB)}" for peak in map(run["peaks_mib"].get, services))
        text += f"| {run['scale']:g} | {' | '.join(peaks)} |\n"
    return f"{text}\n![µs a row by scale](city.svg)\n"


def _row(run: Mapping[str, Any]) -> tuple[str, ...]:
    ours, hand, rows = run["seconds"], by_hand_seconds(run), run["records"]
    budget = CITY_SECONDS * rows / CITY_RECORDS
    return (
        f"{run['scale']:g}",
        f"{rows:,}",
        f"{ours:,.1f} s (≤ {budget:,.0f} s: {judged(ours <= budget)})",
        f"{hand:,.1f} s",
        f"{ours / hand:.2f} (≤ {CITY_RATIO:g}: {judged(ours <= CITY_RATIO * hand)})",
        f"{1e6 * ours / rows:.1f}",
        f"{1e6 * hand / rows:.1f}",
        f"{run['certified']:,}",
        f"{run['differing']:,}, {run['hinted']:,} of them held back",
        f"{run['day']}, load {run['load']}",
    )


def _plot(runs: list[dict[str, Any]]) -> None:
    mpl.rcParams["svg.hashsalt"] = "wugan"
    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axes = figure.subplots()
    scales = [run["scale"] for run in runs]
    for name, cost, colour in (
        ("ours", [1e6 * run["seconds"] / run["records"] for run in runs], "#4477aa"),
        ("by hand", [1e6 * by_hand_seconds(run) / run["records"] for run in runs], "#bbbbbb"),
    ):
        axes.plot(scales, cost, marker="o", color=colour, label=name)
    axes.set(xscale="log", xlabel="scale (1 is 1.36 million people)", ylabel="µs a row")
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(DOCS / "city.svg", metadata={"Date": None})
