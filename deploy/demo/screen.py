"""The last screen of the demo: what happened to a city, in one look."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from deploy.demo.city.manifest import Manifest
from deploy.demo.truth import Accuracy


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a run of the demo ended with.

    Attributes:
        seconds: by stage.
        through: from the first upload until everybody was certified and nothing was under way, seconds.
        batches: what ingest said of each file, by its path in the city.
        figures: by service, its `/v1/figures`.
        peaks: by service, the most memory its process had, bytes.
    """

    manifest: Manifest
    seconds: Mapping[str, float]
    through: float
    batches: Mapping[str, Mapping[str, Any]]
    figures: Mapping[str, Mapping[str, Any]]
    accuracy: Accuracy
    visited: Mapping[str, int]
    peaks: Mapping[str, int]
    urls: Mapping[str, str]
    data: Path

    def rows(self, verdict: str) -> int:
        """Rows of all batches with a verdict, or `rows` for all."""
        return sum(int(batch[verdict]) for batch in self.batches.values())


def _share(part: int, whole: int) -> str:
    return f"{part:,} ({100 * part / whole:.2f} %)" if whole else f"{part:,}"


def _flow(result: Result) -> Table:
    table = Table(title="What happened", show_header=False, title_justify="left")
    recognition, grid, notify = (result.figures[name] for name in ("recognition", "grid", "notify"))
    people = result.accuracy.people
    rows = result.rows("rows")
    rate = rows / result.through if result.through else 0
    by_channel = recognition["certified_people"]
    table.add_row("people drawing benefits", f"{people:,} in {recognition['enrolments']:,} enrolments, 31 programs")
    table.add_row("rows from 26 departments", f"{rows:,} in {result.through:.1f} s: {rate:,.0f} rows/s")
    for verdict in ("accepted", "duplicate", "out_of_window", "quarantined"):
        table.add_row(f"  {verdict}", _share(result.rows(verdict), rows))
    for channel, count in sorted(by_channel.items()):
        if count:
            table.add_row(f"certified by {channel}", _share(count, people))
    table.add_row("tasks for grid members", _tasks(grid))
    found = ", ".join(f"{name} {count:,}" for name, count in sorted(result.visited.items()))
    table.add_row("visits paid", f"{sum(result.visited.values()):,}: {found}")
    stopped = f"payments stopped: {recognition['payments_stopped']:,}"
    table.add_row("suspicions → cases", f"{grid['cases_open'] + grid['cases_concluded']:,}, {stopped}")
    table.add_row("messages", f"{sum(notify['messages'].values()):,} (deliveries {notify['deliveries']})")
    most = max(result.peaks, key=lambda name: result.peaks[name])
    table.add_row("most memory of a service", f"{result.peaks[most] / 2**20:,.0f} MiB ({most})")
    return table


def _tasks(grid: Mapping[str, Any]) -> str:
    """How many there were, and of those still open why."""
    waiting = "".join(f", open as {reason} {count:,}" for reason, count in sorted(grid["tasks_open"].items()))
    return f"{sum(grid['tasks_open'].values()) + grid['tasks_closed']:,}: closed {grid['tasks_closed']:,}{waiting}"


def truth_table(accuracy: Accuracy) -> Table:
    """Answers beside what is true."""
    table = Table(title="Held against the truth", show_header=False, title_justify="left")
    table.add_row("certified, and alive", _share(accuracy.recognised_alive, accuracy.recognised))
    table.add_row("certified, and dead today", _share(accuracy.recognised_dead, accuracy.recognised))
    table.add_row("  seen in person before they died", f"{accuracy.recognised_dead_seen_before:,}")
    table.add_row("  seen by cards alone before they died", f"{accuracy.recognised_dead_cards_before:,}")
    table.add_row("  dead at as_of already", _share(accuracy.recognised_dead_at_as_of, accuracy.recognised))
    table.add_row("dead", f"{accuracy.dead:,}, in no register {accuracy.dead_unregistered:,}")
    registered = accuracy.dead_registered
    table.add_row("dead in a register: suspected", _share(accuracy.dead_registered_under_review, registered))
    for days in (30, 60, 90):
        within, dead = getattr(accuracy, f"within_{days}"), getattr(accuracy, f"dead_{days}")
        table.add_row(f"  of the dead: a file told within {days} days", _share(within, dead))
    table.add_row("under review, nothing lost", _share(accuracy.living_under_review, accuracy.people))
    table.add_row("not yet certified", _share(accuracy.not_yet, accuracy.people))
    table.add_row("certified by data alone", _share(accuracy.by_data, accuracy.people))
    for name, method in (("strong acts", "strong_only"), ("points added up", "points_only")):
        certified, dead = getattr(accuracy, method), getattr(accuracy, f"{method}_dead")
        table.add_row(f"  {name} would certify", f"{_share(certified, accuracy.people)}, of them dead {dead:,}")
    return table


def show(console: Console, result: Result) -> None:
    """Print the screen."""
    console.print(_flow(result))
    console.print(truth_table(result.accuracy))
    stages = "  ".join(f"{name} {seconds:.1f}s" for name, seconds in result.seconds.items())
    console.print(f"[dim]{stages}[/dim]")
    lines = [f"gateway    {result.urls['gateway']}"]
    lines += [
        f"{name:<10} {result.urls['gateway']}/api/{name}/docs"
        for name in ("ingest", "scoring", "grid", "recognition", "notify")
    ]
    lines += [f"messages   {result.urls.get('nats-monitor', '')}/jsz", f"data       {result.data}"]
    console.print(Panel("\n".join(lines), title="Look around", title_align="left", expand=False))


def write_figures(result: Result, path: Path) -> None:
    """Keep what the screen shows, for whoever compares two runs."""
    kept = {
        "accuracy": asdict(result.accuracy),
        "figures": result.figures,
        "seconds": dict(result.seconds),
        "through": result.through,
        "visited": dict(result.visited),
        "peaks": dict(result.peaks),
        "batches": dict(result.batches),
        "urls": dict(result.urls),
        "rows": {name: result.rows(name) for name in ("rows", "accepted", "duplicate", "out_of_window", "quarantined")},
    }
    path.write_text(json.dumps(kept, ensure_ascii=False, indent=1), encoding="utf-8")
