"""`make chaos`: a small city, one fault a run, held against undisturbed runs; ends with its own table.

Undisturbed runs tell which columns the city decides (ids, instants and the order of batches are chance); in these every
disturbed run must be their equal, table by table, row by row. With `--folder` a series that was broken off is gone on with,
by the same code only; a fault that failed is run once more, and both runs stand in the table: once failed is failed.
"""

import argparse
import asyncio
import random
import shutil
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from tests.bench.machine import version_of_the_code
from tests.chaos import city, report
from tests.chaos.digest import agreed, differences, stable
from tests.chaos.faults import FAULTS, Fault
from tests.chaos.state import Row, Series, Undisturbed

PAGE = Path(__file__).parents[2] / "docs" / "chaos.md"
MUST_AGREE: Mapping[str, frozenset[str]] = {
    "ingest.enrolment": frozenset({"subject", "program", "amount_fen"}),
    "scoring.assessment": frozenset({"subject", "level", "decision", "as_of", "points"}),
    "recognition.standing": frozenset({"subject", "level", "decision", "under_review"}),
    "recognition.enrolment": frozenset({"subject", "program", "status"}),
    "grid.cases": frozenset({"subject", "kind", "state"}),
    "notify.contact": frozenset({"subject", "reachable"}),
}
"""What undisturbed runs must agree in, else comparing with them proves nothing."""


class UnlikeError(Exception):
    """Undisturbed runs differ in what the city decides."""


async def _undisturbed(series: Series) -> Undisturbed:
    """Three runs in which nothing breaks: two tell the columns the city decides, a third whether whole rows of these agree."""
    first = await city.run(
        series.folder / "first", None, lambda tables: {n: list(t.columns) for n, t in tables.items()}
    )
    shutil.copytree(series.folder / "first" / "stack" / "secrets", series.secrets, dirs_exist_ok=True)
    second = await city.run(series.folder / "second", series.secrets, lambda tables: stable(first.tables, tables))
    columns = {name: list(each.columns) for name, each in second.tables.items()}
    third = await city.run(series.folder / "third", series.secrets, lambda _tables: columns)
    missing = {name: some for name, wanted in MUST_AGREE.items() if (some := wanted - set(columns[name]))}
    unlike = {told for each in (second, third) for told in differences(first.ends, each.ends)}
    if missing or unlike or not first.accuracy == second.accuracy == third.accuracy:
        raise UnlikeError(missing, unlike, first.accuracy, second.accuracy, third.accuracy)
    for name in ("first", "second", "third"):
        shutil.rmtree(series.folder / name)
    both = agreed(second.tables, third.tables)
    return Undisturbed(
        seconds=statistics.median(each.seconds for each in (first, second, third)),
        accuracy=asdict(first.accuracy),
        texts_twice=max(each.texts_twice for each in (first, second, third)),
        tables=both,
        ends=first.ends,
        unlike=sorted(set(second.tables) - set(both)),
    )


async def _struck(fault: Fault, series: Series) -> Row:
    """One disturbed run, as a row of the table."""
    expected = series.undisturbed
    assert expected is not None
    folder = series.folder / "struck"
    shutil.rmtree(folder, ignore_errors=True)
    columns = {name: list(each.columns) for name, each in expected.tables.items()}
    striker = city.Striker(fault, series.lasting, random.Random(f"{series.seed} {fault.name}"))
    row = Row(fault=fault.name, where=f"{fault.stage} {fault.share:.0%}")
    try:
        outcome = await city.run(folder, series.secrets, lambda _tables: columns, striker)
    except Exception as error:  # noqa: BLE001  (one run's failure is a row of the table)
        row.differs = [f"{type(error).__name__}: {error}"]
        return row
    row.recovery, row.seconds, row.parked = outcome.recovery, outcome.seconds, outcome.parked
    wanted, found = {**expected.tables, **expected.ends}, {**outcome.tables, **outcome.ends}
    row.differs = differences(wanted, found)
    more = [found[name].rows - each.rows for name, each in wanted.items()]
    row.lost = -sum(min(0, each) for each in more)
    row.doubled = sum(max(0, each) for each in more) + max(0, outcome.texts_twice - expected.texts_twice)
    if asdict(outcome.accuracy) != expected.accuracy:
        row.differs.append(f"answers: {outcome.accuracy}")
    if outcome.parked < fault.parks:
        row.differs.append(
            f"{outcome.parked} messages were parked, not {fault.parks} at least: the fault did not strike"
        )
    if not row.failed:
        shutil.rmtree(folder)
    return row


async def chaos(faults: Sequence[Fault], series: Series, console: Console) -> int:
    """Run what has not passed yet; returns how many runs ended otherwise than an undisturbed one, repeated or not."""
    if series.undisturbed is None:
        console.print("three undisturbed runs …")
        series.undisturbed = await _undisturbed(series)
        series.save()
    kept = sum(len(table.columns) for table in series.undisturbed.tables.values())
    console.print(f"{len(series.undisturbed.tables)} tables, {kept} columns; {series.undisturbed.seconds:.0f} s a run")
    for fault in faults:
        runs = series.rows.setdefault(fault.name, [])
        if not runs or runs[-1].failed:
            row = await _struck(fault, series)
            if runs:
                row.where += f", run {len(runs) + 1}"
            runs.append(row)
            series.save()
            console.print(*report.cells(row), sep=" · ")
    rows = [row for fault in faults for row in series.rows[fault.name]]
    console.print(report.screen(rows))
    if len(faults) == len(FAULTS):
        report.write(series, rows, city.SCALE, PAGE)
        if not any(runs[-1].failed for runs in series.rows.values()):
            series.forget()
    return sum(row.failed for row in rows)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=30.0, help="how long a lasting fault lasts")
    parser.add_argument("--only", default="", help="faults whose name holds one of these words, e.g. notify,disk")
    parser.add_argument("--folder", type=Path, help="keep the series there, and go on with it")
    asked = parser.parse_args()
    faults = [fault for fault in FAULTS if any(word in fault.name for word in asked.only.split(","))]
    with tempfile.TemporaryDirectory() as temporary:
        series = Series(asked.folder or Path(temporary), asked.seed, asked.seconds, version_of_the_code())
        series.folder.mkdir(parents=True, exist_ok=True)
        series.load()
        return min(1, asyncio.run(chaos(faults, series, Console(width=200))))


if __name__ == "__main__":
    sys.exit(main())
