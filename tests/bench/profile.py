"""`make profile`: where a city's time goes, by process, function, statement and stream, and the most memory; written to docs/profile.md.

A sampler looks into each service twenty times a second, PostgreSQL counts its statements, JetStream its messages.
"""

import argparse
import asyncio
import os
import re
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import asyncpg
import httpx
from rich.console import Console

from deploy.demo.run import SERVICES, DemoOptions, Run, opened, through
from deploy.demo.screen import Result
from tests.bench.machine import day_of_the_code, facts, load
from tests.bench.promises import SERVICE_MIB, judged

PAGE = Path(__file__).parents[2] / "docs" / "profile.md"
_TICK = os.sysconf("SC_CLK_TCK")
_MOST, _WIDTH = 12, 150
_STATEMENTS = r"""
SELECT r.rolname AS role, s.calls, s.total_exec_time / 1000 AS seconds, s.rows,
       regexp_replace(s.query, '\s+', ' ', 'g') AS text
FROM pg_stat_statements s JOIN pg_roles r ON r.oid = s.userid
ORDER BY s.total_exec_time DESC LIMIT $1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What was found.

    Attributes:
        processors: seconds of processor by process.
        functions: by service, the share of its samples in each function of ours, what it calls elsewhere included.
        statements: the dearest ones.
        streams: messages and bytes of each stream.
    """

    result: Result
    processors: Mapping[str, float]
    functions: Mapping[str, Sequence[tuple[str, float]]]
    statements: Sequence[asyncpg.Record]
    streams: Sequence[Mapping[str, Any]]


@asynccontextmanager
async def _sampled(run: Run, spy: Path, folder: Path) -> AsyncIterator[None]:
    """A sampler beside each service while the block runs."""
    samplers = []
    for name in SERVICES:
        words = ("record", "--rate", "20", "--duration", "360000", "--format", "raw", "--output", str(folder / name))
        samplers.append(
            await asyncio.create_subprocess_exec(
                str(spy),
                *words,
                "--pid",
                str(run.stack.children[name].pid),
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )
        )
    try:
        yield
    finally:
        for each in samplers:
            each.send_signal(signal.SIGINT)  # it writes what it has
        await asyncio.gather(*(each.wait() for each in samplers))


def functions(samples: str) -> list[tuple[str, float]]:
    """Share of samples by the innermost function of ours; waiting for events is nobody's work and left out."""
    found: Counter[str] = Counter()
    for line in samples.splitlines():
        stack, _, count = line.rpartition(" ")
        ours = [frame for frame in stack.split(";") if "services/" in frame or "shared/" in frame]
        if ours and not stack.endswith(("(asyncio/runners.py:118)", "(concurrent/futures/thread.py:81)")):
            found[re.sub(r":\d+\)$", ")", ours[-1])] += int(count)
    whole = sum(found.values()) or 1
    waiting = {name for name in found if name.startswith(("serve (", "main (", "<module> ("))}
    return [(name, count / whole) for name, count in found.most_common() if name not in waiting][:_MOST]


def _processor(pid: int) -> float:
    """Seconds of processor of a process and of its ended children."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / _TICK


def _processors(run: Run) -> dict[str, float]:
    found = {name: _processor(child.pid) for name, child in run.stack.children.items() if child.pid}
    # A server process for each connection, alive until the services go.
    server = run.stack.children["postgres"].pid
    for each in Path("/proc").glob("[0-9]*/stat"):
        fields = each.read_text(encoding="utf-8").rpartition(")")[2].split()
        if int(fields[1]) == server:
            found["postgres"] += _processor(int(each.parent.name))
    return found


async def profiled(options: DemoOptions, spy: Path, console: Console) -> Profile:
    """Run the city under the samplers."""
    with TemporaryDirectory() as kept:
        async with opened(options, console) as run:
            connection = await asyncpg.connect(run.stack.database_url())
            await connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
            async with _sampled(run, spy, Path(kept)):
                result = await through(run)
            run.progress.stop()
            statements = await connection.fetch(_STATEMENTS, _MOST)
            await connection.close()
            async with httpx.AsyncClient() as client:
                said = (await client.get(f"{run.stack.urls['nats-monitor']}/jsz", params={"streams": "true"})).json()
            streams = [each for account in said["account_details"] for each in account.get("stream_detail", [])]
            processors = _processors(run)
        found = {name: functions((Path(kept) / name).read_text(encoding="utf-8")) for name in SERVICES}
    return Profile(result=result, processors=processors, functions=found, statements=statements, streams=streams)


def write(made: Profile, about: Mapping[str, str], to: Path = PAGE) -> None:
    """The page."""
    rows = made.result.rows("rows")
    said = [
        "# Where the time goes\n",
        "Made by `make profile`; do not edit. The demo city through the five services under a sampler (py-spy, 20 looks a",
        "second into each), PostgreSQL's pg_stat_statements and JetStream's own figures. The samplers cost some of it.\n",
        *(f"* {name}: {value}" for name, value in about.items()),
        f"* rows: {rows:,} in {made.result.through:.1f} s",
        "\n## Processor, by process\n\n| process | seconds | µs a row |\n|---|---:|---:|",
        *(f"| {name} | {used:.1f} | {1e6 * used / rows:.1f} |" for name, used in
          sorted(made.processors.items(), key=lambda each: -each[1])),
        f"\n## Memory, by service\n\nThe most each had by the end, of {SERVICE_MIB} MiB.\n\n| service | most | |\n|---|---:|---|",
        *(f"| {name} | {peak / 2**20:,.0f} MiB | {judged(peak <= SERVICE_MIB * 2**20)} |" for name, peak in
          sorted(made.result.peaks.items(), key=lambda each: -each[1])),
        "\n## Functions, by service\n\nShare of the samples in which a service worked; what a function calls in libraries is its own.\n",
        "| service | function | share |\n|---|---|---:|",
        *(f"| {name} | `{function}` | {share:.1%} |" for name, found in made.functions.items() for function, share in found[:6]),
        "\n## Statements\n\n| role | calls | seconds | rows | statement |\n|---|---:|---:|---:|---|",
        *(f"| {each['role']} | {each['calls']:,} | {each['seconds']:.1f} | {each['rows']:,} | `{_short(each['text'])}` |"
          for each in made.statements),
        "\n## Streams\n\n| stream | messages | MiB | bytes a row of the city |\n|---|---:|---:|---:|",
        *(f"| {each['name']} | {each['state']['messages']:,} | {each['state']['bytes'] / 2**20:.1f} "
          f"| {each['state']['bytes'] / rows:.1f} |" for each in made.streams),
    ]  # fmt: skip
    to.write_text("\n".join(said) + "\n", encoding="utf-8")


def _short(text: str) -> str:
    return (text if len(text) <= _WIDTH else f"{text[:_WIDTH]} …").replace("|", "\\|")


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.profile", description=__doc__)
    parser.add_argument("--scale", type=float, default=0.1)
    parser.add_argument("--spy", type=Path, required=True, help="the py-spy to use")
    asked = parser.parse_args()
    os.environ.setdefault("WUGAN_LOG_LEVEL", "WARNING")
    before = load()
    with TemporaryDirectory(dir="var") as folder:
        options = DemoOptions(data=Path(folder), scale=asked.scale, port_base=0, stay=False, patience=6 * 3600.0)
        made = asyncio.run(profiled(options, asked.spy, Console()))
        write(
            made, {"day": day_of_the_code(), "scale": f"{asked.scale:g}", "load before": before, **facts(Path(folder))}
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
