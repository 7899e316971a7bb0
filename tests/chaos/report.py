"""The table of a series, on the screen and in docs/chaos.md, and its verdict in docs/chaos.json."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table as Screen

from tests.bench.machine import day_of_the_code
from tests.bench.report import renew
from tests.chaos.digest import BY_THE_WAY, OF_THE_WAY
from tests.chaos.ends import ENDS
from tests.chaos.state import Row, Series

COLUMNS = ("fault", "where", "recovered after", "whole run", "parked", "lost", "doubled", "otherwise different")

NOT_TRIED = (
    "A disk that is full under JetStream: here its server refuses what goes beyond its own limit, of one stream and of all.",
    "A jump of the system's clock, by which tokens end and leases run out: here the business clock jumps, within its day.",
    "Two faults at once, and the loss of a disk (for that: the restore drill of `tests/flows`).",
)


def cells(row: Row) -> tuple[str, ...]:
    """One line of the table."""
    return (
        row.fault,
        row.where,
        "–" if row.recovery is None else f"{row.recovery:.1f} s",
        f"{row.seconds:.0f} s",
        str(row.parked),
        str(row.lost),
        str(row.doubled),
        f"FAILED: {'; '.join(row.differs)[:300]}" if row.failed else "0",
    )


def screen(rows: Sequence[Row]) -> Screen:
    """The table for a terminal."""
    made = Screen(*COLUMNS, title="Chaos")
    for row in rows:
        made.add_row(*cells(row))
    return made


def write(series: Series, rows: Sequence[Row], scale: float, path: Path) -> None:
    """The page of the documents, and its verdict."""
    undisturbed = series.undisturbed
    assert undisturbed is not None
    whole = sum(bool(table.whole) for table in undisturbed.tables.values())
    kept = sum(len(table.columns) for table in undisturbed.tables.values())
    lines = [
        "# Chaos",
        "",
        "Written by `make chaos`. A small city goes through the whole platform, once a fault, while its parts break; the end is held",
        f"against runs in which nothing broke. Scale {scale:g}, seed {series.seed}; {os.cpu_count()} cores; code {series.code[:12]}.",
        "",
        f"* **Compared**: {len(undisturbed.tables)} tables of the five schemas, {kept} columns: those in which undisturbed runs agree",
        f"  (ids, instants and the order of batches are chance), by a digest of their sorted values; in {whole} tables, whole rows of these columns.",
        "  Of what rows tell the way too, the ends: "
        + "; ".join(f"**{name}** ({how})" for name, how in ENDS.items())
        + ".",
        "  *lost* and *doubled* are rows fewer and more than undisturbed, and texts the outside world was sent twice.",
        "* **Recovered after**: from the end of the fault (a kill ends at once) until everything said by then is published and handled by every consumer,",
        "  while the upload goes on. Starting the process again is part of it.",
        "* A run that failed stays in the table beside its repetition.",
        f"* Lasting faults last {series.lasting:.0f} s, those a caller cannot wait for {series.lasting / 3:.0f} s. An undisturbed run takes {undisturbed.seconds:.0f} s.",
        "",
        "| " + " | ".join(COLUMNS) + " |",
        "|---|---|" + "---:|" * 5 + "---|",
        *("| " + " | ".join(cells(row)) + " |" for row in rows),
        "",
        "## Not tried",
        "",
        *(f"* {each}" for each in NOT_TRIED),
        "",
        "## Not compared",
        "",
        "Tables whose rows tell the way, not the end; what they led to is in the others or among the ends.",
        "",
        *(f"* `{name}`: {why}" for name, why in BY_THE_WAY.items()),
        *(f"* `{name}`: undisturbed runs had unlike numbers of rows this time" for name in undisturbed.unlike),
        *(f"* `{name}.{column}`: {why}" for name, columns in OF_THE_WAY.items() for column, why in columns.items()),
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    verdict = {
        "code": series.code,
        "day": day_of_the_code(),
        "runs": len(rows),
        "failed": [row.fault for row in rows if row.failed],
        "lost": sum(row.lost for row in rows),
        "doubled": sum(row.doubled for row in rows),
    }
    path.with_suffix(".json").write_text(json.dumps(verdict, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    renew(path.parent)
