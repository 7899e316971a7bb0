"""`make chaos`: a small city, one fault a run, held against undisturbed runs; ends with its own table.

Two undisturbed runs tell which columns the city decides (ids, instants and the order of batches are chance); in these
every disturbed run must be their equal, table by table.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table as Screen

from tests.chaos import city
from tests.chaos.digest import Table, differences, stable
from tests.chaos.faults import FAULTS, Fault

MUST_AGREE: Mapping[str, frozenset[str]] = {
    "ingest.enrolment": frozenset({"subject", "program", "amount_fen"}),
    "scoring.assessment": frozenset({"subject", "level", "decision", "as_of", "points"}),
    "recognition.standing": frozenset({"subject", "level", "decision", "under_review"}),
    "recognition.enrolment": frozenset({"subject", "program", "status"}),
    "grid.cases": frozenset({"subject", "kind", "state"}),
    "notify.contact": frozenset({"subject", "reachable"}),
}
"""What two undisturbed runs must agree in, else comparing with them proves nothing."""


def _chosen(table: Mapping[str, Table], columns: Mapping[str, list[str]]) -> dict[str, Table]:
    return {
        name: Table(each.rows, {column: each.columns[column] for column in columns[name]}, "")
        for name, each in table.items()
    }


async def _struck(
    fault: Fault,
    folder: Path,
    secrets: Path,
    undisturbed: tuple[Mapping[str, Table], Mapping[str, list[str]], city.Outcome],
    chance: tuple[int, float],
) -> dict[str, Any]:
    """One disturbed run, as a row of the table."""
    expected, columns, first = undisturbed
    seed, seconds = chance
    striker = city.Striker(fault, seconds, random.Random(f"{seed} {fault.name}"))
    row: dict[str, Any] = {"fault": fault.name, "stage": fault.stage, "recovery": None, "seconds": 0.0, "parked": 0}
    try:
        outcome = await city.run(folder, secrets, striker)
    except Exception as error:  # noqa: BLE001  (one run's failure is a row of the table)
        return {**row, "differs": [f"{type(error).__name__}: {error}"]}
    told = differences(expected, _chosen(outcome.tables, columns))
    if outcome.accuracy != first.accuracy:
        told.append(f"answers: {outcome.accuracy}")
    return {
        **row, "recovery": outcome.recovery, "seconds": outcome.seconds, "parked": outcome.parked, "differs": told,
    }  # fmt: skip


async def chaos(faults: Sequence[Fault], seed: int, seconds: float, folder: Path, console: Console) -> int:
    """Run everything; returns how many runs ended otherwise than an undisturbed one."""
    console.print("two undisturbed runs …")
    first = await city.run(folder / "first", None, None)
    secrets = folder / "first" / "stack" / "secrets"
    second = await city.run(folder / "second", secrets, None)
    columns = stable(first.tables, second.tables)
    chance = {name: sorted(set(each.columns) - set(columns[name])) for name, each in first.tables.items()}
    (folder / "chance.json").write_text(json.dumps(chance, indent=1), encoding="utf-8")
    if missing := {name: some for name, wanted in MUST_AGREE.items() if (some := wanted - set(columns[name]))}:
        console.print(f"[red]undisturbed runs differ in what the city decides: {missing}")
        return 1
    expected = _chosen(first.tables, columns)
    kept = sum(map(len, columns.values()))
    console.print(f"{len(columns)} tables, {kept} columns compared; undisturbed {first.seconds:.0f} s")
    screen = Screen("fault", "where", "answered again after", "whole run", "parked", "lost or doubled", title="Chaos")
    rows: list[dict[str, Any]] = []
    for number, fault in enumerate(faults):
        row = await _struck(fault, folder / str(number), secrets, (expected, columns, first), (seed, seconds))
        words = "; ".join(row["differs"])[:300] or "0"
        recovery = f"{row['recovery']:.1f} s" if row["recovery"] else "–"
        console.print(fault.name, recovery, words, sep=" · ")
        screen.add_row(
            fault.name,
            f"{fault.stage} {fault.share:.0%}",
            recovery,
            f"{row['seconds']:.0f} s",
            str(row["parked"]),
            words,
        )
        rows.append(row)
    console.print(screen)
    (folder / "chaos.json").write_text(json.dumps(rows, ensure_ascii=False, indent=1), encoding="utf-8")
    return sum(bool(row["differs"]) for row in rows)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=30.0, help="how long a lasting fault lasts")
    parser.add_argument("--only", default="", help="faults whose name holds this word")
    parser.add_argument("--folder", type=Path, help="keep the runs there")
    asked = parser.parse_args()
    faults = [fault for fault in FAULTS if asked.only in fault.name]
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        return min(1, asyncio.run(chaos(faults, asked.seed, asked.seconds, folder, Console(width=200))))


if __name__ == "__main__":
    sys.exit(main())
