"""`make bench`: every figure beside its baseline from the same run, on the screen and in docs/benchmarks.md."""

import argparse
import asyncio
import logging
import multiprocessing
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import structlog
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from deploy.local import database as cluster
from deploy.local.stack import LocalStack, StackOptions
from shared.kit import migrations
from shared.kit.db import Database
from tests.bench import bus, by_hand, copying, grid, ingest, machine, notify, paying, report, serving, whole_city
from tests.bench.figures import Budget, Figure, figure
from tests.bench.scoring import PEOPLE, SIGNALS
from tests.services.recognition.world import NOW
from tests.support.servers import Servers, unused_name

_WIDTH = 150
_DOCS = Path(__file__).parents[2] / "docs"
_ASSESSED = "signals_assessed_anew_per_second_"
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What every section works with.

    Attributes:
        scale: size of the data; 1 is what the documents hold.
        folder: on the disk of the servers.
    """

    stack: LocalStack
    servers: Servers
    folder: Path
    scale: float

    def sized(self, count: int) -> int:
        return max(int(count * self.scale), 1000)

    def times(self, count: int) -> int:
        return count if self.scale >= 1 else 1

    @asynccontextmanager
    async def schemas(self, *names: str) -> AsyncIterator[tuple[Database, ...]]:
        """A database of its own with these services' migrated, empty schemas."""
        made = self.servers.create_database(unused_name())
        for name in names:
            await migrations.upgrade(name, made.url(name))
        opened = tuple(Database(made.url(name), schema=name, statement_seconds=600) for name in names)
        try:
            yield opened
        finally:
            for each in opened:
                await each.close()
            made.drop()


# ---- sections --------------------------------------------------------------------------------------------------------


async def _copy(bench: Bench) -> list[Figure]:
    async with bench.schemas("scoring", "ingest") as (scoring, taken):
        return await copying.measure(scoring, taken, count=bench.sized(copying.ROWS), times=bench.times(3))


async def _ingest(bench: Bench) -> list[Figure]:
    # Its processes find the bench's servers there, and so does everything it starts.
    os.environ["WUGAN_DATABASE_URL"] = bench.stack.database_url()
    try:
        rows = await asyncio.to_thread(ingest.rows, count=bench.sized(ingest.ROWS), people=bench.sized(ingest.PEOPLE))
    finally:
        del os.environ["WUGAN_DATABASE_URL"]
    return [_ingested(each) for each in rows]


def _rows_of_ingest(count: int, people: int) -> list[dict[str, object]]:
    # The service's log lines have no place beside a progress bar, and its processes write where this one does.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return ingest.rows(count=count, people=people)


def _ingested(row: Mapping[str, Any]) -> Figure:
    budget = None
    if row["target"] is not None:
        smaller_is_better = row["unit"] in ("MiB", "s", "ms")
        budget = Budget(of="ours", **{"most" if smaller_is_better else "least": row["target"]})
    name = str(row["name"]).removeprefix("ingest: ")
    return figure(name, row["unit"], row["value"], row["baseline_value"], budget=budget, note=row["baseline"])


async def _scoring(bench: Bench) -> list[Figure]:
    people, rows = bench.sized(PEOPLE), bench.sized(SIGNALS)
    async with bench.schemas("scoring") as (database,):
        with tempfile.TemporaryDirectory(dir=bench.folder) as said:
            job = by_hand.Job(url=_plain_url(database), people=people, rows=rows, folder=Path(said))
            await _alone(by_hand.said, job)
            ours, theirs = [await _alone(work, job) for work in (by_hand.ours, by_hand.theirs)]
    return _scored(ours, theirs)


def _plain_url(database: Database) -> str:
    return database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)


async def _city(bench: Bench) -> list[Figure]:
    people, rows = bench.sized(PEOPLE), bench.sized(SIGNALS)
    async with bench.schemas("scoring") as (database,):
        with tempfile.TemporaryDirectory(dir=bench.folder) as folder:
            return await whole_city.measure(
                _plain_url(database), Path(folder), people=people, rows=rows, times=bench.times(2)
            )


async def _alone(work: Callable[..., T], *args: object) -> T:
    """The result of work in a fresh process, so that its memory is its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return await asyncio.get_running_loop().run_in_executor(pool, work, *args)


def _scored(ours: Mapping[str, float], theirs: Mapping[str, float]) -> list[Figure]:
    def both(name: str) -> tuple[float, float]:
        return ours[name], theirs[name]

    certified = f"certified: ours {ours['certified']:,.0f}, by hand {theirs['certified']:,.0f}"
    statement = (
        "one INSERT … SELECT over the rows: newest strong act, else capped and decayed points with the thresholds; no "
        f"negatives, no reasons, no list of the evidence ({certified} people). Each side uses one core at a time"
    )
    made = [
        figure("signals heard and swept into sorted runs", "signals/s", *both("signals_merged_per_second"),
               note="the same messages by COPY into a temporary table and INSERT … ON CONFLICT, one transaction each. "
                    "Ours has formed and said every opinion by then, by hand none"),
        figure("bytes a signal", "bytes", *both("bytes"), note="table and primary key of the rows by hand"),
    ]  # fmt: skip
    for name, words in (("same_day", "nothing changes"), ("a_week_later", "a week later, opinions change")):
        speed = both(_ASSESSED + name)
        made.append(figure(f"a shard assessed anew, {words}", "signals/s", *speed, note=statement))
    made.append(figure("one record, heard and decided", "ms", ours["milliseconds_for_one_record"],
                       note="on top of the whole shard"))  # fmt: skip
    made.append(figure("peak memory of the process", "MiB", ours["peak_mib"], budget=Budget(of="ours", most=600),
                       note="hearing, sweeping and assessing a shard anew"))  # fmt: skip
    return made


async def _serving(bench: Bench) -> list[Figure]:
    effort = (
        serving.Effort() if bench.scale >= 1 else serving.Effort(times=1, seconds=min(max(20 * bench.scale, 0.2), 2.0))
    )
    return await serving.measure(bench.stack, bench.folder, people=bench.sized(serving.PEOPLE), effort=effort)


async def _paying(bench: Bench) -> list[Figure]:
    people, times = bench.sized(paying.PEOPLE), bench.times(2)
    return await paying.measure(bench.stack, bench.folder, people=people, times=times)


async def _grid(bench: Bench) -> list[Figure]:
    async with bench.schemas("grid") as (database,):
        return await grid.measure(database, people=bench.sized(grid.PEOPLE))


async def _bus(bench: Bench) -> list[Figure]:
    async with bench.schemas("ingest", "scoring") as (said_by, heard_by):
        url = bench.stack.nats_url()
        return await bus.measure(said_by, heard_by, url, scale=min(bench.scale, 1.0), times=bench.times(3))


async def _notify(bench: Bench) -> list[Figure]:
    async with bench.schemas("notify") as (database,):
        events = max(int(notify.EVENTS * bench.scale), 4)
        found = await asyncio.to_thread(notify.measured, _plain_url(database), bench.sized(notify.NOTICES), events)
    return [
        figure("notices written, merged and handed over", "notices/s", found["notices_per_second"],
               found["notices_per_second_by_hand"], budget=Budget(of="ours", least=2000),
               note="a queue table by hand to the same gateway, as many calls side by side: rows merged by key, a text that "
                    "is there already, the transaction open during the call; no rules, no sealed name, no lease, no inbox, "
                    f"no proof. Ours: written and merged {found['notices_written_and_merged_per_second']:,.0f}/s, "
                    f"handed {found['notices_handed_per_second']:,.0f}/s"),
        figure("a legal notice posted in their midst leaves after", "s", found["seconds_for_one_legal_notice"],
               budget=Budget(of="ours", most=2)),
        figure("webhooks to 31 endpoints", "posts/s", found["webhooks_per_second"], found["webhooks_per_second_bare"],
               budget=Budget(of="ours", least=500), note="httpx alone to the same receiver: no queue, no signature"),
        figure("from an event's commit to 31 webhooks heard", "ms", found["milliseconds_from_event_to_webhook"],
               note="median of ten, the loop asleep before"),
    ]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A group of figures; `about` says what is compared."""

    title: str
    about: str
    run: Callable[[Bench], Awaitable[list[Figure]]]


SECTIONS: Mapping[str, Section] = {
    "copy": Section(title="Keeping evidence", run=_copy, about=(
        "A million rows (subject, source, day, evidence id) committed in one transaction: as columnar segments "
        "(ADR 0009; encoding counts), as rows in a table without an index, as rows with a unique key.")),
    "ingest": Section(title="Ingest", run=_ingest, about=(
        "A CSV file of two million rows uploaded, checked, pseudonymised, committed as evidence and said in the outbox.")),
    "scoring": Section(title="Scoring", run=_scoring, about=(
        "One shard of the city: 85,000 people, 2.4 million signals in messages of up to 20,000.")),
    "city": Section(title="A whole city assessed anew", run=_city, about=(
        "Sixteen shards as above: every opinion of 1.36 million people on 38 million signals, measured on two cores.")),
    "grid": Section(title="Grid", run=_grid, about=(
        "Certifications due of 900,000 people in 135,711 grids of very different size, as messages of up to 20,000; their "
        "tasks opened, given to the members of their grids, and balanced within each village.")),
    "check": Section(title="Recognition", run=_serving, about=(
        "`POST /v1/recognitions:check` and `:batch` on 100,000 enrolled people, look-up and usage row in one statement that is "
        "committed before the answer leaves; the log is sealed meanwhile.")),
    "pay": Section(title="Whole programs and pay lists", run=_paying, about=(
        "`POST /v1/jobs` over a program of 1.36 million people and `POST /v1/payruns` with a CSV list of them all: from "
        "the request until the result file has been fetched, each person logged.")),
    "bus": Section(title="Messages", run=_bus, about=(
        "Table events from the transaction that says them to the commit of the one that hears them.")),
    "notify": Section(title="Notify", run=_notify, about=(
        "462,600 people certified twice on a day: messages written, merged, handed to a gateway in a process of its own; "
        "100 events posted to 31 endpoints.")),
}  # fmt: skip


# ---- running ---------------------------------------------------------------------------------------------------------


async def _run(names: Sequence[str], scale: float, console: Console) -> tuple[dict[str, list[Figure]], dict[str, str]]:
    found: dict[str, list[Figure]] = {}
    loads: list[str] = []
    columns = (SpinnerColumn(), TextColumn("{task.description:<20}"), BarColumn(), TimeElapsedColumn())
    with tempfile.TemporaryDirectory() as kept, Progress(*columns, console=console) as progress:
        shown = progress.add_task("starting servers", total=len(names))
        options = StackOptions(data=Path(kept) / "stack", port_base=0, services=("recognition",), gateway=False,
                               database_url=None, nats_url=None, clock_at=NOW)  # fmt: skip
        async with LocalStack(options) as stack:
            await stack.stop_process("recognition")
            facts = machine.facts(Path(kept)) | await machine.server_facts(stack.database_url())
            server = cluster.parse_url(stack.database_url())[0]
            servers = Servers(postgres=server, nats_url=stack.nats_url(), nats_urls={}, nats_monitor=0)
            bench = Bench(stack=stack, servers=servers, folder=Path(kept), scale=scale)
            for name in names:
                progress.update(shown, description=SECTIONS[name].title)
                loads.append(f"{machine.load().split()[0]} before {SECTIONS[name].title}")
                found[SECTIONS[name].title] = await SECTIONS[name].run(bench)
                progress.advance(shown)
            progress.update(shown, description="stopping servers")
        progress.update(shown, description="done")
    told = f"{', '.join(loads)}, {machine.load().split()[0]} at the end (of one minute, our own work included)"
    return found, facts | {"load average": told}


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", default=",".join(SECTIONS), help=f"sections, of {','.join(SECTIONS)}")
    parser.add_argument("--scale", type=float, default=1.0, help="size of the data and number of runs; 1 is whole")
    parser.add_argument("--date", default="", help="day the documents name; that of the newest commit otherwise")
    parser.add_argument("--strict", action="store_true", help="end with 1 where a budget is missed")
    chosen = parser.parse_args(argv)
    chosen.names = chosen.only.split(",")
    if unknown := set(chosen.names) - set(SECTIONS):
        parser.error(f"no section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    return chosen


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, show, and write the documents when everything was measured in full."""
    chosen, console = _options(argv), Console()
    if not console.is_terminal:
        console = Console(width=_WIDTH)
    logging.basicConfig(level=logging.ERROR)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    found, facts = asyncio.run(_run(chosen.names, chosen.scale, console))
    console.print(report.table(found))
    missed = report.say_missed(console, found)
    if chosen.scale >= 1 and set(chosen.names) == set(SECTIONS):
        day = {"date": chosen.date or machine.day_of_the_code() or "unknown"}
        report.write(_DOCS, found, day | facts, {each.title: each.about for each in SECTIONS.values()})
        console.print("written to docs/benchmarks.md and docs/benchmarks.json")
    else:
        console.print("not written: a part, or smaller data")
    return 1 if missed and chosen.strict else 0


if __name__ == "__main__":
    sys.exit(main())
