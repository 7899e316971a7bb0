"""`make scaling`: one city with one and two processes a service, and on three NATS servers of which one is killed.

At one, ten and all of a hundred parts of the city; three servers at the first two. Each run has servers and folders of
its own, and all of a scale end with the same answers, or the command ends with 1. What was run before with the same code
is kept in a folder and not run again; scales that are whole are written to docs/scaling.md, with a plot.
"""

import argparse
import asyncio
import json
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

from deploy.demo.run import SERVICES, DemoOptions, Run, opened, through
from deploy.demo.truth import Accuracy
from deploy.local.folder import DataFolder
from deploy.local.secrets import load_or_make
from deploy.local.stack import LocalStack
from tests.bench.machine import facts, version_of_the_code
from tests.support.cluster import Cluster, clustered

DOCS = Path(__file__).parents[2] / "docs"
SCALES = (0.01, 0.1, 1.0)
PATIENCE = 6 * 3600.0
"""Seconds a run may take: the whole city on three servers that share one disk is at it for long."""
_LARGEST_CLUSTERED = 0.1
"""Three copies of the whole city's messages on the one disk would measure that disk, for hours."""
_KILLED = "INGEST"
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One way to run the city.

    Attributes:
        workers: processes of each service.
        servers: of NATS; each message has as many copies.
        kills: whether the server that leads ingest's stream is killed, for good, when half of the files are in.
    """

    name: str
    workers: int = 1
    servers: int = 1
    kills: bool = False


VARIANTS = (
    Variant(name="1 process a service, 1 NATS server"),
    Variant(name="2 processes a service, 1 NATS server", workers=2),
    Variant(name="1 process a service, 3 NATS servers", servers=3),
    Variant(name="1 process a service, 3 NATS servers, one killed", servers=3, kills=True),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one run took.

    Attributes:
        seconds: from the first upload until everybody was certified and nothing was under way.
        processor: seconds of processors in the services alone.
    """

    variant: str
    scale: float
    rows: int
    seconds: float
    processor: float
    accuracy: Mapping[str, Any]

    @property
    def rate(self) -> float:
        """Rows a second."""
        return self.rows / self.seconds


def tried_at(scale: float, variants: Sequence[Variant]) -> list[Variant]:
    """Those of the ways that are run at a scale."""
    return [each for each in variants if each.servers == 1 or scale <= _LARGEST_CLUSTERED]


class Kept:
    """Runs of one version of the code, in a file, so that a series that was broken off goes on."""

    def __init__(self, file: Path, code: str) -> None:
        self._file = file
        self.code = code
        known = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        self._found = [Measured(**each) for each in known.get("runs", ())] if known.get("code") == code else []

    @property
    def found(self) -> list[Measured]:
        """All of them, the smallest scale first, in the order of the variants."""
        names = [each.name for each in VARIANTS]
        return sorted(self._found, key=lambda each: (each.scale, names.index(each.variant)))

    def holds(self, variant: Variant, scale: float) -> bool:
        """Whether this was run."""
        return any((each.variant, each.scale) == (variant.name, scale) for each in self._found)

    def whole(self) -> list[Measured]:
        """All of the scales at which every variant was run."""
        done = {each for each in SCALES if all(self.holds(variant, each) for variant in tried_at(each, VARIANTS))}
        return [each for each in self.found if each.scale in done]

    def add(self, one: Measured) -> None:
        """Keep one more run."""
        self._found.append(one)
        known = {"code": self.code, "runs": [asdict(each) for each in self._found]}
        draft = self._file.with_suffix(".draft")
        draft.write_text(json.dumps(known, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        draft.replace(self._file)

    def unlike(self) -> list[Measured]:
        """Runs that ended with other answers than the first of their scale."""
        first: dict[float, Measured] = {}
        return [each for each in self.found if each.accuracy != first.setdefault(each.scale, each).accuracy]


class Killer:
    """A `disturb` that kills the leader of a stream for good, once half of the files are in."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.done: asyncio.Task[None] | None = None

    def __call__(self, _stack: LocalStack, stage: str, share: float) -> None:
        """Kill when it is time."""
        if self.done is None and stage == "sources" and share >= 0.5:
            self.done = asyncio.create_task(self._kill())

    async def _kill(self) -> None:
        self._cluster.leave_dead(await self._cluster.leader(_KILLED))


@asynccontextmanager
async def _servers(variant: Variant, folder: Path) -> AsyncIterator[Cluster | None]:
    if variant.servers == 1:
        yield None
        return
    # The stack makes its passwords when it starts; the cluster must know them before.
    kept = DataFolder(folder / "stack")
    kept.open(fresh=False, min_free_bytes=0)
    passwords = load_or_make(kept.secrets).users
    kept.close()
    async with clustered(folder / "cluster", passwords) as cluster:
        yield cluster


async def measure(variant: Variant, scale: float, city: Path, console: Console) -> Measured:
    """One run."""
    with tempfile.TemporaryDirectory(dir=city.parent) as temporary:
        folder = Path(temporary)
        options = DemoOptions(
            data=folder, scale=scale, port_base=0, stay=False, workers=dict.fromkeys(SERVICES, variant.workers),
            patience=PATIENCE,
        )  # fmt: skip
        shutil.copytree(city, folder / city.name)
        async with _servers(variant, folder) as cluster:
            killer = Killer(cluster) if cluster and variant.kills else None
            if cluster:
                told = {
                    "WUGAN_STREAM_REPLICAS": str(variant.servers), "WUGAN_NATS_MONITOR_URLS": cluster.monitors,
                }  # fmt: skip
                options = replace(options, nats_url=cluster.url, environment=told, disturb=killer)
            async with opened(options, console) as run:
                result = await through(run)
                if killer:
                    assert killer.done
                    await killer.done
                return Measured(
                    variant=variant.name, scale=scale, rows=result.rows("rows"), seconds=result.through,
                    processor=_processor(run), accuracy=asdict(result.accuracy),
                )  # fmt: skip


def _processor(run: Run) -> float:
    """Seconds of processors the services' processes have used."""
    pids = [child.pid for name, child in run.stack.children.items() if name.partition("-")[0] in SERVICES]
    used = 0.0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        used += (int(fields[11]) + int(fields[12])) / _TICK
    return used


def table(found: Sequence[Measured]) -> Table:
    """For a terminal."""
    made = Table(title="One city, scaled", title_justify="left")
    for name in ("scale", "run", "rows", "through", "rows/s", "µs a row", "processor µs a row"):
        made.add_column(name, justify="left" if name == "run" else "right")
    for row in _rows(found):
        made.add_row(*row)
    return made


def _rows(found: Sequence[Measured]) -> list[tuple[str, ...]]:
    return [
        (
            f"{each.scale:g}",
            each.variant,
            f"{each.rows:,}",
            f"{each.seconds:.1f} s",
            f"{each.rate:,.0f}",
            f"{1e6 * each.seconds / each.rows:.1f}",
            f"{1e6 * each.processor / each.rows:.1f}",
        )
        for each in found
    ]


def write(to: Path, found: Sequence[Measured], about: Mapping[str, str]) -> None:
    """scaling.md, .json and .svg."""
    text = (
        "# Scaling\n\nMade by `make scaling`; do not edit. The whole way of `make demo`: files of 26 departments in, everybody"
        " certified, nothing under way.\nAll runs of a scale end with the same answers about every person.\n\n"
    )
    text += "".join(f"* {name}: {value}\n" for name, value in about.items())
    text += "\n| scale | run | rows | through | rows/s | µs a row | processor of the services, µs a row |\n"
    text += "|---:|---|---:|---:|---:|---:|---:|\n"
    text += "".join("| " + " | ".join(row) + " |\n" for row in _rows(found))
    text += (
        "\n![rows a second by run](scaling.svg)\n\nOn a machine whose processors one process a service already fills, more processes"
        " add nothing but their own cost;\nwhat they are for is more machines, and that one may die. Three servers of NATS write each"
        " message three times, here to\nthe same disk; the whole city was not tried with them. The killed server leads the"
        " stream of what ingest says: its\nfollowers elect another while everything waits.\n"
    )
    (to / "scaling.md").write_text(text, encoding="utf-8")
    raw = {"machine": dict(about), "runs": [asdict(each) for each in found]}
    (to / "scaling.json").write_text(json.dumps(raw, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    _plot(to / "scaling.svg", found)


def _plot(path: Path, found: Sequence[Measured]) -> None:
    mpl.rcParams["svg.hashsalt"] = "wugan"
    figure = Figure(figsize=(9, 0.6 + 0.5 * len(found)), layout="constrained")
    axes = figure.subplots()
    names = [f"{each.variant} (scale {each.scale:g})" for each in found]
    bars = axes.barh(names, [each.rate for each in found], color="#4477aa")
    axes.bar_label(bars, [f"{each.rate:,.0f}" for each in found], padding=3)
    axes.invert_yaxis()
    axes.set_xlabel("rows a second, files in → everybody certified")
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.12)
    figure.savefig(path, metadata={"Date": None})


async def scaling(
    scales: Sequence[float], folder: Path, chosen: Sequence[Variant], kept: Kept, console: Console
) -> int:
    """Run what has not been run yet; 1 where answers differ."""
    for scale in scales:
        missing = [each for each in tried_at(scale, chosen) if not kept.holds(each, scale)]
        city = await _city(scale, folder) if missing else folder
        for variant in missing:
            console.print(f"scale {scale:g}: {variant.name} …")
            one = await measure(variant, scale, city, Console(quiet=True))
            kept.add(one)
            console.print(f"  {one.seconds:.1f} s, {one.rate:,.0f} rows/s")
    console.print(table(kept.found))
    if whole := kept.whole():
        write(DOCS, whole, {"code": kept.code[:12], **facts(folder)})
    unlike = kept.unlike()
    for each in unlike:
        console.print(f"[red]other answers[/red]: {each.variant} at {each.scale:g}: {Accuracy(**each.accuracy)}")
    return min(1, len(unlike))


async def _city(scale: float, folder: Path) -> Path:
    """The files, made once for all runs."""
    city = folder / f"city-{scale:g}-2023"
    words = ["generate", "--quiet", "--out", str(city), "--scale", str(scale), "--seed", "2023"]
    made = await asyncio.create_subprocess_exec(sys.executable, "-m", "deploy.demo.city.cli", *words)
    assert await made.wait() == 0
    return city


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.scaling", description=__doc__)
    parser.add_argument("--scale", type=float, nargs="+", default=list(SCALES))
    parser.add_argument("--only", default="", help="runs whose name holds this word")
    parser.add_argument("--folder", type=Path, default=Path("var/scaling"), help="keeps what was run")
    asked = parser.parse_args()
    chosen = [each for each in VARIANTS if asked.only in each.name]
    asked.folder.mkdir(parents=True, exist_ok=True)
    kept = Kept(asked.folder / "runs.json", version_of_the_code())
    with tempfile.TemporaryDirectory(dir=asked.folder) as temporary:
        return asyncio.run(scaling(asked.scale, Path(temporary), chosen, kept, Console(width=150)))


if __name__ == "__main__":
    sys.exit(main())
