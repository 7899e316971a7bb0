"""`wugan demo`: a city is made, sent through the five services as departments would, and held against its own truth."""

import asyncio
import contextlib
import signal
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import httpx
from rich.console import Console
from rich.progress import Progress, TaskID

from deploy.demo import bars, screen, truth, visits, way
from deploy.demo.city.manifest import MANIFEST, TRUTH, CityFile, Manifest, NotACityError, read_manifest
from deploy.demo.client import Client, RefusedError, client
from deploy.local.clients import ClientCard
from deploy.local.database import parse_url
from deploy.local.errors import DemoNatsError, StackError
from deploy.local.processes import peak_memory
from deploy.local.stack import LocalStack, StackOptions
from shared.kit.clock import wall
from shared.kit.problems import ProblemError

SERVICES = ("ingest", "scoring", "grid", "recognition", "notify")
MORNING = datetime(2023, 11, 1, 1, 0, tzinfo=UTC)  # nine in Shanghai
DATABASE = "wugan_demo"
_AT_ONCE = 3

T = TypeVar("T")
Disturb = Callable[[LocalStack, str, float], object]


class Kills:
    """A `disturb` that ends processes with SIGKILL, one after the other, spread evenly over a stage.

    Args:
        names: e.g. `scoring`, `nats`; each starts again by itself.
        stage: in which of the stages.
    """

    def __init__(self, names: Sequence[str], stage: str = "sources") -> None:
        self._names, self._stage = tuple(names), stage
        self.done = 0

    def __call__(self, stack: LocalStack, stage: str, share: float) -> None:
        """Kill the next of the processes whose turn has come."""
        while stage == self._stage and self.done < len(self._names) and share > self._turn():
            stack.kill(self._names[self.done])
            self.done += 1

    def _turn(self) -> float:
        return (self.done + 1) / (len(self._names) + 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """What the demo is asked for.

    Attributes:
        scale: 1 is the city of the press report.
        disturb: told after each step what goes on and which share of it is done; may break parts of the stack.
        stay: keep everything up at the end.
        traces: services print their spans, and the way of one more row is shown.
        sources: only the files of these sources; None is all fifty.
        durable: False trades safety at power loss for speed, for tests.
        database_url: an administrator of a PostgreSQL that runs already, and a database there that the demo may empty;
            None starts our own, whatever the environment names.
        nats_url: a NATS that runs already, and is as empty as the database; None starts our own.
        starts: business time at the start.
        rolling: whether certifications end all through the year instead of all at once.
        clients: callers beside those every local stack knows.
        environment: variables for every service process.
        patience: how long to wait at most until all is quiet, seconds.
        workers: processes of a service where not one.
    """

    data: Path
    scale: float = 0.01
    seed: int = 2023
    port_base: int = 8000
    stay: bool = True
    traces: bool = False
    disturb: Disturb | None = None
    sources: frozenset[str] | None = None
    durable: bool = True
    database_url: str | None = None
    nats_url: str | None = None
    starts: datetime = MORNING
    rolling: bool = False
    clients: tuple[ClientCard, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    patience: float = 600.0
    workers: Mapping[str, int] = field(default_factory=dict)

    @property
    def city(self) -> Path:
        """Folder of the generated city."""
        return self.data / f"city-{self.scale:g}-{self.seed}{'-rolling' if self.rolling else ''}"


@dataclass(slots=True)
class Run:
    """What is known while the demo goes on."""

    options: DemoOptions
    console: Console
    progress: Progress
    stack: LocalStack
    client: Client
    city: Path
    manifest: Manifest
    seconds: dict[str, float] = field(default_factory=dict)
    batches: dict[str, dict[str, Any]] = field(default_factory=dict)

    def reached(self, stage: str, share: float) -> None:
        """Say how far a stage is to whoever wants to disturb it."""
        if self.options.disturb:
            self.options.disturb(self.stack, stage, share)

    @asynccontextmanager
    async def stage(self, name: str, total: float | None) -> AsyncIterator[TaskID]:
        """One bar; its time is kept under its name."""
        task, started = bars.begin(self.progress, name, total), wall()
        yield task
        self.seconds[name] = wall() - started
        if total is None:
            self.progress.update(task, total=1, completed=1)


class CityError(StackError):
    """The city could not be made, or is not whole."""


def database_of(environment: Mapping[str, str]) -> str | None:
    """URL of the demo's own database on the PostgreSQL the environment names; None where it names none.

    Each demo starts with empty schemas, so it never works in the database of the URL, which may be a city's real one.
    Roles are named after the database: those of another one keep their passwords.

    Raises:
        DemoNatsError: a NATS is named, which we could not start anew.
        DatabaseUrlError: the URL is none.
    """
    if environment.get("WUGAN_NATS_URL"):
        raise DemoNatsError
    url = environment.get("WUGAN_DATABASE_URL")
    return parse_url(url)[0].url(DATABASE) if url else None


def stack_options(options: DemoOptions) -> StackOptions:
    """The stack of a demo; its servers are those of `options`, never those of the environment."""
    return StackOptions(
        data=options.data / "stack",
        port_base=options.port_base,
        fresh=options.nats_url is None,
        clock_at=options.starts,
        clients=options.clients,
        sandbox=True,
        durable=options.durable,
        database_url=options.database_url,
        nats_url=options.nats_url,
        workers=options.workers,
        environment={**options.environment, **({"WUGAN_TRACES": "console"} if options.traces else {})},
    )


@asynccontextmanager
async def opened(options: DemoOptions, console: Console) -> AsyncIterator[Run]:
    """A city and a running stack, ready for `through`; everything is stopped at the end, the data stay."""
    city = options.city
    if (city / MANIFEST).exists():
        _whole(city)  # before anything is started for it
    stack = LocalStack(stack_options(options))
    with bars.bars(console) as progress:
        async with _meanwhile(_make_city(progress, options, city)) as making, stack:
            key = stack.client_key("demo-operator")
            manifest = await making
            issuer = f"{stack.urls['gateway']}/api/recognition"
            async with client(stack.urls["gateway"], issuer, key.client_id, key.key_file) as caller:
                yield Run(options, console, progress, stack, caller, city, manifest)


async def demo(options: DemoOptions) -> screen.Result:
    """Run the demo once and return what the last screen shows."""
    console = Console()
    async with opened(options, console) as run:
        result = await through(run)
        run.progress.stop()
        screen.show(console, result)
        screen.write_figures(result, options.data / "figures.json")
        if options.traces:
            console.print((await way.follow(run.stack, run.client, run.city / TRUTH, options.data)).table())
        if options.stay and sys.stdin.isatty() and console.is_terminal:
            await _stay(console, run.stack)
    return result


@asynccontextmanager
async def _meanwhile(work: Coroutine[Any, Any, T]) -> AsyncIterator[asyncio.Task[T]]:
    """A task that ends with the block at the latest."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        # Its own failure was told to whoever awaited it; if nobody did, the block failed first.
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()


async def _make_city(progress: Progress, options: DemoOptions, city: Path) -> Manifest:
    task = bars.begin(progress, "making the city", None)
    if not (city / MANIFEST).exists():
        # In a process of its own: it is work for a processor, and the stack starts meanwhile.
        words = [sys.executable, "-m", "deploy.demo.city.cli", "generate", "--quiet", "--out", str(city)]
        words += [
            "--scale",
            str(options.scale),
            "--seed",
            str(options.seed),
            *(["--rolling"] if options.rolling else []),
        ]
        process = await asyncio.create_subprocess_exec(*words, stderr=asyncio.subprocess.PIPE)
        try:
            _, said = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            raise CityError(said.decode(errors="replace").strip()[-300:].removeprefix("wugan city: "))
    manifest = _whole(city)
    progress.update(task, total=1, completed=1, rate=f"{manifest.people:,} people")
    return manifest


def _whole(city: Path) -> Manifest:
    try:
        manifest = read_manifest(city)
    except NotACityError as error:
        msg = f"{city / MANIFEST} cannot be read: remove {city}, and the demo makes it anew."
        raise CityError(msg) from error
    for path in (TRUTH, *(file.path for file in manifest.files)):
        if not (city / path).is_file():
            msg = f"{city / path} is gone: remove {city}, and the demo makes it anew."
            raise CityError(msg)
    return manifest


async def through(run: Run) -> screen.Result:
    """Send the city through the platform and ask it what it knows.

    Raises:
        StackError: a process of the stack cannot be kept running.
    """
    async with _meanwhile(run.stack.watch()) as watching, _meanwhile(_through(run)) as going:
        await asyncio.wait({watching, going}, return_when=asyncio.FIRST_COMPLETED)
        if not going.done():
            watching.result()
        return await going


async def _through(run: Run) -> screen.Result:
    chosen = run.options.sources
    files = [file for file in run.manifest.files if file.kind != "source" or chosen is None or file.code in chosen]
    started = wall()
    await _grids(run, [file for file in files if file.kind == "grids"])
    await _rosters(run, [file for file in files if file.kind == "roster"])
    await _quiet(run, "rosters heard by all services")
    await _sources(run, [file for file in files if file.kind == "source"])
    await _quiet(run, "people certified")
    through = wall() - started
    await _due(run)
    await _quiet(run, "tasks and notices")
    async with run.stage("visits by grid members", None) as task:
        visited = await visits.pay(run.client, run.city, told=partial(_visited, run, task))
    await _quiet(run, "visits heard")
    people = truth.read_truth(run.city / TRUTH)
    async with run.stage("asking as a partner would", len(people)) as task:
        answered = await truth.ask(run.client, people, told=lambda n: run.progress.advance(task, n))
    figures = {name: await run.client.call("GET", name, "/v1/figures") for name in SERVICES}
    return screen.Result(
        manifest=run.manifest,
        seconds=run.seconds,
        through=through,
        batches=run.batches,
        figures=figures,
        accuracy=truth.compare(answered, by_data=figures["recognition"]["certified_people"].get("data", 0)),
        visited=visited,
        peaks={name: peak_memory(run.stack.children[name].pid) for name in SERVICES},
        urls=run.stack.urls,
        data=run.options.data,
    )


def _visited(run: Run, task: TaskID, count: int, share: float) -> None:
    run.progress.advance(task, count)
    run.reached("visits", share)


async def _grids(run: Run, files: list[CityFile]) -> None:
    async with run.stage("grids and their people", len(files)) as task:
        for file in files:
            await run.client.upload("grid", "/v1/grids:import", run.city / file.path)
            run.progress.advance(task)


async def _rosters(run: Run, files: list[CityFile]) -> None:
    total, done = sum(file.rows for file in files), 0
    async with run.stage("31 rosters", total) as task:
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(file: CityFile) -> None:
            nonlocal done
            async with gate:
                await run.client.upload("ingest", f"/v1/programs/{file.code}/roster", run.city / file.path, mode="full")
            run.progress.advance(task, file.rows)
            done += file.rows
            run.reached("rosters", done / total)

        await asyncio.gather(*(one(file) for file in files))


async def _sources(run: Run, files: list[CityFile]) -> None:
    lanes: dict[str, list[CityFile]] = defaultdict(list)
    for file in files:
        lanes[file.code].append(file)
    gate, started, done = asyncio.Semaphore(_AT_ONCE), wall(), 0
    total = sum(file.rows for file in files)

    run.reached("files", 0.0)
    async with run.stage("files of 26 departments", total) as task:

        async def lane(ordered: list[CityFile]) -> None:
            nonlocal done
            for file in ordered:  # a later file of a source repeats rows of an earlier one
                async with gate:
                    said = await run.client.upload("ingest", f"/v1/sources/{file.code}/batches", run.city / file.path)
                run.batches[file.path] = said
                done += file.rows
                rate = done / max(wall() - started, 1e-6)
                run.progress.update(task, advance=file.rows, rate=f"{rate:,.0f} rows/s")
                run.reached("sources", done / total)

        await asyncio.gather(*(lane(ordered) for ordered in lanes.values()))


async def _due(run: Run) -> None:
    async with run.stage("monthly certification run", None):
        await run.client.call("POST", "recognition", "/v1/certification-runs", body={})
    run.reached("due", 1.0)


async def _quiet(run: Run, name: str) -> None:
    most = 1
    async with run.stage(name, None) as task:

        def told(left: int) -> None:
            nonlocal most
            most = max(most, left)
            run.progress.update(task, total=most, completed=most - left)

        await run.client.quiet(SERVICES, told=told, seconds=run.options.patience)


async def _stay(console: Console, stack: LocalStack) -> None:
    console.print("Everything stays up; Ctrl-C stops it and leaves the data.")
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(each, ended.set)
    watching = asyncio.create_task(stack.watch())
    waiting = asyncio.create_task(ended.wait())
    await asyncio.wait({watching, waiting}, return_when=asyncio.FIRST_COMPLETED)
    for task in (watching, waiting):
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def main(options: DemoOptions) -> int:
    """Run the demo from the command line; returns the exit code."""
    try:
        asyncio.run(demo(options))
    except (RefusedError, ProblemError, TimeoutError, httpx.HTTPError) as error:
        sys.stderr.write(f"wugan demo: {error}\n")
        return 1
    return 0
