"""`make city`: a whole city through the platform, then by hand over the same files, person by person the same answer.

Prints the screen of `make demo`, the budgets beside what was measured, and how far the afternoon's work is ahead.
"""

import argparse
import asyncio
import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import numpy as np
from rich.console import Console
from rich.table import Table

from deploy.demo import screen
from deploy.demo.run import MORNING, DemoOptions, opened, through
from tests.bench import city_report
from tests.bench.machine import facts, load
from tests.bench.promises import CITY_RATIO, CITY_RECORDS, CITY_SECONDS, SERVICE_MIB, judged
from tests.bench.whole_by_hand import ByHand, run_by_hand


@dataclass(slots=True)
class Moments:
    """A `disturb` that disturbs nothing and notes when the files began and when the certification run was asked for."""

    files: datetime | None = None
    due: datetime | None = None

    def __call__(self, _stack: object, stage: str, _share: float) -> None:
        """Note a moment."""
        now = datetime.now(UTC)  # noqa: TID251  (the outbox is stamped by the wall clock)
        if stage == "files":
            self.files = now
        elif stage == "due" and self.due is None:
            self.due = now


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Both sides of one run.

    Attributes:
        seconds: from the first file of a source to the last certificate said.
        differing: people certified on one side only.
        hinted: of them those the platform holds back as a record without a number may mean them.
    """

    records: int
    seconds: float
    hand: ByHand
    certified: int
    differing: int
    hinted: int
    peaks: dict[str, float]
    stages: dict[str, float]


async def measure(options: DemoOptions, console: Console) -> Measured:
    """Run the city through the platform, and then by hand over the same files."""
    moments = options.disturb
    assert isinstance(moments, Moments)
    async with opened(options, console) as run:
        result = await through(run)
        run.progress.stop()
        screen.show(console, result)
        screen.write_figures(result, options.data / "figures.json")
        url = run.stack.database_url()
        ended, ours, hinted = await _certificates(url, moments)
        key = run.stack.secrets.subject_key
        # The platform stays up but idle meanwhile; the afternoon's work has the machine to itself.
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            hand = await asyncio.get_running_loop().run_in_executor(
                pool, run_by_hand, run.manifest, key, url, MORNING.date()
            )
    theirs = {row.tobytes() for row in hand.certified}
    assert moments.files is not None
    return Measured(
        records=result.rows("rows"), seconds=(ended - moments.files).total_seconds(), hand=hand, certified=len(ours),
        differing=len(ours ^ theirs), hinted=len((theirs - ours) & hinted), peaks={name: peak / 2**20 for name, peak in result.peaks.items()},
        stages=dict(result.seconds),
    )  # fmt: skip


async def _certificates(url: str, moments: Moments) -> tuple[datetime, set[bytes], set[bytes]]:
    """When the last certificate from data was on the bus, who is certifiable by what scoring knows, and who is in doubt by a
    record without a number alone.
    """
    connection = await asyncpg.connect(url)
    ended = await connection.fetchval(
        # A row bears the time its transaction began: that of a large one is long before its end.
        "SELECT max(published_at) FROM recognition.outbox WHERE subject LIKE 'recognition.certificates.issued.%' "
        "AND created_at < $1",
        moments.due,
    )
    people = await connection.fetch("SELECT subject FROM scoring.assessment WHERE decision = 'certifiable'")
    hinted = await connection.fetch(
        "SELECT subject FROM scoring.suspicion WHERE reasons = '{unidentified_record}' AND status = 'open'"
    )
    await connection.close()
    return ended, {row["subject"].bytes for row in people}, {row["subject"].bytes for row in hinted}


def failed(measured: Measured) -> bool:
    """Whether both sides disagree on anybody but those held back for a record without a number."""
    return measured.differing > measured.hinted


def table(measured: Measured) -> Table:
    """The budgets, beside what was measured."""
    made = Table(
        "figure", "ours", "by hand", "ratio", "budget", title="The same files, both ways", title_justify="left"
    )
    hand = measured.hand
    budget = CITY_SECONDS * measured.records / CITY_RECORDS
    met = measured.seconds <= min(budget, CITY_RATIO * hand.seconds)
    made.add_row(
        "files → every person decided and certified", f"{measured.seconds:,.1f} s", f"{hand.seconds:,.1f} s",
        f"{measured.seconds / hand.seconds:.2f}", f"≤ {budget:,.0f} s and ≤ {CITY_RATIO:g} ×: {judged(met)}",
    )  # fmt: skip
    made.add_row(
        "records a second", f"{measured.records / measured.seconds:,.0f}", f"{hand.rows / hand.seconds:,.0f}", "", ""
    )
    made.add_row(
        "  of it parsing, copying, certifying",
        "",
        f"{hand.parsing:,.1f} + {hand.copying:,.1f} + {hand.certifying:,.1f} s",
        "",
        "",
    )
    made.add_row(
        "people certified",
        f"{measured.certified:,}",
        f"{len(hand.certified):,}",
        "",
        # By hand nobody looks for whom a death record without a number may mean.
        f"{measured.differing:,} differ, {measured.hinted:,} of them held back for a record without a number",
    )
    for name, peak in measured.peaks.items():
        made.add_row(
            f"peak memory of {name}", f"{peak:,.0f} MiB", "", "", f"≤ {SERVICE_MIB} MiB: {judged(peak <= SERVICE_MIB)}"
        )
    return made


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.city", description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=2023)
    parser.add_argument("--data", type=Path, default=Path("var/city"))
    asked = parser.parse_args()
    os.environ.setdefault("WUGAN_LOG_LEVEL", "WARNING")
    console = Console()
    options = DemoOptions(
        data=asked.data, scale=asked.scale, seed=asked.seed, port_base=0, stay=False, disturb=Moments(),
        patience=6 * 3600.0,
    )  # fmt: skip
    began, load_before = time.monotonic(), load()
    measured = asyncio.run(measure(options, console))
    console.print(table(measured))
    told = {
        "scale": asked.scale, "seed": asked.seed, "machine": facts(asked.data), "records": measured.records,
        "day": f"{datetime.now(UTC):%Y-%m-%d}", "load": load_before,  # noqa: TID251  (when it was measured, not a business day)
        "seconds": measured.seconds, "stages": measured.stages, "peaks_mib": measured.peaks,
        "certified": measured.certified, "differing": measured.differing, "hinted": measured.hinted,
        "whole_run_seconds": time.monotonic() - began,
        "by_hand": {
            "rows": measured.hand.rows, "parsing": measured.hand.parsing, "copying": measured.hand.copying,
            "certifying": measured.hand.certifying, "roster": measured.hand.roster,
            "certified": int(np.shape(measured.hand.certified)[0]),
        },
    }  # fmt: skip
    city_report.add(told)
    return int(failed(measured))


if __name__ == "__main__":
    sys.exit(main())
